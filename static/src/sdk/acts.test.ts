import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Act, ActOutcome, PageRules, Scope } from "../cobrowse.gen";
import { Acts, PROPOSAL_MS, TYPING_MS, type Proposal } from "./acts";
import { mayClick, mayFill } from "./fields";
import { Masking } from "./masking";
import { Rules } from "./rules";

const URL_ = "https://bank.example/";
const WHO = { id: "PA_1", name: "Li Wen", role: "agent" };

let granted: Scope[];
let live: boolean;
let done: [string, ActOutcome][];
let proposed: (Proposal | null)[];
let told: string[];
let acts: Acts;
let masking: Masking;
let nodes: (Element | null)[];

function under(part: Partial<PageRules>): void {
  masking.begin(new Rules([{ url: URL_, name: "x", show: ["body"], values: ["input", "select", "textarea"], click: ["#x", "#b"], mask: [], block: [], images: [], pause: false, ...part }]).page(URL_));
}
const $ = <T extends Element = HTMLInputElement>(selector: string): T => document.querySelector<T>(selector)!;
function act(kind: Act["kind"], selector: string, part: Partial<Act> = {}): ActOutcome | "open" {
  nodes = [document.querySelector(selector)];
  const before = done.length;
  acts.take({ type: "act", act: "A1", page: 3, node: 1, kind, value: "", viewer: WHO.id, ...part });
  return done.length > before ? done.at(-1)![1] : "open";
}
const typed = (selector: string): void => {
  const event = new KeyboardEvent("keydown", { bubbles: true, composed: true });
  Object.defineProperty(event, "isTrusted", { value: true });
  $(selector).dispatchEvent(event);
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({ left: 0, top: 0, right: 100, bottom: 20, width: 100, height: 20, x: 0, y: 0, toJSON: () => null });
  document.body.innerHTML = "";
  document.elementFromPoint = () => nodes[0] ?? null; // nothing lies over anything
  [granted, live, done, proposed, told] = [["view", "point", "scroll", "fill", "click"], true, [], [], []];
  masking = new Masking();
  under({});
  acts = new Acts({
    masking,
    page: () => 3,
    node: (id) => nodes[id - 1] ?? null,
    viewer: (id) => (id === WHO.id ? { ...WHO, granted } : null),
    live: () => live,
    done: (id, outcome) => void done.push([id, outcome]),
    tell: (viewer, kind) => void told.push(`${viewer.name} ${kind}`),
    propose: (proposal) => void proposed.push(proposal),
  });
  acts.start();
});
afterEach(() => {
  acts.stop();
  Reflect.deleteProperty(document, "elementFromPoint");
  vi.useRealTimers();
});

describe("the gate", () => {
  it("asks for each scope by itself, a known viewer, the page at hand, and a node that is there", () => {
    document.body.innerHTML = "<input id=a><button type=button id=b>x</button>";
    expect(act("fill", "#a", { value: "1" })).toBe("done");
    expect(act("fill", "#a", { viewer: "PA_2" })).toBe("refused");
    expect(act("fill", "#a", { page: 2 })).toBe("gone");
    expect(act("fill", "#nothing")).toBe("gone");
    granted = ["view", "scroll", "click"];
    expect([act("fill", "#a"), act("propose", "#a"), act("click", "#b"), act("scroll", "#a")]).toEqual(["refused", "refused", "done", "done"]);
    granted = ["view", "fill"];
    expect([act("click", "#b"), act("scroll", "#a")]).toEqual(["refused", "refused"]);
    live = false;
    expect(act("fill", "#a")).toBe("refused");
    expect(told).toEqual(["Li Wen fill", "Li Wen click", "Li Wen scroll"]);
  });

  it("brings what is scrolled to into the middle, wherever it is; what is filled or clicked no further than into sight, also in a part that scrolls by itself", () => {
    document.body.innerHTML = "<div><input id=a><button type=button id=b>x</button></div>";
    const scrolled = vi.spyOn(Element.prototype, "scrollIntoView");
    const how = (): unknown => (scrolled.mock.lastCall?.[0] as ScrollIntoViewOptions | undefined)?.block;
    expect([act("scroll", "#a"), how()]).toEqual(["done", "center"]);
    expect([act("click", "#b"), how()]).toEqual(["done", "nearest"]);
    expect([act("fill", "#a", { value: "1" }), how()]).toEqual(["done", "nearest"]);
    vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({ left: 0, top: 9000, right: 100, bottom: 9020, width: 100, height: 20, x: 0, y: 9000, toJSON: () => null });
    expect([act("click", "#b"), how()]).toEqual(["done", "center"]);
  });

  it("who may only point proposes for what is in sight, and the page stays where it is", () => {
    document.body.innerHTML = "<input id=a>";
    const scrolled = vi.spyOn(Element.prototype, "scrollIntoView");
    scrolled.mockClear();
    granted = ["view", "point"];
    document.elementFromPoint = () => null;
    expect([act("propose", "#a", { value: "1" }), proposed]).toEqual(["refused", []]);
    document.elementFromPoint = () => nodes[0] ?? null;
    expect(act("propose", "#a", { value: "1" })).toBe("open");
    expect(scrolled).not.toHaveBeenCalled();
    acts.answer(false);
    granted = ["view", "point", "scroll"];
    expect(act("propose", "#a", { value: "1" })).toBe("open");
    expect(scrolled).toHaveBeenCalled();
  });

  it("a kind that is not known is refused", () => {
    document.body.innerHTML = "<input id=a>";
    expect(act("submit" as Act["kind"], "#a")).toBe("refused");
  });
});

describe("filling", () => {
  const never = [
    "<input id=x type=password>", "<input id=x type=file>", "<input id=x type=hidden>", "<input id=x autocomplete=one-time-code>", "<input id=x autocomplete='billing cc-number'>",
    "<input id=x autocomplete=new-password>", "<input id=x disabled>", "<input id=x readonly>", "<fieldset disabled><input id=x></fieldset>", "<div inert><input id=x></div>",
    "<input id=x type=checkbox>", "<input id=x type=submit>", "<input id=x type=image>", "<div id=x contenteditable></div>", "<div class=secret><input id=x></div>", "<input id=x data-rr-is-password=true>",
  ];
  it.each(never)("never %s", (markup) => {
    under({ mask: [".secret"] });
    document.body.innerHTML = markup;
    expect(mayFill($("#x"), masking)).toBe(false);
    expect(act("fill", "#x", { value: "1" })).toBe("refused");
    expect(act("propose", "#x", { value: "1" })).toBe("refused");
  });

  it("not what cannot be read, nor what cannot be seen", () => {
    document.body.innerHTML = "<input id=x>";
    under({ values: [] });
    expect(act("fill", "#x", { value: "1" })).toBe("refused");
    under({});
    vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({ left: 0, top: 0, right: 0, bottom: 0, width: 0, height: 0, x: 0, y: 0, toJSON: () => null });
    expect(act("fill", "#x", { value: "1" })).toBe("refused");
  });

  it("is noticed by the page as if it were typed", () => {
    document.body.innerHTML = "<form><input id=a></form>";
    const heard: string[] = [];
    for (const kind of ["input", "change"]) document.body.addEventListener(kind, (event) => void heard.push(`${kind} ${(event.target as HTMLInputElement).value}`));
    const proto = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")!;
    const noticed = vi.fn();
    const field = $("#a");
    Object.defineProperty(field, "value", { configurable: true, get: () => String(proto.get!.call(field)), set: noticed }); // as React does, to know what scripts set
    act("fill", "#a", { value: "100" });
    expect(noticed).not.toHaveBeenCalled();
    expect(heard).toEqual(["input 100", "change 100"]);
  });

  it("chooses of a list by the words that are shown, and refuses others", () => {
    document.body.innerHTML = "<select id=s><option value=1>One</option><option value=2>Two</option><option value=3 disabled>Three</option></select>";
    expect(act("fill", "#s", { value: "Two" })).toBe("done");
    expect($<HTMLSelectElement>("#s").value).toBe("2");
    expect([act("fill", "#s", { value: "Three" }), act("fill", "#s", { value: "Four" })]).toEqual(["refused", "refused"]);
    expect($<HTMLSelectElement>("#s").value).toBe("2");
  });

  it("tells nobody by trying which choices are hidden, or what stands behind them", () => {
    document.body.innerHTML = "<select id=s><option value=77>One</option><option class=private>Two</option><option>4111 1111 1111 1111</option></select>";
    const tried = ["77", "Two", "4111 1111 1111 1111", "One"];
    const outcomes = (): unknown[] => tried.map((value) => act("propose", "#s", { value }));
    under({ mask: [".private"] });
    expect(outcomes()).toEqual(["refused", "refused", "refused", "open"]);
    acts.answer(false);
    under({ show: ["h1"] });
    expect(outcomes()).toEqual(["refused", "refused", "refused", "refused"]);
  });

  it("refuses what the field would not take from a keyboard", () => {
    document.body.innerHTML = "<input id=a maxlength=3><input id=n type=number value=7>";
    expect([act("fill", "#a", { value: "1234" }), act("fill", "#a", { value: "1\n2" })]).toEqual(["refused", "refused"]);
    expect($("#a").value).toBe("");
  });

  it("waits for who is typing there", () => {
    document.body.innerHTML = "<input id=a><input id=b>";
    $("#a").focus();
    typed("#a");
    expect(act("fill", "#a", { value: "1" })).toBe("dismissed");
    expect(act("fill", "#b", { value: "1" })).toBe("done");
    vi.advanceTimersByTime(TYPING_MS + 1);
    expect(act("fill", "#a", { value: "1" })).toBe("done");
  });

  it("never submits", () => {
    document.body.innerHTML = "<form id=f><input id=a></form>";
    const submitted = vi.fn((event: Event) => event.preventDefault());
    $("#f").addEventListener("submit", submitted);
    $("#a").addEventListener("change", () => $<HTMLFormElement>("#f").requestSubmit());
    $("#a").value = "100";
    const heard: string[] = [];
    $("#a").addEventListener("input", () => void heard.push($("#a").value));
    expect(act("fill", "#a", { value: "99999" })).toBe("refused");
    expect(submitted).not.toHaveBeenCalled();
    expect([$("#a").value, heard, told]).toEqual(["100", ["99999", "100"], []]); // what is refused does not stay
  });

  it("not what the customer cannot see: under a cover, clipped, out of view", () => {
    document.body.innerHTML = "<input id=a><div id=over></div>";
    for (const hit of [$("#over"), document.body, null]) {
      document.elementFromPoint = () => hit;
      expect([act("fill", "#a", { value: "9" }), act("propose", "#a", { value: "9" })]).toEqual(["refused", "refused"]);
    }
    expect([$("#a").value, proposed]).toEqual(["", []]);
  });

  it.each(["\u202e00001", "1\u200b0", "\ufeff1", "a\u0007", "\u20661"])("nor what reads otherwise than it is: %j", (value) => {
    document.body.innerHTML = "<input id=a>";
    expect([act("fill", "#a", { value }), act("propose", "#a", { value })]).toEqual(["refused", "refused"]);
  });
});

describe("clicking", () => {
  const never = [
    "<form><button id=x>go</button></form>", "<button id=x>go</button>", "<button id=x type=submit>go</button>", "<button id=x type=reset>go</button>", "<button><b id=x>go</b></button>",
    "<button id=x type=button formaction=/a>go</button>", "<input id=x type=submit>", "<input id=x type=image>", "<input id=x type=reset>", "<input id=x type=file>", "<input id=x type=password>",
    "<a id=x href='javascript:x()'>go</a>", "<a id=x href=/file download>go</a>", "<a id=x href=https://elsewhere.example/>go</a>", "<a id=x href=data:text/html,x>go</a>", "<a id=x href=mailto:a@b.example>go</a>",
    "<a href='javascript:x()'><i id=x>go</i></a>", "<label id=x for=s>go</label><button id=s></button>", "<label><i id=x>go</i><input type=file></label>", "<object id=x></object>",
    "<select><option id=x>a</option></select>", "<button id=x type=button disabled>go</button>", "<div inert><button id=x type=button>go</button></div>", "<div class=secret><button id=x type=button>go</button></div>",
  ];
  it.each(never)("never %s", (markup) => {
    under({ mask: [".secret"] });
    document.body.innerHTML = markup;
    const clicked = vi.fn();
    $("#x").addEventListener("click", clicked);
    expect(mayClick($("#x"), masking)).toBe(false);
    expect(act("click", "#x")).toBe("refused");
    expect(clicked).not.toHaveBeenCalled();
  });

  it.each(["<button id=x type=button>go</button>", `<a id=x href="${location.origin}/there">go</a>`, "<a id=x role=button>go</a>", "<details><summary id=x>go</summary></details>", "<input id=x type=checkbox>", "<div id=x>go</div>"])("may be %s", (markup) => {
    document.body.innerHTML = markup;
    const clicked = vi.fn((event: Event) => event.preventDefault());
    $("#x").addEventListener("click", clicked);
    expect(act("click", "#x")).toBe("done");
    expect(clicked).toHaveBeenCalledOnce();
  });

  it("a button whose script submits does not", () => {
    document.body.innerHTML = "<form id=f><button type=button id=x>go</button></form>";
    const submitted = vi.fn((event: Event) => event.preventDefault());
    $("#f").addEventListener("submit", submitted);
    $("#x").addEventListener("click", () => $<HTMLFormElement>("#f").requestSubmit());
    expect(act("click", "#x")).toBe("refused");
    expect(submitted).not.toHaveBeenCalled();
  });

  it("not what something else lies upon", () => {
    document.body.innerHTML = "<button id=x type=button>go</button><div id=over></div>";
    document.elementFromPoint = () => $("#over");
    expect(act("click", "#x")).toBe("refused");
    document.elementFromPoint = () => null; // still out of view
    expect(act("click", "#x")).toBe("refused");
    document.elementFromPoint = () => document.body; // clipped
    expect(act("click", "#x")).toBe("refused");
  });

  it("only what the bank's rules name", () => {
    document.body.innerHTML = "<button id=other type=button>Confirm</button><div id=x><i id=in>go</i></div><input id=tick type=checkbox>";
    expect([act("click", "#other"), act("click", "#in"), act("click", "#x"), act("click", "#tick")]).toEqual(["refused", "refused", "done", "done"]);
  });

  it.each(["requestSubmit", "submit"] as const)("no form in a shadow root by %s either", (how) => {
    document.body.innerHTML = "<div id=host></div>";
    const root = $("#host").attachShadow({ mode: "open" });
    root.innerHTML = "<form><button type=button id=x>go</button><button id=own>send</button></form>";
    const form = root.querySelector("form")!;
    const submitted = vi.fn((event: Event) => event.preventDefault());
    form.addEventListener("submit", submitted);
    nodes = [root.querySelector("#x")];
    root.elementFromPoint = () => nodes[0]!;
    nodes[0]!.addEventListener("click", () => form[how]());
    const before = Object.getOwnPropertyDescriptors(HTMLFormElement.prototype);
    const click = (): ActOutcome => {
      acts.take({ type: "act", act: "A1", page: 3, node: 1, kind: "click", value: "", viewer: WHO.id });
      return done.at(-1)![1];
    };
    expect([click(), submitted.mock.calls.length]).toEqual(["refused", 0]);
    nodes[0]!.addEventListener("click", () => form.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }))); // as its own button would have it
    expect([click(), submitted.mock.calls.length]).toEqual(["refused", 0]);
    expect(Object.getOwnPropertyDescriptors(HTMLFormElement.prototype)).toEqual(before);
  });
});

describe("a proposal", () => {
  beforeEach(() => void (document.body.innerHTML = "<input id=a><input id=b>"));

  it("is filled in when the customer accepts, and not before", () => {
    expect(act("propose", "#a", { value: "100" })).toBe("open");
    expect([proposed.at(-1)!.words, $("#a").value]).toEqual(["100", ""]);
    acts.answer(true);
    expect([$("#a").value, done.at(-1)![1], proposed.at(-1)]).toEqual(["100", "done", null]);
  });

  it("is put away by a no, by typing, by time, and by who loses the right", () => {
    act("propose", "#a", { value: "1" });
    acts.answer(false);
    act("propose", "#a", { value: "2" });
    typed("#a");
    act("propose", "#b", { value: "4", act: "A2" });
    vi.advanceTimersByTime(PROPOSAL_MS);
    act("propose", "#a", { value: "5" });
    granted = ["view", "point"];
    acts.changed();
    expect(proposed.at(-1)).not.toBeNull();
    granted = ["view", "scroll", "fill", "click"];
    acts.changed();
    expect(done).toEqual([["A1", "dismissed"], ["A1", "dismissed"], ["A2", "dismissed"], ["A1", "dismissed"]]);
    expect([$("#a").value, $("#b").value]).toEqual(["", ""]);
  });

  it("needs no more than pointing, also in the moment in which it is accepted", () => {
    granted = ["view", "scroll", "fill", "click"];
    expect(act("propose", "#a", { value: "1" })).toBe("refused");
    granted = ["view", "point"];
    expect([act("fill", "#a", { value: "1" }), act("propose", "#a", { value: "1" })]).toEqual(["refused", "open"]);
    acts.answer(true);
    expect($("#a").value).toBe("1");
    act("propose", "#b", { value: "1" });
    granted = ["view", "fill"];
    acts.answer(true);
    expect([$("#b").value, done.at(-1)]).toEqual(["", ["A1", "refused"]]);
  });

  it("does not change while it stands, nor does a list under it", () => {
    act("propose", "#a", { value: "100" });
    expect(act("propose", "#a", { value: "10000", act: "A2" })).toBe("refused");
    acts.answer(true);
    expect([$("#a").value, done]).toEqual(["100", [["A2", "refused"], ["A1", "done"]]]);
    document.body.innerHTML = "<select id=s><option value=1>Mine</option><option value=2>Other</option></select>";
    act("propose", "#s", { value: "Other" });
    expect(proposed.at(-1)!.words).toBe("Other");
    $<HTMLSelectElement>("#s").options[1]!.text = "Theirs";
    acts.answer(true);
    expect([$<HTMLSelectElement>("#s").value, done.at(-1)]).toEqual(["1", ["A1", "refused"]]);
  });

  it("comes to nothing where the field is gone or may not be filled any more", () => {
    act("propose", "#a", { value: "1" });
    $("#a").remove();
    acts.answer(true);
    act("propose", "#b", { value: "1" });
    $("#b").setAttribute("autocomplete", "one-time-code");
    acts.answer(true);
    expect(done.map(([, outcome]) => outcome)).toEqual(["gone", "refused"]);
  });
});
