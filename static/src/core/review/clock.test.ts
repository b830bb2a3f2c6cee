import { describe, expect, it } from "vitest";
import { CLOSE_MS, MasterClock, steer } from "./clock";

describe("MasterClock", () => {
  function clock(endMs = 60_000): { clock: MasterClock; pass(ms: number): void } {
    let now = 1_000;
    return { clock: new MasterClock(endMs, () => now), pass: (ms) => void (now += ms) };
  }

  it("stands until it is played, runs at its speed, and stands again", () => {
    const { clock: one, pass } = clock();
    pass(500);
    expect(one.positionMs).toBe(0);
    one.play();
    pass(1_000);
    one.setSpeed(2);
    pass(1_000);
    expect(one.positionMs).toBe(3_000);
    one.pause();
    pass(9_000);
    expect([one.positionMs, one.playing, one.running, one.speed]).toEqual([3_000, false, false, 2]);
  });

  it("waits while it is held, and goes on by itself from there", () => {
    const { clock: one, pass } = clock();
    one.play();
    pass(400);
    one.hold(true);
    one.hold(true);
    pass(5_000);
    expect([one.positionMs, one.playing, one.running, one.held]).toEqual([400, true, false, true]);
    one.hold(false);
    pass(100);
    expect(one.positionMs).toBe(500);
  });

  it("seeks within its bounds, playing or not", () => {
    const { clock: one, pass } = clock(10_000);
    one.seek(-5);
    expect(one.positionMs).toBe(0);
    one.play();
    one.seek(4_000);
    pass(1_000);
    expect(one.positionMs).toBe(5_000);
    one.seek(99_000);
    expect(one.positionMs).toBe(10_000);
  });

  it("stops at the end, and begins anew from there", () => {
    const { clock: one, pass } = clock(1_000);
    one.play();
    pass(5_000);
    expect(one.positionMs).toBe(1_000);
    one.pause();
    one.play();
    pass(10);
    expect(one.positionMs).toBe(10);
  });
});

describe("steering", () => {
  it("leaves alone what nobody notices", () => {
    expect(steer("audio", CLOSE_MS, 1)).toEqual({ jump: false, rate: 1 });
    expect(steer("video", -CLOSE_MS, 1.5)).toEqual({ jump: false, rate: 1.5 });
  });

  it("slows what is ahead and hastens what is behind, a voice only a little", () => {
    expect(steer("video", 100, 1)).toEqual({ jump: false, rate: 0.8 });
    expect(steer("video", -100, 2)).toEqual({ jump: false, rate: 2.4 });
    expect(steer("audio", -80, 1)).toEqual({ jump: false, rate: 1.06 });
    expect(steer("video", 650, 1)).toEqual({ jump: false, rate: 0.5 });
  });

  it("jumps when it is too far", () => {
    expect(steer("audio", 91, 1).jump).toBe(true);
    expect(steer("audio", 150, 2).jump).toBe(false);
    expect(steer("video", -701, 1)).toEqual({ jump: true, rate: 1 });
  });

  /** What steering is for: from anywhere it may stand, an element is within 40 ms of the clock within two seconds, and stays. */
  it.each([["audio", 89], ["audio", -89], ["video", 690], ["video", -690], ["video", 40], ["audio", 20]] as const)("brings %s that is %i ms off back", (kind, start) => {
    let drift: number = start;
    for (let ms = 0; ms < 3_000; ms += 50) {
      const { jump, rate } = steer(kind, drift, 1);
      if (jump) drift = 0;
      else drift += (rate - 1) * 50;
      if (ms >= 2_000) expect(Math.abs(drift)).toBeLessThan(40);
    }
  });
});
