/** What is done for voices on a bad line: of one connection, whether our own goes out with redundancy, and how long others' are kept
 *  before they are played. */
import type { Connection } from "./connection";
import { describe } from "./nack";
import { heard, Patience } from "./patience";
import { ordered } from "./redundancy";

export class Voices {
  private answer: string | null = null; // the last one, as it came
  private redundant = { wanted: false, done: false };
  private readonly patience = new Map<string, Patience>();

  /** The answer as the browser is to have it; kept to be applied again. */
  take(built: Connection, answer: string): string {
    this.answer = answer;
    this.redundant.done = this.redundant.wanted;
    return this.inOrder(built, answer);
  }

  /** The relay wants our voice with redundancy now, or without. */
  want(redundant: boolean): void {
    this.redundant.wanted = redundant;
  }

  /** Whether the browser is to be told. */
  get due(): boolean {
    return this.answer !== null && this.redundant.done !== this.redundant.wanted;
  }

  /** Tell it: our own description and the answer once more, between us and the browser. Nothing may be negotiated meanwhile. */
  async tell(built: Connection): Promise<void> {
    const { peer } = built;
    const answer = this.answer;
    if (answer === null || peer.signalingState !== "stable") return;
    this.redundant.done = this.redundant.wanted; // a refusal costs quality only
    const sdp = this.inOrder(built, answer);
    await describe(peer);
    try {
      await peer.setRemoteDescription({ type: "answer", sdp });
    } catch {
      await peer.setLocalDescription({ type: "rollback" });
    }
  }

  private inOrder(built: Connection, answer: string): string {
    const { mid } = built.senders.microphone;
    return mid === null ? answer : ordered(answer, mid, this.redundant.done);
  }

  /** Once a second, with all statistics of the connection. */
  look(built: Connection, stats: Iterable<Record<string, unknown>>, rttMs: number): void {
    const receivers = new Map(built.slots.map(({ transceiver }) => [transceiver.mid, transceiver.receiver]));
    for (const stat of stats) {
      const mid = stat["mid"];
      if (stat["type"] !== "inbound-rtp" || stat["kind"] !== "audio" || typeof mid !== "string") continue;
      const receiver = receivers.get(mid);
      if (receiver === undefined || !("jitterBufferTarget" in receiver)) continue;
      const patience = this.patience.get(mid) ?? new Patience();
      this.patience.set(mid, patience);
      const target = patience.next(heard(stat), rttMs);
      if (receiver.jitterBufferTarget !== target) receiver.jitterBufferTarget = target;
    }
  }
}
