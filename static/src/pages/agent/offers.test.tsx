import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Call, Offer } from "../../core/model";
import { language } from "../../i18n";
import { fakeCall, fakeDesk, fakeDevices, person, session } from "../../stories/fakes";
import type { FakeCall, FakeDesk } from "../../stories/fakes";
import { shortcuts } from "../../ui/prefs";
import { HandoverDialog, inOrder } from "./HandoverDialog";
import { HandoverOffers } from "./HandoverOffers";

vi.mock("../../stories/face", () => ({ faceStream: () => null, screenStream: () => null }));

const offer = (id: string, part: Partial<Offer> = {}): Offer => ({
  session: session({ id }),
  fromName: "Ann",
  warm: false,
  note: "card",
  lost: false,
  fromMs: Date.now(),
  untilMs: Date.now() + 30_000,
  ...part,
});
const root = document.createElement("div");
const place = (): FakeCall => fakeCall({ me: person("PA_me", "agent", "me"), others: [], consents: [], devices: fakeDevices({ preview: null, cameraOn: false, microphoneOn: false }) });

let desk: FakeDesk;
let entered: FakeCall;
let accepted: string[];
let taken: Call[];
const cards = (): HTMLElement[] => [...root.querySelectorAll<HTMLElement>(".offer")];
const button = (words: string): HTMLButtonElement => {
  const found = [...root.querySelectorAll("button")].find((one) => one.textContent?.includes(words));
  if (found === undefined) throw new Error(`no button "${words}"`);
  return found;
};
const settle = (): Promise<void> => act(async () => void (await vi.advanceTimersByTimeAsync(0)));
const press = (key: string): Promise<void> => act(async () => void window.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true })));

async function show(inCall = false): Promise<void> {
  await act(() => render(<HandoverOffers desk={desk} inCall={inCall} onTaken={(call) => taken.push(call)} />, root));
}

beforeEach(async () => {
  vi.useFakeTimers();
  language.value = "en";
  shortcuts.value = true;
  entered = place();
  accepted = [];
  taken = [];
  desk = fakeDesk({ offers: [offer("SE_1"), offer("SE_2", { lost: true, note: "" })] });
  desk.acceptOffer = async (id) => {
    accepted.push(id);
    return entered;
  };
  document.body.append(root);
});
afterEach(() => {
  act(() => render(null, root));
  root.remove();
  vi.useRealTimers();
});

describe("offers at the desk", () => {
  it("say who, what and how, and how long there is to answer", async () => {
    await show();
    expect(cards()).toHaveLength(2);
    expect(cards()[0]?.textContent).toContain("Ann hands a conversation over to you");
    expect(cards()[0]?.textContent).toContain("card");
    expect(cards()[1]?.textContent).toContain("Ann lost the connection");
    expect(root.querySelector("svg.ring")?.getAttribute("aria-label")).toBe("30 seconds left to answer");
    await act(() => void vi.advanceTimersByTime(12_000));
    expect(root.querySelector("svg.ring")?.getAttribute("aria-label")).toBe("18 seconds left to answer");
  });

  it("are accepted with what it switches on", async () => {
    await show();
    await act(() => button("Camera").click());
    await act(() => button("Accept").click());
    await settle();
    expect([accepted, taken]).toEqual([["SE_1"], [entered]]);
    expect([...entered.consents.value]).toEqual([["microphone", "given"], ["camera", "refused"]]);
    expect([entered.devices.microphoneOn.value, entered.devices.cameraOn.value]).toEqual([true, false]);
  });

  it("are answered by keys, the oldest first", async () => {
    await show();
    await press("Escape");
    expect(desk.offers.value.map((one) => one.session.id)).toEqual(["SE_2"]);
    await press("Enter");
    await settle();
    expect(accepted).toEqual(["SE_2"]);
  });

  it("take no key that could be meant for something else", async () => {
    const field = document.createElement("input");
    document.body.append(field);
    await show();
    field.focus();
    await press("Enter");
    field.remove();
    await show(true); // in a conversation
    await press("Escape");
    await show();
    shortcuts.value = false;
    await press("Enter");
    expect(accepted).toEqual([]);
    expect(desk.offers.value).toHaveLength(2);
  });

  it("tell what it costs in a conversation, and why accepting did not work", async () => {
    desk.acceptOffer = () => Promise.reject({ code: "conflict", detail: "", retryAfterS: null });
    await show(true);
    expect(cards()[0]?.textContent).toContain("ends your part");
    await act(() => button("Accept").click());
    await settle();
    expect(root.querySelector("[role=alert]")?.textContent).toContain("The offer is over.");
    desk.acceptOffer = () => Promise.reject({ code: "offline", detail: "", retryAfterS: null });
    await act(() => button("Accept").click());
    await settle();
    expect(root.querySelector("[role=alert]")?.textContent).toContain("no connection");
    expect(taken).toEqual([]);
  });
});

describe("the question whom to hand over to", () => {
  it("puts the free ones first", () => {
    const one = (name: string, busy: boolean) => ({ id: name, name, role: "agent" as const, busy });
    expect(inOrder([one("C", true), one("B", false), one("A", true), one("D", false)]).map(({ name }) => name)).toEqual(["B", "D", "A", "C"]);
  });

  it("asks whom, how and with what words", async () => {
    const call = fakeCall({ me: person("PA_me", "agent", "me"), others: [person("PA_c", "customer", "C")], devices: fakeDevices({ preview: null }) });
    const handOver = vi.spyOn(call.people, "handOver");
    const closed = vi.fn();
    await act(() => render(<HandoverDialog desk={desk} call={call} onClose={closed} />, root));
    await settle();
    const radio = (words: string): HTMLInputElement => {
      const found = [...root.querySelectorAll("label")].find((label) => label.textContent?.includes(words))?.querySelector("input");
      if (!found) throw new Error(`no choice "${words}"`);
      return found;
    };
    await act(() => radio("Min Zhao").click());
    await act(() => radio("Talk first").click());
    const note = root.querySelector("textarea");
    await act(() => {
      if (note === null) throw new Error("no note");
      note.value = " new number ";
      note.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await act(() => root.querySelector("form")?.requestSubmit());
    expect(handOver).toHaveBeenCalledWith("ST_3", true, "new number", "Min Zhao");
    expect(closed).toHaveBeenCalled();
  });
});
