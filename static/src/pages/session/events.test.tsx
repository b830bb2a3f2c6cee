/** What is told of the line: that it is lost, that it is back, and nothing of it afterwards. */
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, expect, it, vi } from "vitest";
import { language, t } from "../../i18n";
import { fakeCall } from "../../stories/fakes";
import type { FakeCall } from "../../stories/fakes";
import { announce } from "../../ui/announce";
import { useCallEvents } from "./events";

vi.mock("../../stories/face", () => ({ faceStream: () => null, screenStream: () => null, drawFace: () => undefined }));
vi.mock("../../ui/announce", () => ({ announce: vi.fn(), Announcer: () => null }));

const root = document.createElement("div");

function Page({ call }: { call: FakeCall }) {
  useCallEvents(call);
  return null;
}

afterEach(() => act(() => render(null, root)));

it.each([
  ["live", "said.back"],
  ["waiting", "said.back"],
  ["ended", null],
] as const)("lost, then %s", (phase, said) => {
  language.value = "en";
  const call = fakeCall();
  act(() => render(<Page call={call} />, root));
  vi.mocked(announce).mockClear();
  act(() => void (call.phase.value = "reconnecting"));
  expect(announce).toHaveBeenLastCalledWith(t("reconnect.title"));
  act(() => void (call.phase.value = phase));
  expect(announce).toHaveBeenLastCalledWith(said === null ? "" : t(said));
  expect(announce).toHaveBeenCalledTimes(2);
});

it("leaves nothing of a lost line behind when the page goes", () => {
  const call = fakeCall();
  act(() => render(<Page call={call} />, root));
  act(() => void (call.phase.value = "reconnecting"));
  act(() => render(null, root));
  expect(announce).toHaveBeenLastCalledWith("");
});
