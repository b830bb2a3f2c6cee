import { describe, expect, it } from "vitest";
import type { CheckpointMark, RecordingChanged, RecordingSet } from "../protocol.gen";
import { ServerClock } from "./clock";
import { LiveRecording, NO_RECORDING, asks, isIdle } from "./recording";

const view = (part: Partial<RecordingChanged> = {}): RecordingChanged => ({ ...NO_RECORDING, available: true, ...part });

function live(): { recording: LiveRecording; sent: (RecordingSet | CheckpointMark)[]; clock: ServerClock } {
  const sent: (RecordingSet | CheckpointMark)[] = [];
  const clock = new ServerClock();
  return { recording: new LiveRecording((body) => sent.push(body), clock), sent, clock };
}

describe("recording", () => {
  it("asks who is missing, in every state but off, until they press an answer", () => {
    for (const state of ["asking", "on", "paused", "failed"] as const) {
      expect(asks(view({ state, missing: ["PA_me"] }), "PA_me", false)).toBe(true);
      expect(asks(view({ state, missing: ["PA_me"] }), "PA_me", true)).toBe(false);
      expect(asks(view({ state, missing: ["PA_other"] }), "PA_me", false)).toBe(false);
    }
    expect(asks(view({ state: "off", missing: ["PA_me"] }), "PA_me", false)).toBe(false);
    expect(asks(view({ state: "asking", missing: ["PA_me"] }), undefined, false)).toBe(false);
  });

  it("is not asked again by a message that crossed the answer", () => {
    const { recording } = live();
    recording.told(view({ state: "asking", missing: ["PA_me", "PA_c"] }), "PA_me");
    recording.decided();
    recording.handle(view({ state: "asking", missing: ["PA_me"] }), "PA_me"); // the other one was quicker
    expect(recording.answered.value).toBe(true);
    recording.handle(view({ state: "on", missing: [] }), "PA_me");
    expect(recording.answered.value).toBe(false);
  });

  it("is asked anew when staff say on again, and when the answer was refused", () => {
    const { recording } = live();
    recording.told(view({ state: "paused", missing: ["PA_me"] }), "PA_me");
    recording.decided();
    recording.handle(view({ state: "asking", missing: ["PA_me"] }), "PA_me");
    expect(recording.answered.value).toBe(false);
    recording.decided();
    recording.undecided();
    expect(recording.answered.value).toBe(false);
  });

  it("tells when it began by this machine's clock", () => {
    const { recording, clock } = live();
    clock.told("2026-01-01T00:00:10Z", Date.parse("2026-01-01T00:00:00Z"));
    recording.told(view({ state: "on", started_at: "2026-01-01T00:00:07Z" }), "PA_me");
    expect(recording.startedMs.value).toBe(Date.parse("2025-12-31T23:59:57Z"));
    recording.told(view(), "PA_me");
    expect(recording.startedMs.value).toBeNull();
  });

  it("leaves other messages alone", () => {
    const { recording } = live();
    expect(recording.handle({ type: "media.lost" }, "PA_me")).toBe(false);
    expect(recording.handle(view({ state: "on" }), "PA_me")).toBe(true);
    expect(recording.view.value.state).toBe("on");
    expect([isIdle("off"), isIdle("failed"), isIdle("on"), isIdle("asking")]).toEqual([true, true, false, false]);
  });

  it("says what is wanted, and keeps a note as short as the server takes it", () => {
    const { recording, sent } = live();
    recording.wish("paused");
    recording.mark("risk", true, `  ${"x".repeat(300)}`);
    recording.mark("risk", false);
    expect(sent).toEqual([
      { type: "recording.set", state: "paused" },
      { type: "checkpoint.mark", item: "risk", done: true, note: "x".repeat(200) },
      { type: "checkpoint.mark", item: "risk", done: false, note: "" },
    ]);
  });
});
