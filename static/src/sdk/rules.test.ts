import { beforeEach, describe, expect, it } from "vitest";
import type { PageRules } from "../cobrowse.gen";
import { identifies } from "./net";
import { Level, Rules } from "./rules";
import { matches, readSelector } from "./selectors";

const rules = (part: Partial<PageRules>): PageRules => ({ url: "https://bank.example/", name: "x", show: [], values: [], mask: [], block: [], click: [], images: [], pause: false, ...part });

beforeEach(() => document.body.replaceChildren());

describe("selectors", () => {
  const fits = (selector: string, id = "it"): boolean => matches(readSelector(selector)!, document.getElementById(id)!);

  it("are those of a rule pack", () => {
    document.body.innerHTML = `<main class="a b"><section data-x="1 2"><p id="it" name="q"></p></section></main>`;
    for (const one of ["p", "P", "#it", "[name]", "[name=q]", '[name="q"]', "main p", ".a.b > section > p", "main.a [data-x='1 2'] *", "*", "body p#it[name]"]) expect(fits(one), one).toBe(true);
    for (const one of ["div", "#other", "[name=z]", "main > p", ".c p", "p p"]) expect(fits(one), one).toBe(false);
  });

  it("look up through shadow roots", () => {
    document.body.innerHTML = `<main><div id="host"></div></main>`;
    const inner = document.createElement("i");
    document.getElementById("host")!.attachShadow({ mode: "open" }).append(inner);
    expect(matches(readSelector("main i")!, inner)).toBe(true);
    expect(matches(readSelector("#host > i")!, inner)).toBe(true);
  });

  it.each(["", "p:hover", "a, b", "p + p", "p ~ p", "..x", "p::before", "a >", "[x^=y]", "#a#", "p*"])("cannot read %s", (text) => {
    expect(readSelector(text)).toBeNull();
  });
});

describe("rules", () => {
  const all = new Rules([
    rules({ url: "https://bank.example/transfers/*/confirm", name: "confirm", pause: true }),
    rules({ url: "https://bank.example/transfers/**", name: "transfers" }),
    rules({ url: "https://bank.example/", name: "home" }),
    rules({ url: "http://localhost:8081/**", name: "here" }),
  ]);

  it("the first page that fits holds; what stands behind ? and # never counts", () => {
    const named = (url: string): string => all.page(url).name;
    expect(named("https://bank.example/transfers/7/confirm?x=1")).toBe("confirm");
    expect(named("https://bank.example/transfers/7/8/9#top")).toBe("transfers");
    expect(named("https://BANK.example:443/")).toBe("home");
    expect(named("https://bank.example")).toBe("home");
    expect(named("http://localhost:8081/a/b")).toBe("here");
    for (const other of ["https://bank.example/transfer", "https://evil.example/", "http://bank.example/", "about:blank", "https://bank.example/transfersX/1"]) {
      expect(all.page(other).known, other).toBe(false);
    }
  });

  it("block before mask before show, and each with all below", () => {
    document.body.innerHTML = `<main><p id="p"><b id="b"></b></p><div class="secret"><h1 id="h"><i id="i"></i></h1></div><div class="box" id="box"><u id="u"></u></div><s id="s"></s></main>`;
    const page = new Rules([rules({ show: ["p", "h1", "u"], mask: [".secret"], block: [".box"] })]).page("https://bank.example/");
    const level = (id: string): Level => {
      const element = document.getElementById(id)!;
      const up: Element[] = [];
      for (let one: Element | null = element; one !== null; one = one.parentElement) up.unshift(one);
      return up.reduce<Level>((above, one) => page.level(one, above), Level.Masked);
    };
    expect([level("p"), level("b")]).toEqual([Level.Shown, Level.Shown]);
    expect([level("h"), level("i")]).toEqual([Level.Sealed, Level.Sealed]);
    expect([level("box"), level("u"), level("s")]).toEqual([Level.Blocked, Level.Gone, Level.Masked]);
  });

  it("show nothing where something that hides cannot be read", () => {
    document.body.innerHTML = `<p id="p"></p>`;
    const page = new Rules([rules({ show: ["p"], mask: ["p:hover"] })]).page("https://bank.example/");
    expect(page.level(document.getElementById("p")!, Level.Masked)).toBe(Level.Masked);
  });
});

describe("the second net", () => {
  it.each(["4111 1111 1111 1111", "13900139042", "+86 139-0013-9042", "11010519491231002X", "li.hua@bank.example", "GB29 NWBK 6016 1331 9268 19", "６２２２０２０２００１１８８４２", "no. 123 456 789", "١٢٣٤٥٦٧٨٩"])("finds %s", (text) => {
    expect(identifies(text)).toBe(true);
  });

  it.each(["Transfer", "12,345.60", "2026-11-23", "2026-11-23 10:30", "Step 3 of 4", "8842", "a@"])("leaves %s", (text) => {
    expect(identifies(text)).toBe(false);
  });
});
