import { render } from "preact";
import { act } from "preact/test-utils";
import { signal } from "@preact/signals";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ChecklistItem, RecordingChanged } from "../../protocol.gen";
import { language, t } from "../../i18n";
import { fakeCall, fakeDevices } from "../../stories/fakes";
import { RecordingPanel } from "./RecordingPanel";
import { CallUiContext } from "./ui";
import type { CallUi } from "./ui";

vi.mock("../../stories/face", () => ({ faceStream: () => null, screenStream: () => null }));

const root = document.createElement("div");
const item = (name: string, done_at: string | null): ChecklistItem => ({ item: name, zh: "", en: name, done_at, by: done_at === null ? null : "PA_me" });

function show(recording: Partial<RecordingChanged>): void {
  const call = fakeCall({ recording, devices: fakeDevices({ preview: null }) });
  act(() => render(<CallUiContext.Provider value={{ call, open: signal({ kind: "none" }) } as unknown as CallUi}><RecordingPanel /></CallUiContext.Provider>, root));
}

beforeEach(() => {
  language.value = "en";
  document.body.append(root);
});

afterEach(() => {
  act(() => render(null, root));
  root.remove();
});

it("says which points were ticked off before this recording began", () => {
  const checklist = [item("identity", "2030-01-01T10:00:00Z"), item("risk", "2030-01-01T10:20:00+00:00"), item("fees", null)];
  const earlier = (): string[] => [...root.querySelectorAll("li")].filter((one) => one.textContent?.includes(t("checklist.earlier"))).map((one) => one.textContent?.slice(0, 4) ?? "");
  show({ state: "on", id: "RE_2", started_at: "2030-01-01T10:10:00Z", checklist });
  expect(earlier()).toEqual(["iden"]);
  expect(root.textContent).toContain(t("checklist.earlier.text"));
  show({ state: "on", id: "RE_2", started_at: "2030-01-01T09:50:00Z", checklist });
  expect(earlier()).toEqual([]);
  expect(root.textContent).not.toContain(t("checklist.earlier.text"));
  show({ state: "off", started_at: null, checklist });
  expect(earlier()).toEqual([]);
});

it("asks before it stops, and what stops nothing is not called as what resumes", () => {
  show({ state: "paused", id: "RE_1", started_at: "2030-01-01T10:10:00Z" });
  const names = (): (string | undefined)[] => [...document.querySelectorAll("button")].map((one) => one.textContent?.trim());
  const stop = [...root.querySelectorAll("button")].find((one) => one.textContent?.trim() === t("recording.stop"));
  expect(names()).toContain(t("recording.go_on"));
  act(() => stop?.click());
  expect(names()).toContain(t("recording.stop.no"));
  expect(names().filter((name) => name === t("recording.go_on"))).toHaveLength(1);
});
