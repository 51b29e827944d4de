/** What the engine refuses or cannot do: a stable code for programs, a message and a remedy for people. */
export class EngineError extends Error {
  /**
   * @param {string} code a short stable name of the reason; README.md lists them
   * @param {string} message what was wrong, and with what
   * @param {string} [remedy] what the reader can do about it
   */
  constructor(code, message, remedy = '') {
    super(message);
    this.name = 'EngineError';
    this.code = code;
    this.remedy = remedy;
  }

  /** @returns {{code: string, message: string, remedy: string}} what travels between page and worker */
  toJSON() {
    return {code: this.code, message: this.message, remedy: this.remedy};
  }

  /**
   * @param {unknown} error whatever was thrown
   * @param {string} code for one that is not ours
   * @param {string} [remedy]
   * @returns {EngineError}
   */
  static from(error, code, remedy = '') {
    return error instanceof EngineError ? error : new EngineError(code, error?.message || String(error), remedy);
  }
}
