import { describe, expect, it } from "vitest";
import { heard, MOST_MS, Patience, type Heard } from "./patience";

const SECOND = 48_000;

/** A voice that is played for a second at a time: so much of it made up, kept for so long. */
class Voice {
  private now: Heard = { samples: 0, made: 0, delay: 0, played: 0 };
  private readonly patience = new Patience();

  constructor(private readonly rttMs: number) {
    this.second();
  }

  second({ gaps = 0, keptMs = 80 } = {}): number | null {
    const { samples, made, delay, played } = this.now;
    this.now = { samples: samples + SECOND, made: made + gaps * SECOND, delay: delay + (keptMs / 1000) * SECOND, played: played + SECOND };
    return this.patience.next(this.now, this.rttMs);
  }

  silence(): number | null {
    return this.patience.next(this.now, this.rttMs);
  }
}

describe("how long a voice is kept", () => {
  it("is the browser's business while nothing is missing", () => {
    const voice = new Voice(200);
    for (let n = 0; n < 20; n += 1) expect(voice.second({ gaps: 0.005 })).toBeNull();
  });

  it("grows step by step, until what is sent again comes in time", () => {
    const voice = new Voice(100);
    expect([1, 2, 3].map(() => voice.second({ gaps: 0.05 }))).toEqual([120, 160, 160]);
  });

  it("never grows past what people can talk with", () => {
    const voice = new Voice(400);
    for (let n = 0; n < 10; n += 1) voice.second({ gaps: 0.2 });
    expect(voice.second({ gaps: 0.2 })).toBe(MOST_MS);
  });

  it("does not shrink below what the browser keeps already", () => {
    const voice = new Voice(100);
    voice.second({ gaps: 0.05, keptMs: 150 });
    expect(voice.second({ gaps: 0.05, keptMs: 400 })).toBe(160);
  });

  it("stays as it is where what is sent again comes in time anyway", () => {
    const voice = new Voice(10);
    expect([1, 2].map(() => voice.second({ gaps: 0.05 }))).toEqual([null, null]);
  });

  it("falls slowly after a while without gaps, and is the browser's again", () => {
    const voice = new Voice(60);
    expect(voice.second({ gaps: 0.05 })).toBe(120);
    for (let n = 0; n < 10; n += 1) expect(voice.second()).toBe(120);
    const falling = Array.from({ length: 9 }, () => voice.second());
    expect(falling).toEqual([110, 100, 90, 80, 70, 60, 50, 40, null]);
    expect(voice.second()).toBeNull();
  });

  it("waits for the end of gaps again whenever there are some", () => {
    const voice = new Voice(60);
    voice.second({ gaps: 0.05 });
    for (let n = 0; n < 11; n += 1) voice.second();
    expect(voice.second({ gaps: 0.05, keptMs: 60 })).toBe(120);
    expect(voice.second()).toBe(120);
  });

  it("stays as it is in an empty slot", () => {
    const voice = new Voice(100);
    voice.second({ gaps: 0.05 });
    expect([1, 2].map(() => voice.silence())).toEqual([120, 120]);
  });

  it("comes from the browser's counters, whichever it has", () => {
    const stat = { totalSamplesReceived: 9, concealedSamples: 5, silentConcealedSamples: 2, jitterBufferDelay: 0.5, jitterBufferEmittedCount: 8 };
    expect(heard(stat)).toEqual({ samples: 9, made: 3, delay: 0.5, played: 8 });
    expect(heard({ concealedSamples: "5" })).toEqual({ samples: 0, made: 0, delay: 0, played: 0 });
  });
});
