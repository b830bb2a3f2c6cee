/** The server's clock as this machine's: where what the server says of the time is shown as time that is left. */
export class ServerClock {
  private aheadMs = 0;

  /** `serverTime`: what the server says it is now. */
  told(serverTime: string, nowMs = Date.now()): void {
    const theirs = Date.parse(serverTime);
    if (Number.isFinite(theirs)) this.aheadMs = theirs - nowMs;
  }

  /** A moment of the server's, in milliseconds of this machine's clock. One that cannot be read is now. */
  here(moment: string, nowMs = Date.now()): number {
    const theirs = Date.parse(moment);
    return Number.isFinite(theirs) ? theirs - this.aheadMs : nowMs;
  }
}
