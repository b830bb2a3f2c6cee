import { describe, expect, it } from "vitest";
import type { RecordedEvent, RecordingDetail, RecordingView } from "../../protocol.gen";
import { detailOf, exportJobOf, markOf, summaryOf, verifiedOf } from "./views";

const event = (kind: string, part: Partial<RecordedEvent> = {}): RecordedEvent => ({ at_ms: 100, kind, participant: "A", text: "", item: "", zh: "", en: "", note: "", scope: "", on: true, size: 0, ...part });
const recording: RecordingView = {
  id: "RE_1",
  session: "SE_1",
  customer_name: "Lin",
  standing: "interrupted",
  started_at: "2026-01-01T00:00:00Z",
  started_by: "Wang",
  ended_at: null,
  erased_at: null,
  erase_reason: "",
  bytes: 5,
  duration_ms: 9_000,
  participants: [{ participant: "A", name: "Wang", role: "agent" }, { participant: "X", name: "Robot", role: "something new" }],
  checkpoints: [],
};

describe("views of a recording", () => {
  it("reads one of the list", () => {
    expect(summaryOf(recording)).toMatchObject({ id: "RE_1", customerName: "Lin", ending: "interrupted", durationMs: 9_000, people: [{ name: "Wang", role: "agent" }, { name: "Robot", role: "customer" }] });
  });

  it("makes marks of events, and leaves out what it does not know", () => {
    const marks = [
      event("checkpoint", { item: "risk", text: "已说明风险", zh: "已说明风险", en: "Risk explained", note: "twice" }),
      event("checkpoint", { item: "risk", text: "as it was shown then" }),
      event("checkpoint", { item: "risk", on: false }),
      event("checkpoint", { note: "free words" }),
      event("chat", { text: "hello" }),
      event("file", { text: "a.pdf", size: 7 }),
      event("joined"),
      event("left", { text: "left" }),
      event("screen", { on: false }),
      event("consent", { scope: "recording", on: false }),
      event("consent", { scope: "camera" }),
      event("paused"),
      event("resumed"),
      event("from the future"),
    ].flatMap((one) => markOf(one) ?? []);
    expect(marks).toEqual([
      { kind: "checkpoint", atMs: 100, by: "A", item: "risk", label: { zh: "已说明风险", en: "Risk explained" }, done: true, note: "twice" },
      { kind: "checkpoint", atMs: 100, by: "A", item: "risk", label: { zh: "as it was shown then", en: "as it was shown then" }, done: true, note: "" },
      { kind: "checkpoint", atMs: 100, by: "A", item: "risk", label: { zh: "risk", en: "risk" }, done: false, note: "" },
      { kind: "note", atMs: 100, by: "A", text: "free words" },
      { kind: "chat", atMs: 100, by: "A", text: "hello" },
      { kind: "file", atMs: 100, by: "A", name: "a.pdf", size: 7 },
      { kind: "joined", atMs: 100, by: "A" },
      { kind: "left", atMs: 100, by: "A" },
      { kind: "screen", atMs: 100, by: "A", on: false },
      { kind: "consent", atMs: 100, by: "A", given: false },
      { kind: "paused", atMs: 100 },
      { kind: "resumed", atMs: 100 },
    ]);
  });

  it("reads a whole recording: gaps become marks, in the order of time", () => {
    const view: RecordingDetail = {
      recording,
      duration_ms: 9_000,
      tracks: [
        { track: "A.camera.0", participant: "A", source: "camera", mime: "video/webm", spans: [{ from_ms: 0, to_ms: 8_000 }], gaps: [{ from_ms: 50, to_ms: 80, packets: 3, reason: "disk" }] },
        { track: "page-SH_1", participant: "C", source: "page", mime: "application/x-ndjson", spans: [{ from_ms: 10, to_ms: 20 }], gaps: [] },
        { track: "A.smell.0", participant: "A", source: "smell", mime: "", spans: [], gaps: [] },
      ],
      parties: [{ participant: "A", name: "Wang", role: "agent", there: [{ from_ms: 0, to_ms: 9_000 }] }],
      events: [event("chat", { at_ms: 200, text: "hello" })],
      speaking: [{ at_ms: 10, participants: ["A"] }],
      pauses: [{ from_ms: 8_000, to_ms: 9_000 }],
      damaged: ["B.camera.0.0.track"],
    };
    expect(detailOf(view).timeline).toEqual({
      durationMs: 9_000,
      startedAt: "2026-01-01T00:00:00Z",
      parties: [{ id: "A", name: "Wang", role: "agent", there: [{ fromMs: 0, toMs: 9_000 }] }],
      pages: [{ id: "page-SH_1", participant: "C", spans: [{ fromMs: 10, toMs: 20 }] }],
      tracks: [{ id: "A.camera.0", participant: "A", source: "camera", mime: "video/webm", spans: [{ fromMs: 0, toMs: 8_000 }] }],
      marks: [
        { kind: "gap", atMs: 50, toMs: 80, by: "A", source: "camera", packets: 3, reason: "disk" },
        { kind: "chat", atMs: 200, by: "A", text: "hello" },
      ],
      speaking: [{ atMs: 10, who: ["A"] }],
      pauses: [{ fromMs: 8_000, toMs: 9_000 }],
      damaged: ["B.camera.0.0.track"],
    });
  });

  it("reads findings, and how far an export is", () => {
    expect(
      verifiedOf({ intact: false, complete: false, files: 4, segments: 9, bytes: 1, findings: [{ file: "a", segment: 3, what: "changed", detail: "", tampering: true }, { file: "manifest", segment: -1, what: "unfinished", detail: "", tampering: false }] }),
    ).toEqual({ files: 4, findings: [{ file: "a", segment: 3, what: "changed", detail: "", change: true }, { file: "manifest", segment: null, what: "unfinished", detail: "", change: false }] });
    const job = { id: "EX_1", recording: "RE_1", format: "mp4", progress: 0.5, fault: null, problem: "", bytes: 0, sha256: "", expires_at: null } as const;
    expect((["queued", "running", "done", "failed", "cancelled"] as const).map((state) => exportJobOf({ ...job, state }).state)).toEqual(["running", "running", "done", "failed", "failed"]);
    expect(exportJobOf({ ...job, state: "failed", fault: "no_space", problem: "exit status -9" })).toMatchObject({ fault: "no_space", detail: "exit status -9" });
    expect([exportJobOf({ ...job, state: "running" }).fault, exportJobOf({ ...job, state: "cancelled" }).fault]).toEqual([null, "other"]);
  });
});
