/** placeholder until measured */
export class Survey {
  constructor() {}
  reading(read) {
    return read;
  }
  hints() {
    return [];
  }
}
