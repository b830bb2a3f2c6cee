/** What goes out over the connection: tracks come and go, encodings follow the camera's size, the saver and what the relay asks for.
 *  Never negotiates. */
import type { Source } from "../protocol.gen";
import { SOURCES, type Connection } from "./connection";
import { able, encodingsOf, type Encoding, type Size } from "./encodings";
import type { Saver } from "./model";
import { undersized } from "./quality";

const LIFTS = 3; // per connection: a path that is narrow after all settles the matter
const LIFT_EVERY_MS = 10_000;

export class Sending {
  readonly tracks: Record<Source, MediaStreamTrack | null> = { microphone: null, camera: null, screen: null };
  private saver: Saver = "full";
  /** What the relay last said on this connection, and what could be sent then. */
  private wanted = new Map<Source, { rids: readonly string[]; able: readonly string[] }>();
  private connection: Connection | null = null;
  private tuning = new Map<Source, "busy" | "again">();
  private lifts = { left: LIFTS, afterMs: 0 };

  /** `broken`: this connection cannot send what is wanted; make another. */
  constructor(private readonly broken: () => void) {}

  /** What a new connection is to be made with: its relay has asked for nothing yet. */
  first(source: Source): Encoding[] {
    return encodingsOf(source, this.captured(source), this.saver, null, true);
  }

  use(connection: Connection | null): void {
    this.connection = connection;
    this.wanted = new Map();
    this.tuning = new Map();
    this.lifts = { left: LIFTS, afterMs: 0 };
    if (connection === null) return;
    for (const source of SOURCES) if (connection.senders[source].sender.track !== this.tracks[source]) this.put(connection, source);
  }

  /** Null sends nothing. */
  set(source: Source, track: MediaStreamTrack | null): void {
    if (this.tracks[source] === track) return;
    if (this.tracks[source] === null) this.wanted.delete(source); // said of what was sent before
    this.tracks[source] = track;
    // A face may lose sharpness, never fluency; a screen the other way round. Chromium's own choice ("balanced") falls to 10
    // frames a second in the first moments of a call and stays there; what was set before there was a track is forgotten.
    if (track !== null && source !== "microphone") track.contentHint = source === "screen" ? "detail" : "motion";
    const connection = this.connection;
    if (connection !== null) this.put(connection, source);
  }

  private put(connection: Connection, source: Source): void {
    connection.senders[source].sender.replaceTrack(this.tracks[source]).then(
      () => {
        if (this.connection === connection) void this.tune(source);
      },
      () => {
        if (this.connection === connection) this.broken();
      },
    );
  }

  setSaver(saver: Saver): void {
    this.saver = saver;
    this.tuneAll();
  }

  /** The relay needs only these of the source's encodings now. A voice is never paused: who speaks is known by it. */
  want(source: Source, rids: readonly string[]): void {
    if (source === "microphone") return;
    this.wanted.set(source, { rids, able: this.able(source) });
    void this.tune(source);
  }

  tuneAll(): void {
    for (const source of SOURCES) if (source !== "microphone") void this.tune(source);
  }

  /** Puts the present figures into the sender, at once; calls that come while the browser takes them are one more afterwards. */
  private async tune(source: Source): Promise<void> {
    const connection = this.connection;
    if (connection === null || source === "microphone") return;
    const tuning = this.tuning;
    if (tuning.has(source)) {
      tuning.set(source, "again");
      return;
    }
    tuning.set(source, "busy");
    const { sender } = connection.senders[source];
    const parameters = sender.getParameters();
    // What is given up first: of a screen its frame rate, of a face its size. Browsers keep to the frame rate only when told.
    Object.assign(parameters, { degradationPreference: source === "screen" ? "maintain-resolution" : "maintain-framerate" });
    for (const { encoding, figures } of pairs(parameters.encodings, (many) => this.figures(source, many))) Object.assign(encoding, figures);
    try {
      if (parameters.encodings.length > 0) await sender.setParameters(parameters);
    } catch {
      // a browser's refusal costs quality only
    }
    const again = tuning.get(source) === "again";
    tuning.delete(source);
    if (again && this.connection === connection) void this.tune(source);
  }

  private figures(source: Source, simulcast: boolean): Encoding[] {
    return encodingsOf(source, this.captured(source), this.saver, this.asked(source), simulcast);
  }

  /** A larger camera, or the saver's end, adds encodings that the relay has never seen: it could not ask for them. */
  private asked(source: Source): readonly string[] | null {
    const wanted = this.wanted.get(source);
    if (wanted === undefined) return null;
    if (wanted.rids.length === 0) return [];
    return [...wanted.rids, ...this.able(source).filter((rid) => !wanted.able.includes(rid))];
  }

  private able(source: Source): readonly string[] {
    return source === "camera" ? able(this.captured(source), this.saver) : [];
  }

  private captured(source: Source): Size | null {
    const { width, height } = this.tracks[source]?.getSettings() ?? {};
    return width === undefined || height === undefined || width * height === 0 ? null : { width, height };
  }

  /** Lets the encoder start over at its full size where it is alone and far too small; see `undersized`. A tenth of a second of
   *  standstill, no negotiation. */
  async lift(stats: Iterable<Record<string, unknown>>, nowMs: number): Promise<void> {
    const track = this.tracks.camera;
    const connection = this.connection;
    if (connection === null || track === null || this.saver !== "full" || this.lifts.left === 0 || nowMs < this.lifts.afterMs) return;
    const { mid, sender } = connection.senders.camera;
    const encodings = sender.getParameters().encodings;
    const sent = pairs(encodings, (many) => this.figures("camera", many)).filter(({ figures }) => figures.active);
    const [only] = sent;
    if (mid === null || only === undefined || sent.length > 1) return; // among several Chromium shrinks none
    const width = (this.captured("camera")?.width ?? 0) / only.figures.scaleResolutionDownBy;
    if (!undersized(stats, mid, only.encoding.rid ?? "", width, only.figures.maxBitrate)) return;
    this.lifts = { left: this.lifts.left - 1, afterMs: nowMs + LIFT_EVERY_MS };
    await sender.replaceTrack(null).catch(() => undefined);
    await sender.replaceTrack(this.tracks.camera).catch(() => undefined); // what is wanted now: it may have been taken away
  }
}

/** The browser's encodings with their figures, by rid; a single one has none, whatever was offered. */
function pairs(
  encodings: RTCRtpEncodingParameters[],
  figures: (simulcast: boolean) => Encoding[],
): { encoding: RTCRtpEncodingParameters; figures: Omit<Encoding, "rid"> }[] {
  const [alone, ...others] = encodings;
  if (alone === undefined) return [];
  const planned = figures(others.length > 0);
  return encodings.flatMap((encoding) => {
    const found = others.length === 0 ? planned[0] : planned.find(({ rid }) => rid === encoding.rid);
    if (found === undefined) return [];
    const { rid: _rid, ...rest } = found;
    return [{ encoding, figures: rest }];
  });
}
