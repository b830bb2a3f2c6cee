import { describe, expect, it } from "vitest";
import { AHEAD_MS, LaneSource } from "./source";
import type { Sink } from "./source";
import { lanes } from "./timeline";
import type { Lane, Span, Track } from "./timeline";

/** A byte is a tenth of a second of media; the first of a stream is its beginning. */
const UNIT_MS = 100;

class FakeSink implements Sink {
  buffered: Span[] = [];
  begun: string[] = [];
  full = 0; // how many appends it refuses
  at = 0; // where the stream that is being read began
  broken = false;

  async append(bytes: Uint8Array): Promise<void> {
    if (this.broken) throw new Error("not understood");
    if (this.full > 0) {
      this.full -= 1;
      throw new DOMException("", "QuotaExceededError");
    }
    const last = this.buffered.at(-1);
    const toMs = this.at + bytes.length * UNIT_MS;
    if (last !== undefined && last.toMs >= this.at) last.toMs = Math.max(last.toMs, toMs);
    else this.buffered.push({ fromMs: this.at, toMs });
    this.at = toMs;
  }

  async clear(): Promise<void> {
    this.buffered = [];
  }

  begin(mime: string): void {
    this.begun.push(mime);
  }
}

interface Opened {
  track: string;
  fromMs: number;
  signal: AbortSignal;
  give(bytes: number): void;
  end(): void;
  fail(): void;
}

const track = (id: string, fromMs: number, toMs: number, mime = "video/webm"): Track => ({ id, participant: "C", source: "camera", mime, spans: [{ fromMs, toMs }] });

function bench(...tracks: Track[]) {
  const [lane] = lanes(tracks) as [Lane];
  const sink = new FakeSink();
  const opened: Opened[] = [];
  let now = 0;
  let refuse = false;
  let answer: Promise<void> | null = null;
  const calls: number[] = [];
  const source = new LaneSource(
    lane,
    sink,
    async (id, fromMs, signal) => {
      calls.push(fromMs);
      const gone = new Promise<never>((_, no) => signal.addEventListener("abort", () => no(new DOMException("", "AbortError"))));
      await Promise.race([answer, gone]);
      if (refuse) throw new Error("offline");
      return new ReadableStream<Uint8Array>({
        start(controller) {
          sink.at = fromMs;
          signal.addEventListener("abort", () => controller.error(new DOMException("", "AbortError")));
          opened.push({
            track: id,
            fromMs,
            signal,
            give: (bytes) => controller.enqueue(new Uint8Array(bytes)),
            end: () => controller.close(),
            fail: () => controller.error(new Error("cut")),
          });
        },
      });
    },
    () => now,
  );
  return {
    source,
    sink,
    opened,
    calls,
    /** Streams are opened from now on when what is returned is called. */
    slow: () => {
      let go = (): void => undefined;
      answer = new Promise((resolve) => (go = resolve));
      return go;
    },
    pass: (ms: number) => void (now += ms),
    offline: (yes: boolean) => void (refuse = yes),
    last: (): Opened => {
      const found = opened.at(-1);
      if (found === undefined) throw new Error("nothing was opened");
      return found;
    },
  };
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 500; turn += 1) await Promise.resolve();
};

describe("LaneSource", () => {
  it("opens where it is wanted, and has it when the bytes are there", async () => {
    const { source, last, opened } = bench(track("C.camera.0", 0, 60_000));
    expect(source.cover(5_000)).toBe("coming");
    source.want(5_000);
    await settle();
    expect(opened.map(({ track: id, fromMs }) => [id, fromMs])).toEqual([["C.camera.0", 5_000]]);
    source.want(5_000);
    await settle();
    expect(opened).toHaveLength(1);
    last().give(30);
    await settle();
    expect([source.cover(5_000), source.cover(7_900), source.cover(9_000)]).toEqual(["there", "there", "coming"]);
  });

  it("reads only a little ahead", async () => {
    const { source, sink, last } = bench(track("C.camera.0", 0, 600_000));
    source.want(0);
    await settle();
    for (let second = 0; second < 60; second += 1) last().give(10);
    await settle();
    expect(sink.buffered[0]?.toMs).toBeLessThanOrEqual(AHEAD_MS + 1_000);
    source.want(10_000);
    await settle();
    expect(sink.buffered[0]?.toMs).toBeGreaterThan(AHEAD_MS + 5_000);
    expect(sink.buffered[0]?.toMs).toBeLessThanOrEqual(AHEAD_MS + 11_000);
  });

  it("opens anew where it is taken to, and lets go of what it read", async () => {
    const { source, sink, last, opened } = bench(track("C.camera.0", 0, 600_000));
    source.want(0);
    await settle();
    last().give(20);
    await settle();
    source.want(300_000);
    await settle();
    expect(opened.map(({ fromMs }) => fromMs)).toEqual([0, 300_000]);
    expect(opened[0]?.signal.aborted).toBe(true);
    expect(sink.buffered).toEqual([]);
    last().give(10);
    await settle();
    expect([source.cover(300_000), source.cover(0)]).toEqual(["there", "coming"]);
  });

  it.each([
    ["on", 40_000],
    ["back", 6_000],
  ])("asks once where the jump %s is answered late", async (_, toMs) => {
    const { source, sink, last, calls, slow } = bench(track("C.camera.0", 0, 60_000));
    source.want(20_000);
    await settle();
    last().give(50);
    await settle();
    calls.length = 0;
    const go = slow();
    for (let tick = 0; tick < 40; tick += 1) {
      source.want(toMs);
      await settle();
      expect(source.cover(toMs)).toBe("coming"); // what is there is of before
    }
    expect(calls).toEqual([toMs]);
    go();
    await settle();
    last().give(10);
    await settle();
    expect(source.cover(toMs)).toBe("there");
    expect(sink.buffered).toEqual([{ fromMs: toMs, toMs: toMs + 1_000 }]);
  });

  it("knows a hole from what is still to come", async () => {
    const { source, last } = bench(track("C.camera.0", 10_000, 20_000));
    expect([source.cover(0), source.cover(25_000)]).toEqual(["hole", "hole"]);
    expect(source.cover(15_000)).toBe("coming");
    source.want(15_000);
    await settle();
    last().give(20);
    last().end();
    await settle();
    expect(source.cover(16_000)).toBe("there");
    expect(source.cover(18_000)).toBe("hole"); // the spans said more than there was
  });

  it("goes on with the next connection's track, of another kind too", async () => {
    const { source, sink, last, opened } = bench(track("C.camera.0", 0, 10_000), track("C.camera.1", 12_000, 20_000, "video/mp4"));
    source.want(0);
    await settle();
    last().give(100);
    last().end();
    await settle();
    source.want(4_000);
    await settle();
    expect(opened.map(({ track: id, fromMs }) => [id, fromMs])).toEqual([["C.camera.0", 0], ["C.camera.1", 12_000]]);
    expect(sink.begun).toEqual(["video/webm", "video/mp4"]);
    expect(sink.buffered[0]).toEqual({ fromMs: 0, toMs: 10_000 }); // what was there stays
  });

  it("loads ahead of a track that has not begun", async () => {
    const { source, opened } = bench(track("C.camera.0", 30_000, 60_000));
    source.want(0);
    await settle();
    expect(opened).toHaveLength(0);
    source.want(22_000);
    await settle();
    expect(opened.map(({ fromMs }) => fromMs)).toEqual([30_000]);
  });

  it("waits while the browser is full", async () => {
    const { source, sink, last } = bench(track("C.camera.0", 0, 60_000));
    source.want(0);
    await settle();
    sink.full = 2;
    last().give(10);
    await settle();
    expect(sink.buffered).toEqual([]);
    source.want(50);
    await settle();
    source.want(100);
    await settle();
    expect(sink.buffered[0]?.toMs).toBe(1_000);
  });

  it("tries again after a fault, a few times; then it has failed until it is asked again", async () => {
    const { source, opened, pass, offline, last } = bench(track("C.camera.0", 0, 60_000));
    source.want(0);
    await settle();
    last().give(10);
    await settle();
    last().fail();
    await settle();
    source.want(1_500);
    await settle();
    expect(opened).toHaveLength(1); // not at once
    offline(true);
    for (let turn = 0; turn < 6; turn += 1) {
      pass(2_000);
      source.want(1_500);
      await settle();
    }
    expect(source.cover(1_500)).toBe("failed");
    expect(source.cover(500)).toBe("there");
    offline(false);
    source.again();
    source.want(1_500);
    await settle();
    last().give(20);
    await settle();
    expect(source.cover(1_500)).toBe("there");
  });

  it("has failed where the browser does not understand the bytes", async () => {
    const { source, sink, last, pass } = bench(track("C.camera.0", 0, 60_000));
    sink.broken = true;
    for (let turn = 0; turn < 4; turn += 1) {
      source.want(0);
      await settle();
      last().give(1);
      await settle();
      pass(2_000);
    }
    expect(source.cover(0)).toBe("failed");
  });

  it("reads no more when it is closed", async () => {
    const { source, opened } = bench(track("C.camera.0", 0, 60_000));
    source.want(0);
    await settle();
    source.close();
    expect(opened[0]?.signal.aborted).toBe(true);
    source.want(40_000);
    await settle();
    expect(opened).toHaveLength(1);
  });
});
