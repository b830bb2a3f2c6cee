import { describe, expect, it } from "vitest";
import { Player, TICK_MS } from "./player";
import type { Element, Source } from "./player";
import type { Cover } from "./source";
import { lanes } from "./timeline";
import type { Lane, Timeline, Track } from "./timeline";

const track = (participant: string, source: Track["source"], fromMs: number, toMs: number): Track => ({ id: `${participant}.${source}.0`, participant, source, mime: "x", spans: [{ fromMs, toMs }] });

/** Plays by the bench's clock, a little wrong; begins late, and after a jump. */
class FakeElement implements Element {
  muted = false;
  paused = true;
  seeking = false;
  readyState = 4;
  playbackRate = 1;
  seeks = false; // a jump takes time
  refuses = false;
  private at = 0;
  private late = 0;

  constructor(
    private readonly wrong: number,
    private readonly startsAfterMs: number,
  ) {}

  get currentTime(): number {
    return this.at / 1000;
  }

  set currentTime(seconds: number) {
    this.at = seconds * 1000;
    this.seeking = this.seeks;
  }

  play(): Promise<void> {
    if (this.refuses) return Promise.reject(new DOMException("", "NotAllowedError"));
    this.paused = false;
    this.late = this.startsAfterMs;
    return Promise.resolve();
  }

  pause(): void {
    this.paused = true;
  }

  pass(ms: number): void {
    if (this.paused) return;
    const waits = Math.min(this.late, ms);
    this.late -= waits;
    this.at += (ms - waits) * this.playbackRate * this.wrong;
  }
}

class FakeSource implements Source {
  covers: (ms: number) => Cover = () => "there";
  wanted: number[] = [];
  asked = 0;
  closed = false;
  cover(ms: number): Cover {
    return this.covers(ms);
  }
  want(ms: number): void {
    this.wanted.push(ms);
  }
  again(): void {
    this.asked += 1;
  }
  close(): void {
    this.closed = true;
  }
}

const timeline = (change: Partial<Timeline> = {}): Timeline => ({
  durationMs: 60_000,
  startedAt: "",
  parties: [],
  tracks: [track("C", "camera", 0, 60_000), track("C", "microphone", 0, 60_000), track("A", "camera", 0, 30_000)],
  marks: [],
  speaking: [],
  pages: [],
  pauses: [],
  damaged: [],
  ...change,
});

function bench(change: Partial<Timeline> = {}) {
  let now = 0;
  const player = new Player(timeline(change), () => now);
  const seats = lanes(player.timeline.tracks).map((lane: Lane, index) => {
    const element = new FakeElement([1.0005, 0.9995, 1.001][index] ?? 1, [120, 60, 30][index] ?? 0);
    const source = new FakeSource();
    return { lane, element, source, detach: player.attach(lane, element, source) };
  });
  const run = (ms: number): void => {
    for (let gone = 0; gone < ms; gone += TICK_MS) {
      now += TICK_MS;
      for (const { element } of seats) element.pass(TICK_MS);
      player.tick();
    }
  };
  const [first, second, third] = seats;
  if (!first || !second || !third) throw new Error("three lanes");
  return { player, seats: [first, second, third] as const, run };
}

describe("Player", () => {
  it.each([1, 1.5, 2] as const)("keeps elements that begin late and run wrong within 40 ms of each other, at %f times", (speed) => {
    const { player, run } = bench();
    player.setSpeed(speed);
    player.play();
    run(2_000);
    player.drift(); // the beginning is over
    for (let second = 0; second < 10; second += 1) {
      run(1_000);
      const { now, worstMs } = player.drift();
      expect(Object.keys(now)).toHaveLength(3);
      expect(worstMs).toBeLessThan(40);
    }
    expect(player.positionMs.value).toBeGreaterThan(11_900 * speed);
  });

  it("stands while something is loading, goes on when it is there, and with what there is when it takes too long", () => {
    const { player, seats, run } = bench();
    seats[0].source.covers = () => "coming";
    player.play();
    run(1_000);
    expect([player.positionMs.value, player.playing.value, player.waiting.value]).toEqual([0, true, true]);
    expect(seats[1].element.paused).toBe(true);
    expect(player.states.value.get("C.camera")).toBe("loading");
    run(9_000);
    expect(player.waiting.value).toBe(false);
    expect(player.positionMs.value).toBeGreaterThan(1_000);
    seats[0].source.covers = () => "there";
    run(1_000);
    expect(player.states.value.get("C.camera")).toBe("shown");
    expect(Math.abs(seats[0].element.currentTime * 1000 - player.positionMs.value)).toBeLessThan(60);
  });

  it("does not wait for what was never recorded, nor for what failed", () => {
    const { player, seats, run } = bench({ tracks: [track("C", "camera", 20_000, 60_000), track("C", "microphone", 0, 60_000), track("A", "camera", 0, 30_000)] });
    seats[0].source.covers = (ms) => (ms < 20_000 ? "hole" : "there");
    seats[0].element.readyState = 0;
    seats[2].source.covers = () => "failed";
    player.play();
    run(2_000);
    expect(player.positionMs.value).toBe(2_000);
    expect(seats[0].element.paused).toBe(true);
    expect([...player.states.value]).toEqual([["C.camera", "none"], ["C.microphone", "shown"], ["A.camera", "failed"]]);
    player.again();
    expect(seats[2].source.asked).toBe(1);
    seats[0].element.readyState = 4;
    player.seek(19_900);
    run(300);
    expect(seats[0].element.paused).toBe(false);
    expect(player.states.value.get("C.camera")).toBe("shown");
  });

  it("shows the first picture of who begins in a moment, before anything plays, and is in step when it does", () => {
    const { player, seats, run } = bench({ tracks: [track("C", "camera", 380, 60_000), track("C", "microphone", 0, 60_000), track("A", "camera", 900, 30_000)] });
    for (const [index, begins] of [[0, 380], [2, 900]] as const) {
      seats[index].source.covers = (ms) => (ms < begins ? "hole" : "there");
      seats[index].element.readyState = 1;
    }
    run(100);
    expect(seats[0].element.currentTime).toBe(0.4);
    expect(seats[2].element.currentTime).toBe(0); // that is not a moment
    seats[0].element.readyState = 4;
    run(100);
    expect([player.states.value.get("C.camera"), player.states.value.get("A.camera")]).toEqual(["shown", "none"]);
    seats[2].element.readyState = 4;
    player.play();
    run(3_000);
    player.drift();
    run(500);
    expect(player.drift().worstMs).toBeLessThan(40);
    expect([...player.states.value.values()]).toEqual(["shown", "shown", "shown"]);
  });

  it("waits for an element that is still seeking", () => {
    const { player, seats, run } = bench();
    player.play();
    run(500);
    seats[0].element.seeks = true;
    player.seek(40_000);
    expect(seats[0].element.currentTime).toBe(40);
    run(500);
    expect(player.positionMs.value).toBe(40_000);
    seats[0].element.seeking = false;
    run(500);
    expect(player.positionMs.value).toBeGreaterThan(40_300);
  });

  it("pauses, and everything stands at the clock", () => {
    const { player, seats, run } = bench();
    player.play();
    run(1_000);
    player.pause();
    run(500);
    expect([player.playing.value, seats.every(({ element }) => element.paused)]).toEqual([false, true]);
    for (const { element } of seats) expect(Math.abs(element.currentTime * 1000 - player.positionMs.value)).toBeLessThanOrEqual(40);
    player.toggle();
    run(500);
    expect(player.playing.value).toBe(true);
    player.toggle();
    expect(player.playing.value).toBe(false);
  });

  it("ends at the end, and begins anew from there", () => {
    const { player, run } = bench();
    player.seek(59_500);
    player.play();
    run(1_000);
    expect([player.playing.value, player.positionMs.value]).toEqual([false, 60_000]);
    player.play();
    run(200);
    expect(player.positionMs.value).toBeLessThan(1_000);
  });

  it("mutes one person, in every lane of theirs, also in one that comes later", () => {
    const { player, seats } = bench();
    player.setMuted("C", true);
    expect(seats.map(({ element }) => element.muted)).toEqual([true, true, false]);
    const late = new FakeElement(1, 0);
    player.attach(seats[0].lane, late, new FakeSource());
    expect(late.muted).toBe(true);
    player.setMuted("C", false);
    expect(late.muted).toBe(false);
  });

  it("says that a pause is a pause, whatever the tracks hold", () => {
    const { player, run } = bench({ pauses: [{ fromMs: 1_000, toMs: 2_000 }] });
    player.seek(1_500);
    run(50);
    expect([...player.states.value.values()]).toEqual(["none", "none", "none"]);
  });

  it("stops where the browser wants to be touched first", async () => {
    const { player, seats, run } = bench();
    seats[1].element.refuses = true;
    player.play();
    await Promise.resolve();
    await Promise.resolve();
    run(100);
    expect([player.blocked.value, player.playing.value]).toEqual([true, false]);
    seats[1].element.refuses = false;
    player.play();
    expect(player.blocked.value).toBe(false);
  });

  it("lets go of a lane, and of all", () => {
    const { player, seats, run } = bench();
    player.play();
    run(100);
    seats[0].detach();
    expect([seats[0].source.closed, seats[0].element.paused]).toEqual([true, true]);
    player.close();
    expect(seats.every(({ source, element }) => source.closed && element.paused)).toBe(true);
  });
});
