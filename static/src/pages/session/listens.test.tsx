import { render } from "preact";
import { act } from "preact/test-utils";
import { signal } from "@preact/signals";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { language } from "../../i18n";
import { fakeCall, fakeDevices, person } from "../../stories/fakes";
import type { FakeCall } from "../../stories/fakes";
import { announce } from "../../ui/announce";
import { useCallEvents } from "./events";
import { Listeners } from "./Supervising";
import { CallUiContext } from "./ui";
import type { CallUi } from "./ui";

vi.mock("../../stories/face", () => ({ faceStream: () => null, screenStream: () => null }));
vi.mock("../../ui/announce", () => ({ announce: vi.fn() }));
vi.mock("../../ui/tones", () => ({ playTone: vi.fn() }));

const root = document.createElement("div");
const agent = () => person("PA_a", "agent", "Ann");
const listener = (listens = true, name = "Sue", id = "PA_s") => person(id, "supervisor", name, [], { listens });

function Page({ call }: { call: FakeCall }) {
  useCallEvents(call);
  return <Listeners />;
}

function show(others = [agent()]): FakeCall {
  const call = fakeCall({ me: person("PA_me", "customer", "C"), others, devices: fakeDevices({ preview: null }) });
  const ui = { call, variant: "customer", network: false, panel: signal("none"), open: signal({ kind: "none" }), layout: signal("speaker"), mainVideo: { current: null }, screens: new Map() } as unknown as CallUi;
  act(() => render(<CallUiContext.Provider value={ui}><Page call={call} /></CallUiContext.Provider>, root));
  return call;
}

beforeEach(() => {
  language.value = "en";
  vi.mocked(announce).mockClear();
});

afterEach(() => act(() => render(null, root)));

it("says so for as long as somebody listens, and as it begins and ends", () => {
  const call = show();
  expect(root.textContent).toBe("");
  const become = (...others: FakeCall["others"]["value"]): string => {
    act(() => {
      call.others.value = others;
    });
    return root.querySelector("strong")?.textContent ?? "";
  };
  expect(become(agent(), listener())).toBe("Sue is listening");
  expect(announce).toHaveBeenLastCalledWith("Sue is listening to this conversation");
  expect(become(agent(), listener(), listener(true, "Tom", "PA_t"))).toBe("Sue, Tom are listening");
  expect(become(agent(), listener(false))).toBe("");
  expect(vi.mocked(announce).mock.calls.slice(2)).toEqual([["Sue takes part now"], ["Tom left"]]);
  expect(become(agent(), listener())).toBe("Sue is listening");
  expect(announce).toHaveBeenLastCalledWith("Sue is listening to this conversation");
});

it("says so to whoever comes later, and once only to the one who hears the whisper", () => {
  const call = show([agent(), listener()]);
  expect(root.textContent).toContain("Sue is listening");
  expect(announce).not.toHaveBeenCalled();
  act(() => {
    call.whispers.value = { by: "PA_s", to: "PA_me" };
  });
  expect(root.textContent).toBe("");
});
