const WISH = {audio: false, video: {facingMode: 'environment', width: {ideal: 1920}, height: {ideal: 1440}}};
const QUALITY = 0.95;

/** @returns {boolean} whether this page may ask for the camera: browsers offer it on HTTPS and localhost alone */
export function hasCamera() {
  return Boolean(globalThis.isSecureContext && navigator.mediaDevices?.getUserMedia);
}

/** The camera, live. */
export class Camera {
  #stream;
  #video;

  /** Use {@link Camera.open}. @param {MediaStream} stream @param {HTMLVideoElement} video */
  constructor(stream, video) {
    this.#stream = stream;
    this.#video = video;
  }

  /**
   * @param {HTMLVideoElement} video shows what the camera sees
   * @returns {Promise<Camera>}
   * @throws {DOMException} NotAllowedError, NotFoundError, NotReadableError
   */
  static async open(video) {
    const stream = await navigator.mediaDevices.getUserMedia(WISH);
    video.srcObject = stream;
    await video.play();
    return new Camera(stream, video);
  }

  /** @returns {Promise<Blob>} the frame that is seen now, image/jpeg */
  shoot() {
    const {videoWidth: width, videoHeight: height} = this.#video;
    const canvas = Object.assign(document.createElement('canvas'), {width, height});
    canvas.getContext('2d').drawImage(this.#video, 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
  }

  /** Switches it off. */
  close() {
    for (const track of this.#stream.getTracks()) track.stop();
    this.#video.srcObject = null;
  }
}
