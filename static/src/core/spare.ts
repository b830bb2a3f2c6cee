/** A connection made before it is needed, while a person reads what they are asked into: with its twenty sections it takes a browser
 *  a tenth of a second, on a slow machine half of one. Nothing leaves the page by it, and what is sent is put into it later. */
import type { MediaLimits, SiteMedia } from "../protocol.gen";
import { configuration, makeConnection, type Connection } from "./connection";
import { encodingsOf } from "./encodings";
import { describe } from "./nack";

const FRESH_MS = 30_000; // addresses are those of the moment when it was described
const KEPT_MS = 180_000; // unused: a page may be open for a day before its first call

export class Spare {
  private ends: ReturnType<typeof setTimeout> | undefined;
  private made: { connection: Connection; slots: SiteMedia; describedAtMs: number | null } | null = null;

  /** Make one, unless there is one. No socket is opened yet. */
  prepare(slots: SiteMedia): void {
    if (this.made !== null) return;
    try {
      const limits = { audio_slots: slots.audio_slots, video_slots: slots.video_slots, ice_servers: [] };
      const connection = makeConnection(limits, { microphone: null, camera: null, screen: null }, (source) => encodingsOf(source, null, "full", null, true));
      connection.offer = connection.peer.createOffer();
      connection.offer.catch(() => this.fail(connection));
      this.made = { connection, slots, describedAtMs: null };
      this.keep();
    } catch {
      // a browser that cannot says so when it matters
    }
  }

  /** It is needed in a moment: describe it, where its addresses do not depend on a relay that only the server can name. */
  begin(slots: SiteMedia): void {
    if (this.made !== null && this.made.describedAtMs !== null && performance.now() - this.made.describedAtMs > FRESH_MS) this.drop();
    this.prepare(slots);
    const made = this.made;
    if (made === null || slots.relay || made.describedAtMs !== null) return;
    made.describedAtMs = performance.now();
    this.keep();
    const { connection } = made;
    connection.described = describe(connection.peer, connection.offer).then(() => {
      connection.described = true;
    });
    connection.described.catch(() => this.fail(connection));
  }

  /** The spare one if it is what these limits ask for; whoever takes it closes it. */
  take(limits: MediaLimits): Connection | null {
    const made = this.made;
    if (made === null) return null;
    const { connection, slots, describedAtMs } = made;
    const fits = slots.audio_slots === limits.audio_slots && slots.video_slots === limits.video_slots;
    const relayed = limits.ice_servers.length > 0;
    const late = describedAtMs !== null && (relayed || performance.now() - describedAtMs > FRESH_MS);
    try {
      if (fits && !late) {
        if (relayed) connection.peer.setConfiguration(configuration(limits));
        this.made = null;
        clearTimeout(this.ends);
        return connection;
      }
    } catch {
      // a browser without it
    }
    this.drop();
    return null;
  }

  drop(): void {
    clearTimeout(this.ends);
    this.made?.connection.peer.close();
    this.made = null;
  }

  /** This one is of no use: another that was made since may be. */
  private fail(connection: Connection): void {
    if (this.made?.connection === connection) this.drop();
  }

  private keep(): void {
    clearTimeout(this.ends);
    this.ends = setTimeout(() => this.drop(), KEPT_MS);
  }
}

export const spare = new Spare();
