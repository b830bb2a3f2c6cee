/** Feeds one lane of a recording to a media source: opens the stream where it is needed, reads a little ahead, waits when enough is there.
 *
 *  Times are milliseconds of the recording's time line; the streams carry them, so nothing is shifted. */
import { firstMs, lastMs } from "./timeline";
import type { Lane, Span, Track } from "./timeline";

export const AHEAD_MS = 20_000; // read no further before the position has moved
const GO_ON_MS = 10_000; // with less ahead than this, the next piece is opened
const EDGE_MS = 700; // what a track's spans may be wrong by
const NEAR_MS = 3_000; // a stream that is only so far behind is waited for
const AGAIN_MS = 1_500; // after a fault
const MAX_FAULTS = 4; // in a row

/** What takes the bytes: a `SourceBuffer`. One thing at a time. */
export interface Sink {
  /** In order, not overlapping. */
  readonly buffered: readonly Span[];
  /** Rejects with name `QuotaExceededError` when it is full for now. */
  append(bytes: Uint8Array): Promise<void>;
  clear(): Promise<void>;
  /** The next bytes are the beginning of another stream. */
  begin(mime: string): void;
}

/** Opens a track's stream at the last key frame before a moment. */
export type Open = (track: string, fromMs: number, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;

/** `there`: it can be shown; `coming`: it is being loaded; `hole`: nothing is there then; `failed`: it does not come. */
export type Cover = "there" | "coming" | "hole" | "failed";

interface Load {
  track: Track;
  fromMs: number;
  stop: AbortController;
  come: boolean; // some of it is in the sink: until then what is there is of before
  ended: boolean;
}

export class LaneSource {
  private load: Load | null = null;
  private positionMs = 0;
  private faults = 0;
  private notBeforeMs = 0; // of `now`
  private wake: () => void = () => undefined;
  private chain: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(
    readonly lane: Lane,
    private readonly sink: Sink,
    private readonly open: Open,
    private readonly now: () => number,
  ) {}

  cover(ms: number): Cover {
    if (this.sink.buffered.some(({ fromMs, toMs }) => ms >= fromMs && ms < toMs)) return "there";
    const track = this.trackAt(ms);
    if (track === undefined) return "hole";
    if (this.faults >= MAX_FAULTS) return "failed";
    const load = this.load;
    if (load === null || load.track !== track || load.fromMs > ms + EDGE_MS) return "coming";
    return load.ended || (load.come && this.reachedMs(load) > ms) ? "hole" : "coming";
  }

  /** The position now: loads what will be needed there. Called many times a second. */
  want(ms: number): void {
    this.positionMs = ms;
    this.wake();
    if (this.closed || this.faults >= MAX_FAULTS || this.now() < this.notBeforeMs) return;
    const cover = this.cover(ms);
    if (cover === "coming") {
      const track = this.trackAt(ms);
      if (track !== undefined && !this.isOnTheWay(track, ms)) this.begin(track, ms, true);
      return;
    }
    const load = this.load;
    if (cover === "there" && (load === null || load.ended)) {
      const end = this.sink.buffered.find(({ fromMs, toMs }) => ms >= fromMs && ms < toMs)?.toMs ?? ms;
      if (end - ms > GO_ON_MS) return;
      const here = this.trackAt(end);
      const track = here !== undefined && !(load?.track === here && load.ended) ? here : this.nextAfter(end);
      if (track !== undefined) this.goOn(track, Math.max(end, firstMs(track)), ms);
    } else if (cover === "hole") {
      const next = this.nextAfter(ms);
      if (next !== undefined) this.goOn(next, firstMs(next), ms);
    }
  }

  /** After a fault that the reader has been told of. */
  again(): void {
    this.faults = 0;
    this.notBeforeMs = 0;
  }

  close(): void {
    this.closed = true;
    this.load?.stop.abort();
    this.wake();
  }

  /** Where the newest stream has come to. */
  private reachedMs(load: Load): number {
    return (load.come ? this.sink.buffered.at(-1)?.toMs : undefined) ?? load.fromMs;
  }

  private trackAt(ms: number): Track | undefined {
    return this.lane.tracks.find((track) => ms >= firstMs(track) - EDGE_MS && ms <= lastMs(track) + EDGE_MS);
  }

  private nextAfter(ms: number): Track | undefined {
    return this.lane.tracks.find((track) => firstMs(track) > ms && firstMs(track) - ms < GO_ON_MS);
  }

  private isOnTheWay(track: Track, ms: number): boolean {
    const load = this.load;
    return load !== null && !load.ended && load.track === track && load.fromMs <= ms + EDGE_MS && ms - this.reachedMs(load) < NEAR_MS;
  }

  /** What comes after what is there; it stays. */
  private goOn(track: Track, fromMs: number, ms: number): void {
    const load = this.load;
    if (load !== null && load.track === track && (!load.ended || this.reachedMs(load) > ms)) return;
    if (load !== null && !load.ended) return; // still reading what is before it
    this.begin(track, fromMs, false);
  }

  private begin(track: Track, fromMs: number, anew: boolean): void {
    this.load?.stop.abort();
    this.wake();
    const load: Load = { track, fromMs: Math.max(0, fromMs), stop: new AbortController(), come: false, ended: false };
    this.load = load;
    // The one before may be in the middle of an append.
    this.chain = this.chain.then(() => this.run(load, anew)).catch(() => undefined);
  }

  private async run(load: Load, anew: boolean): Promise<void> {
    const { signal } = load.stop;
    if (signal.aborted) return;
    let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
    try {
      reader = (await this.open(load.track.id, load.fromMs, signal)).getReader();
      if (signal.aborted) return;
      if (anew) await this.sink.clear();
      if (signal.aborted) return;
      this.sink.begin(load.track.mime);
      for (;;) {
        await this.untilWanted(load);
        if (signal.aborted) return;
        const { done, value } = await reader.read();
        if (signal.aborted) return;
        if (done) break;
        await this.append(value, signal);
        load.come = true;
        this.faults = 0;
      }
      load.ended = true;
    } catch {
      if (signal.aborted) return;
      this.faults += 1;
      this.notBeforeMs = this.now() + AGAIN_MS;
      if (this.load === load) this.load = null; // the next `want` opens it again where it is needed
    } finally {
      void reader?.cancel().catch(() => undefined);
    }
  }

  private async untilWanted(load: Load): Promise<void> {
    while (!load.stop.signal.aborted && this.reachedMs(load) - this.positionMs > AHEAD_MS) await this.moved();
  }

  private async append(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.sink.append(bytes);
        return;
      } catch (error) {
        if (!(error instanceof Error || error instanceof DOMException) || error.name !== "QuotaExceededError") throw error;
        await this.moved(); // the browser makes room behind the position
        if (signal.aborted) return;
      }
    }
  }

  private moved(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = () => {
        this.wake = () => undefined;
        resolve();
      };
    });
  }
}

/** A `SourceBuffer` as a sink. */
export class BufferSink implements Sink {
  private mime: string;

  constructor(
    private readonly source: MediaSource,
    private readonly buffer: SourceBuffer,
    mime: string,
  ) {
    this.mime = mime;
  }

  get buffered(): readonly Span[] {
    if (this.source.readyState !== "open") return [];
    const { buffered } = this.buffer;
    return Array.from({ length: buffered.length }, (_, index) => ({ fromMs: buffered.start(index) * 1000, toMs: buffered.end(index) * 1000 }));
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.settled(() => this.buffer.appendBuffer(new Uint8Array(bytes)));
  }

  clear(): Promise<void> {
    return this.settled(() => this.buffer.remove(0, Infinity));
  }

  begin(mime: string): void {
    this.buffer.abort(); // forgets what was half read
    if (mime !== this.mime) this.buffer.changeType(mime);
    this.mime = mime;
  }

  private settled(start: () => void): Promise<void> {
    const { buffer } = this;
    return new Promise((resolve, reject) => {
      const over = (event: Event): void => {
        buffer.removeEventListener("updateend", over);
        buffer.removeEventListener("error", over);
        if (event.type === "error") reject(new Error("not understood"));
        else resolve();
      };
      buffer.addEventListener("updateend", over);
      buffer.addEventListener("error", over);
      try {
        start();
      } catch (error) {
        buffer.removeEventListener("updateend", over);
        buffer.removeEventListener("error", over);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }
}
