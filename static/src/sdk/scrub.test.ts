import { beforeEach, describe, expect, it } from "vitest";
import type { PageRules } from "../cobrowse.gen";
import { Masking } from "./masking";
import { MASK } from "./net";
import { Rules } from "./rules";
import { type Json, type Mirror, Scrub } from "./scrub";

const URL_ = "https://bank.example/";
const SECRET = "s3cret-77";

class Numbers implements Mirror {
  private readonly nodes: Node[] = [];
  getId(node: Node | null): number {
    if (node === null) return -1;
    if (!this.nodes.includes(node)) this.nodes.push(node);
    return this.nodes.indexOf(node) + 1;
  }
  getNode(id: number): Node | null {
    return this.nodes[id - 1] ?? null;
  }
}

/** As the recorder gives a page when it masks nothing at all. */
function whole(node: Node, mirror: Mirror): Json {
  const id = mirror.getId(node);
  if (node.nodeType === Node.TEXT_NODE) return { type: 3, textContent: node.nodeValue, id };
  if (node.nodeType === Node.DOCUMENT_NODE) return { type: 0, id, childNodes: [...node.childNodes].filter((one) => one.nodeType === 1).map((one) => whole(one, mirror)) };
  const element = node as Element;
  const attributes: Json = Object.fromEntries([...element.attributes].map(({ name, value }) => [name, value]));
  if ("value" in element && typeof element.value === "string" && element.localName !== "option") attributes["value"] = element.value;
  if ("checked" in element && element.checked === true) attributes["checked"] = true;
  return { type: 2, tagName: element.localName, attributes, id, childNodes: [...element.childNodes].map((one) => whole(one, mirror)) };
}

let mirror: Numbers;
let masking: Masking;
let scrub: Scrub;

function under(part: Partial<PageRules>): void {
  masking.begin(new Rules([{ url: URL_, name: "x", show: [], values: [], mask: [], block: [], click: [], images: [], pause: false, ...part }]).page(URL_));
}
const picture = (): Json => scrub.event({ type: 2, data: { node: whole(document, mirror) }, timestamp: 1 })!;
const change = (data: Json): Json | null => scrub.event({ type: 3, data, timestamp: 1 });

beforeEach(() => {
  document.documentElement.innerHTML = "<head></head><body></body>";
  mirror = new Numbers();
  masking = new Masking();
  scrub = new Scrub(masking, mirror, "tongping-share");
});

const EVERYWHERE = `
  <p title="${SECRET}" aria-label="${SECRET}" data-account="${SECRET}" onclick="x('${SECRET}')">${SECRET}</p>
  <a href="/x?${SECRET}" ping="/${SECRET}" download="${SECRET}">go ${SECRET}</a>
  <img src="/${SECRET}.png" alt="${SECRET}" srcset="/${SECRET} 2x">
  <input type="hidden" value="${SECRET}" name="${SECRET}"><input value="${SECRET}" placeholder="${SECRET}" list="l" pattern="${SECRET}">
  <input type="password" value="${SECRET}"><input autocomplete="one-time-code" value="${SECRET}"><input type="checkbox" value="${SECRET}">
  <datalist id="l"><option value="${SECRET}" label="${SECRET}">${SECRET}</option></datalist>
  <select><option value="${SECRET}">${SECRET}</option></select><textarea>${SECRET}</textarea>
  <button value="${SECRET}" name="${SECRET}">${SECRET}</button><input type="submit" value="${SECRET}">
  <form action="/${SECRET}"></form><object data="/${SECRET}"></object>
  <meter title="${SECRET}"></meter><svg><title>${SECRET}</title><path d="M0 0"></path><a href="/${SECRET}"></a><text>${SECRET}</text></svg>
  <video poster="/${SECRET}"></video><track label="${SECRET}"><details><summary>${SECRET}</summary></details>`;

describe("a picture", () => {
  it("says nothing where no rule is known", () => {
    document.body.innerHTML = EVERYWHERE;
    expect(JSON.stringify(picture())).not.toContain(SECRET);
  });

  it("says words where a rule shows them, and nothing else", () => {
    document.body.innerHTML = EVERYWHERE;
    under({ show: ["p"] });
    const text = JSON.stringify(picture());
    expect(text.split(SECRET)).toHaveLength(2);
  });

  it("has values where a rule shows them, never of a password, a code, a card, a hidden field", () => {
    document.body.innerHTML = `<form><input id="a" value="100"><input type="password" value="pw-1"><input type="hidden" value="pw-2"><input autocomplete="cc-number" value="pw-3"><input autocomplete="section-x one-time-code" value="pw-4"></form>`;
    under({ show: ["form"], values: ["input"] });
    const text = JSON.stringify(picture());
    expect(text).toContain('"value":"100"');
    expect(text).not.toContain("pw-");
  });

  it("has no value of a field that is called like a code, nor of one that was a password and comes again as another element", () => {
    document.body.innerHTML = `<form><input name="smsOtp" value="pw-1"><input id="cvv" value="pw-2"><input name="支付密码" value="pw-3"><input name="shipping" value="100"><input name="f1" type="password"></form>`;
    under({ show: ["form"], values: ["input"] });
    expect(JSON.stringify(picture())).toContain('"value":"100"');
    const again = document.createElement("input");
    again.name = "f1";
    document.querySelector("[name=f1]")!.replaceWith(again);
    again.value = "pw-4";
    expect(change({ source: 0, adds: [{ parentId: 2, nextId: null, node: whole(again, mirror) }], removes: [], texts: [], attributes: [] })).not.toBeNull();
    expect(change({ source: 5, id: mirror.getId(again), text: "pw-5", isChecked: false })!["data"]).toMatchObject({ text: MASK });
    expect(JSON.stringify(picture())).not.toContain("pw-");
  });

  it("masks by one length, and identifying numbers also where words are shown", () => {
    document.body.innerHTML = "<p>x</p><p>a much longer text</p><h1>Card 4111 1111 1111 1111</h1>";
    under({ show: ["h1"] });
    expect([...JSON.stringify(picture()).matchAll(/"textContent":"([^"]*)"/g)].map(([, one]) => one)).toEqual([MASK, MASK, MASK]);
  });

  it("leaves the script's own page out", () => {
    const own = document.createElement("tongping-share");
    document.documentElement.append(own);
    expect(JSON.stringify(picture())).not.toContain("tongping");
    const id = mirror.getId(own);
    expect(change({ source: 0, adds: [], removes: [{ parentId: 2, id }], texts: [], attributes: [] })).toBeNull();
    expect(change({ source: 0, adds: [{ parentId: 2, nextId: null, node: whole(own, mirror) }], removes: [], texts: [], attributes: [] })).toBeNull();
    expect(change({ source: 3, id, x: 1, y: 1 })).toBeNull();
  });

  it("keeps the attributes that rules look at: the server judges by them", () => {
    document.body.innerHTML = `<p data-part="title" data-other="x">Hello</p>`;
    under({ show: ["[data-part=title]"] });
    const text = JSON.stringify(picture());
    expect(text).toContain('"data-part":"title"');
    expect(text).toContain("Hello");
    expect(text).not.toContain("data-other");
  });

  it("shows no more of an address than its path", () => {
    const event = scrub.event({ type: 4, data: { href: `https://bank.example/a?token=${SECRET}#${SECRET}`, width: 1, height: 1 }, timestamp: 1 });
    expect(event!["data"]).toEqual({ href: "https://bank.example/a", width: 1, height: 1 });
  });

  it("masks a page that stands in another", () => {
    document.body.innerHTML = `<p>Hello</p>`;
    under({ show: ["*"] });
    const inner = document.implementation.createHTMLDocument();
    inner.body.innerHTML = `<p>${SECRET}</p>`;
    const made = change({ source: 0, adds: [{ parentId: 1, nextId: null, node: whole(inner, mirror) }], removes: [], texts: [], attributes: [], isAttachIframe: true });
    expect(made).not.toBeNull();
    expect(JSON.stringify(made)).not.toContain(SECRET);
  });
});

describe("a change", () => {
  it("of words is masked by where they stand now", () => {
    document.body.innerHTML = `<p>one</p><div>two</div>`;
    under({ show: ["p"] });
    picture();
    const [p, div] = [document.querySelector("p")!.firstChild!, document.querySelector("div")!.firstChild!];
    const made = change({ source: 0, adds: [], removes: [], attributes: [], texts: [{ id: mirror.getId(p), value: "three" }, { id: mirror.getId(div), value: "four" }, { id: 999, value: "five" }] });
    expect((made!["data"] as { texts: Json[] }).texts.map(({ value }) => value)).toEqual(["three", MASK, MASK]);
  });

  it("of attributes leaves only what a picture would", () => {
    document.body.innerHTML = `<p>one</p>`;
    picture();
    const id = mirror.getId(document.querySelector("p"));
    const of = (attributes: Json): Json | null => change({ source: 0, adds: [], removes: [], texts: [], attributes: [{ id, attributes }] });
    expect(of({ title: SECRET, "data-x": SECRET, "aria-label": SECRET, "aria-checked": "true" })).toBeNull();
    expect(JSON.stringify(of({ class: "open", title: SECRET }))).toContain('{"class":"open"}');
  });

  it("of a field has a mask, also for what is checked", () => {
    document.body.innerHTML = `<input id="a" value="${SECRET}"><input id="b" type="checkbox">`;
    picture();
    const input = (selector: string, data: Json): unknown => change({ source: 5, id: mirror.getId(document.querySelector(selector)), ...data })!["data"];
    expect(input("#a", { text: SECRET, isChecked: false })).toMatchObject({ text: MASK });
    expect(input("#b", { text: SECRET, isChecked: true })).toMatchObject({ text: MASK, isChecked: false });
    under({ values: ["input"] });
    expect(input("#a", { text: "12", isChecked: false })).toMatchObject({ text: "12" });
    expect(input("#b", { text: "on", isChecked: true })).toMatchObject({ isChecked: true });
  });

  it("what is chosen is masked where it is hidden itself, whatever its list shows", () => {
    document.body.innerHTML = `<select><option>Rent</option><option class=private selected>${SECRET}</option></select>`;
    const list = document.querySelector("select")!;
    for (const part of [{ mask: [".private"] }, { block: [".private"] }]) {
      under({ show: ["select"], values: ["select"], ...part });
      const input = change({ source: 5, id: mirror.getId(list), text: SECRET, isChecked: false });
      const left = JSON.stringify([picture(), input]);
      expect([left.includes(SECRET), left.includes('"selected":true')]).toEqual([false, false]);
    }
  });

  it("of a list tells the words that are chosen, never the value behind them, and nothing where no rule shows what is entered", () => {
    document.body.innerHTML = `<select><option value="${SECRET}-1">Rent</option><option value="${SECRET}-2" selected> Family  gift </option></select>`;
    const list = document.querySelector("select")!;
    const said = (): string => JSON.stringify(change({ source: 5, id: mirror.getId(list), text: list.value, isChecked: false }));
    under({ show: ["select"] });
    expect([JSON.stringify(picture()).includes('"selected":true'), said().includes("gift")]).toEqual([false, false]);
    under({ show: ["select"], values: ["select"] });
    const left = JSON.stringify(picture());
    expect(left).toContain('"attributes":{"value":"Family gift"}');
    expect(left.split('"selected":true')).toHaveLength(2);
    expect(said()).toContain('"text":"Family gift"');
    list.selectedIndex = 0;
    expect(said()).toContain('"text":"Rent"');
    list.selectedIndex = -1;
    expect(said()).toContain('"text":""');
    expect(left + said()).not.toContain(SECRET);
  });

  it("a field that was a password stays one", () => {
    document.body.innerHTML = `<input id="a" type="password" value="${SECRET}">`;
    under({ values: ["input"] });
    picture();
    document.querySelector("input")!.type = "text";
    expect(JSON.stringify(picture())).not.toContain(SECRET);
  });

  it("of the pointer is told where a rule names the page, and not in what is masked for good", () => {
    document.body.innerHTML = `<p>one</p><div class="keys"><b>1</b></div>`;
    picture();
    const at = (selector: string): Json => ({ id: mirror.getId(document.querySelector(selector)), x: 1, y: 1, timeOffset: 0 });
    const moves = (): Json | null => change({ source: 1, positions: [at("p"), at("b")] });
    expect(moves()).toBeNull();
    under({ mask: [".keys"] });
    expect((moves()!["data"] as { positions: Json[] }).positions).toEqual([at("p")]);
    expect(change({ source: 2, type: 2, ...at("b") })).toBeNull();
  });

  it("of a kind that is not known is nobody's", () => {
    for (const source of [7, 9, 10, 11, 14, 16, 99]) expect(change({ source, id: 1, text: SECRET })).toBeNull();
    for (const type of [0, 1, 5, 6]) expect(scrub.event({ type, data: { payload: SECRET }, timestamp: 1 })).toBeNull();
  });
});
