import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Scope, ToViewer, ViewDom, ViewMessage, ViewState } from "../cobrowse.gen";
import type { ClientBody } from "../protocol.gen";
import { LiveCoBrowse, MAX_MARKS, POINTER_MS, standing, thinned } from "./cobrowse";
import type { PageReader } from "./cobrowse";
import type { PageEvent } from "./cobrowseAssembly";
import { LINE_LIMITS, viewUrl } from "./cobrowseLine";

class FakeSocket {
  static readonly CONNECTING = 0;
  static all: FakeSocket[] = [];
  readonly readyState = 1;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly said: ViewMessage[] = [];
  closed = false;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  send(text: string): void {
    this.said.push(JSON.parse(text) as ViewMessage);
  }

  close(): void {
    this.closed = true;
  }

  // what the test's server does

  tell(...bodies: ToViewer[]): void {
    bodies.forEach((body) => this.onmessage?.({ data: JSON.stringify(body) }));
  }

  of<T extends ViewMessage["type"]>(type: T): Extract<ViewMessage, { type: T }>[] {
    return this.said.filter((one): one is Extract<ViewMessage, { type: T }> => one.type === type);
  }
}

const state = (granted: Scope[] = [], part: Partial<ViewState> = {}): ViewState => ({
  type: "view.state",
  state: "sharing",
  viewer: "PA_me",
  page: 1,
  name: "transfer",
  front: true,
  apart: false,
  hidden: false,
  viewers: [{ id: "PA_me", name: "A", role: "agent", granted }, { id: "PA_e", name: "E", role: "expert", granted: [] }],
  waits_for: [],
  step: "",
  errors: 0,
  fields: [],
  dwell_s: 0,
  customer: "",
  ...part,
});
const dom = (n: number, text: string, part: Partial<ViewDom> = {}): ViewDom => ({ type: "view.dom", page: 1, n, text, last: true, picture: false, ...part });
const picture = (n: number, part: Partial<ViewDom> = {}): ViewDom => dom(n, `P${n}`, { picture: true, ...part });
const last = (): FakeSocket => {
  const socket = FakeSocket.all.at(-1);
  if (socket === undefined) throw new Error("no socket was opened");
  return socket;
};

let said: ClientBody[];
let live: LiveCoBrowse;

function reader(): PageReader & { events: PageEvent[]; forgotten: number } {
  const events: PageEvent[] = [];
  return {
    events,
    forgotten: 0,
    event: (event) => void events.push(event),
    image: () => undefined,
    forget() {
      this.forgotten += 1;
    },
  };
}

/** Attached, connected, and the server has said how it stands. */
function looking(granted: Scope[] = ["view"], part: Partial<ViewState> = {}): FakeSocket {
  live.handle({ type: "cobrowse.changed", share: "SH_1", state: "attached", site: "Bank" });
  live.look();
  last().onopen?.();
  last().tell(state(granted, part));
  return last();
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  FakeSocket.all = [];
  said = [];
  live = new LiveCoBrowse("wss://bank/api/v1/cobrowse/view", { say: (body) => void said.push(body), token: () => "token" });
});

afterEach(() => {
  live.close();
  vi.useRealTimers();
});

describe("coming to the page", () => {
  it("asks for the customer's yes as soon as the code has been taken", () => {
    live.attach("123456");
    expect([said, live.attaching.value]).toEqual([[{ type: "cobrowse.attach", code: "123456" }], true]);
    live.handle({ type: "cobrowse.changed", share: "SH_1", state: "attached", site: "Bank" });
    expect([live.attaching.value, live.line.value, live.site.value]).toEqual([false, "connecting", "Bank"]);
    last().onopen?.();
    expect(last().said).toEqual([{ type: "view.hello", token: "token", share: "SH_1" }]);
    last().tell(state([]));
    last().tell(state([], { waits_for: ["view"] }));
    expect(last().of("view.ask")).toEqual([{ type: "view.ask", scope: "view" }]);
    expect([live.line.value, standing(live, "view")]).toEqual(["live", "asked"]);
  });

  it("says why a code was not taken, and nothing of other refusals", () => {
    live.attach("123456");
    expect(live.turnedDown("not_found", { type: "cobrowse.attach", code: "123456" })).toBe(true);
    expect([live.attaching.value, live.attachRefused.value]).toEqual([false, "not_found"]);
    expect(live.turnedDown("not_found", { type: "cobrowse.detach" })).toBe(false);
    live.attach("654321");
    expect(live.attachRefused.value).toBeNull();
  });

  it("of one who did not type the code asks nothing by itself", () => {
    const socket = looking([]);
    expect(socket.of("view.ask")).toEqual([]);
    live.ask("view");
    expect(socket.of("view.ask")).toEqual([{ type: "view.ask", scope: "view" }]);
  });

  it("tells a no from a yes, and forgets the no when it is asked again or given after all", () => {
    const socket = looking(["view"]);
    socket.tell({ type: "view.answer", scope: "fill", given: false });
    expect([standing(live, "fill"), standing(live, "click"), standing(live, "view")]).toEqual(["refused", "open", "granted"]);
    live.ask("fill");
    expect(standing(live, "fill")).toBe("open");
    socket.tell({ type: "view.answer", scope: "fill", given: false }, state(["view", "fill"]));
    expect([standing(live, "fill"), live.refused.value.size]).toEqual(["granted", 0]);
    live.release("fill");
    expect(socket.of("view.release")).toEqual([{ type: "view.release", scope: "fill" }]);
  });

  it("asks the customer into the conversation, and hears the no and the yes", () => {
    const socket = looking(["view"], { apart: true });
    live.call();
    expect([socket.of("view.call"), live.called.value]).toEqual([[{ type: "view.call" }], "asked"]);
    socket.tell({ type: "view.called", given: false });
    expect(live.called.value).toBe("refused");
    live.call();
    socket.tell({ type: "view.called", given: true });
    expect(live.called.value).toBe("given");
    socket.tell(state(["view"]));
    expect(live.called.value).toBe("none");
  });

  it("ends with the share, whichever socket says so first", () => {
    looking();
    live.handle({ type: "cobrowse.changed", share: null, state: null, site: "" });
    expect([live.line.value, live.ended.value, live.state.value, last().closed]).toEqual(["over", "ended", null, true]);
    live.handle({ type: "cobrowse.changed", share: "SH_2", state: "attached", site: "Bank" });
    expect([live.line.value, live.ended.value]).toEqual(["off", null]);
    live.look();
    last().onopen?.();
    last().tell(state(["view"]), { type: "bye", code: "ended", again: false });
    expect([live.line.value, live.ended.value]).toEqual(["over", "ended"]);
  });

  it("knows of no page after a new snapshot, unless it is looked at", () => {
    live.handle({ type: "cobrowse.changed", share: "SH_1", state: "attached", site: "Bank" });
    live.attach("123456");
    live.drawn();
    expect([live.share.value, live.attaching.value]).toEqual([null, false]);
    looking();
    live.drawn();
    expect([live.share.value, live.line.value]).toEqual(["SH_1", "live"]);
  });

  it("leaves other messages alone", () => {
    expect(live.handle({ type: "media.lost" })).toBe(false);
    expect(viewUrl({ protocol: "https:", host: "bank.example" })).toBe("wss://bank.example/api/v1/cobrowse/view");
  });
});

describe("the page's events", () => {
  it("go to whoever reads, from the newest picture on for one who comes later", () => {
    const socket = looking();
    const first = reader();
    live.read(first);
    socket.tell(picture(1), dom(2, "A"), picture(3), dom(4, "B"));
    expect(first.events.map(({ text }) => text)).toEqual(["P1", "A", "P3", "B"]);
    const late = reader();
    const end = live.read(late);
    expect(late.events).toEqual([{ page: 1, text: "P3", begins: true }, { page: 1, text: "B", begins: false }]);
    end();
    socket.tell(dom(5, "C"));
    expect([first.events.length, late.events.length, live.pictured.value]).toEqual([5, 2, true]);
  });

  it("are asked for anew when one is missing, once", () => {
    const socket = looking();
    const one = reader();
    live.read(one);
    socket.tell(picture(1), dom(3, "C"), dom(4, "D"), dom(6, "E"));
    expect([socket.of("view.resync").length, one.events.length]).toEqual([1, 1]);
    const late = reader();
    live.read(late); // nothing whole is there for it
    expect([socket.of("view.resync").length, late.events.length]).toEqual([2, 0]);
    socket.tell(picture(9), dom(10, "F"));
    expect(one.events.map(({ text }) => text)).toEqual(["P1", "P9", "F"]);
  });

  it.each([
    ["the customer takes it back", state([])],
    ["the page is one that is never shown", state(["view"], { hidden: true })],
  ])("are forgotten when %s, and nothing of them is left for later", (_why, told) => {
    const socket = looking();
    const one = reader();
    live.read(one);
    socket.tell(picture(1), dom(2, "A"), told);
    expect([live.pictured.value, one.forgotten]).toEqual([false, 1]);
    const late = reader();
    live.read(late);
    expect(late.events).toEqual([]);
    socket.tell(dom(3, "B"), state(["view"]), picture(4));
    expect(one.events.map(({ text }) => text)).toEqual(["P1", "A", "P4"]);
  });
});

describe("the connection", () => {
  it("comes back after a cut, each time a little later, and says hello again", () => {
    looking();
    for (const pause of LINE_LIMITS.backoffMs) {
      const before = FakeSocket.all.length;
      last().onclose?.();
      expect(live.line.value).toBe("reconnecting");
      vi.advanceTimersByTime(pause - 1);
      expect(FakeSocket.all.length).toBe(before);
      vi.advanceTimersByTime(1);
      expect(FakeSocket.all.length).toBe(before + 1);
    }
    last().onopen?.();
    last().tell(state(["view"]), picture(1));
    expect([last().of("view.hello").length, live.line.value, live.pictured.value]).toEqual([1, "live", true]);
  });

  it("keeps what is on the screen over a cut, and counts events from 1 after it", () => {
    const socket = looking();
    const one = reader();
    live.read(one);
    socket.tell(picture(1), dom(2, "A"));
    socket.onclose?.();
    expect([live.pictured.value, live.state.value?.name, one.forgotten]).toEqual([true, "transfer", 0]);
    vi.advanceTimersByTime(LINE_LIMITS.backoffMs[0]);
    last().onopen?.();
    last().tell(state(["view"]), picture(1), dom(2, "B"));
    expect(one.events.map(({ text }) => text)).toEqual(["P1", "A", "P1", "B"]);
    expect(last().of("view.resync")).toEqual([]);
  });

  it("is opened again when the server asks for it, and not when it is over", () => {
    looking();
    last().tell({ type: "bye", code: "restarting", again: true });
    expect(live.line.value).toBe("reconnecting");
    vi.advanceTimersByTime(LINE_LIMITS.backoffMs[0]);
    last().onopen?.();
    last().tell({ type: "bye", code: "expired", again: false });
    const opened = FakeSocket.all.length;
    vi.advanceTimersByTime(60_000);
    expect([live.line.value, live.ended.value, FakeSocket.all.length]).toEqual(["over", "expired", opened]);
    live.look();
    expect(FakeSocket.all.length).toBe(opened + 1);
  });

  it("that says nothing, or nonsense, is given up for another; what is new to this page is not nonsense", () => {
    looking();
    last().onmessage?.({ data: '{"type":"view.weather"}' });
    expect(live.line.value).toBe("live");
    last().onmessage?.({ data: "{" });
    expect(live.line.value).toBe("reconnecting");
    vi.advanceTimersByTime(LINE_LIMITS.backoffMs[0]);
    const silent = FakeSocket.all.length;
    vi.advanceTimersByTime(LINE_LIMITS.openMs + LINE_LIMITS.backoffMs[1]);
    expect(FakeSocket.all.length).toBe(silent + 1);
  });

  it("is measured, and given up when no answer comes", () => {
    const socket = looking();
    expect(socket.of("view.ping")).toEqual([{ type: "view.ping", n: 1 }]);
    vi.advanceTimersByTime(40);
    socket.tell({ type: "view.pong", n: 1, tab_ms: 25 });
    expect(live.roundTrip.value).toEqual({ serverMs: 40, tabMs: 25 });
    socket.tell({ type: "view.pong", n: 1, tab_ms: 999 });
    expect(live.roundTrip.value?.tabMs).toBe(25);
    vi.advanceTimersByTime(LINE_LIMITS.pingMs);
    expect(socket.of("view.ping").length).toBe(2);
    vi.advanceTimersByTime(LINE_LIMITS.silenceMs - 1);
    socket.tell(dom(1, "x")); // a picture stands in the answer's way
    vi.advanceTimersByTime(LINE_LIMITS.silenceMs - 1);
    expect(live.line.value).toBe("live");
    vi.advanceTimersByTime(1);
    expect([live.line.value, live.roundTrip.value]).toEqual(["reconnecting", null]);
  });
});

describe("pointing, drawing, doing", () => {
  const at = (x: number) => ({ node: 5, x, y: 0.5 });

  it("sends the pointer now and then, the newest place of it", () => {
    const socket = looking(["view", "point"]);
    for (let x = 0; x < 10; x += 1) live.point(1, at(x / 10));
    expect(socket.of("pointer").map((one) => one.at?.x)).toEqual([0]);
    vi.advanceTimersByTime(POINTER_MS);
    expect(socket.of("pointer").map((one) => one.at?.x)).toEqual([0, 0.9]);
    vi.advanceTimersByTime(10 * POINTER_MS);
    live.point(1, null);
    expect(socket.of("pointer").map((one) => one.at?.x ?? null)).toEqual([0, 0.9, null]);
  });

  it("keeps marks of everybody, takes back one's own alone, and none over to another page", () => {
    const socket = looking(["view", "point"]);
    live.mark(1, "highlight", [at(0.5)]);
    live.mark(1, "arrow", [at(0), at(1)]);
    socket.tell({ type: "mark", id: "m", page: 1, kind: "box", spots: [at(0), at(1)], viewer: "PA_e" });
    const ids = socket.of("mark").map(({ id }) => id);
    expect(live.marks.value.map(({ id }) => id)).toEqual([...ids, "m"]);
    live.undo();
    expect(socket.of("unmark")).toEqual([{ type: "unmark", id: ids[1], viewer: "" }]);
    live.clear();
    expect(live.marks.value.map(({ id }) => id)).toEqual(["m"]);
    socket.tell({ type: "unmark", id: "", viewer: "PA_e" });
    expect(live.marks.value).toEqual([]);
    live.mark(1, "box", [at(0), at(1)]);
    socket.tell(state(["view", "point"], { page: 2 }));
    expect(live.marks.value).toEqual([]);
  });

  it("shows the others' pointers while they are here", () => {
    const socket = looking(["view"]);
    socket.tell({ type: "pointer", page: 1, at: at(0.2), viewer: "PA_e" });
    expect([...live.pointers.value]).toEqual([["PA_e", at(0.2)]]);
    socket.tell({ type: "pointer", page: 1, at: null, viewer: "PA_e" });
    expect(live.pointers.value.size).toBe(0);
    socket.tell({ type: "pointer", page: 1, at: at(0.2), viewer: "PA_e" }, state(["view"], { viewers: [{ id: "PA_me", name: "A", role: "agent", granted: ["view"] }] }));
    expect(live.pointers.value.size).toBe(0);
  });

  it("keeps the newest hundred marks of another viewer", () => {
    const socket = looking(["view"]);
    for (let number = 0; number < MAX_MARKS + 5; number += 1) socket.tell({ type: "mark", id: `m${number}`, page: 1, kind: "box", spots: [at(0), at(1)], viewer: "PA_e" });
    expect(live.marks.value.length).toBe(MAX_MARKS);
    expect(live.marks.value[0]?.id).toBe("m5");
  });

  it("drops one's own marks with the leave to draw", () => {
    const socket = looking(["view", "point"]);
    live.mark(1, "box", [at(0), at(1)]);
    socket.tell(state(["view"]));
    expect(live.marks.value).toEqual([]);
  });

  it("tells what came of an act, also when nothing did", () => {
    const socket = looking(["view", "fill", "click"]);
    live.act(1, 9, "propose", "Amount", "\u202e1\u200b2\ufeff\u0000");
    live.act(1, 8, "click", "Next");
    const [propose, click] = socket.of("act");
    expect(propose).toMatchObject({ page: 1, node: 9, kind: "propose", value: "12", viewer: "" });
    socket.tell({ type: "view.done", act: propose?.act ?? "", outcome: "dismissed" });
    expect(live.acts.value.map(({ what, outcome }) => [what, outcome])).toEqual([["Next", null], ["Amount", "dismissed"]]);
    socket.onclose?.();
    live.act(1, 8, "click", "Later");
    expect(live.acts.value.map(({ outcome }) => outcome)).toEqual(["late", "late", "dismissed"]);
    expect(click?.value).toBe("");
  });

  it("says what was refused, until it has been read", () => {
    const socket = looking(["view"]);
    socket.tell({ type: "problem", code: "not_granted", detail: "" });
    expect(live.problem.value).toBe("not_granted");
    live.clearProblem();
    expect(live.problem.value).toBeNull();
  });

  it("makes a long stroke as short as the server takes it, its ends kept", () => {
    const long = Array.from({ length: 1000 }, (_, index) => at(index / 999));
    const short = thinned(long);
    expect([short.length, short[0], short.at(-1)]).toEqual([256, at(0), at(1)]);
    expect(thinned(long.slice(0, 3))).toEqual(long.slice(0, 3));
  });
});
