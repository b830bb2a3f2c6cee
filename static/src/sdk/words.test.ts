import { describe, expect, it } from "vitest";
import { languageOf, sayIn } from "./words";
import { en, type Word } from "./words.en";
import { zh } from "./words.zh";

const places = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1] ?? "").sort();

describe("the script's words", () => {
  it.each(Object.keys(en) as Word[])("%s says the same in both languages", (key) => {
    expect(zh[key]).not.toBe("");
    expect(places(zh[key])).toEqual(places(en[key]));
  });

  it("sets a Latin name apart from Chinese words", () => {
    expect(sayIn("zh")("bar.watch", { names: "Li Wen" })).toBe("Li Wen 正在查看此页面");
    expect(sayIn("zh")("ask.view", { who: sayIn("zh")("of", { name: "李文", bank: "海川银行" }) })).toBe("海川银行的李文想查看此页面，以及您在这里打开的其他页面");
    expect(sayIn("en")("bar.watch", { names: "{x}" })).toBe("{x} sees this page");
  });

  it("never asks for what only a fraud asks for: the code is no one-time code", () => {
    for (const key of (Object.keys(zh) as Word[]).filter((one) => one.startsWith("code.") || one === "bar.expired")) expect(zh[key].replace("这不是短信验证码", ""), key).not.toContain("验证码");
    expect(Object.values(zh).filter((text) => /栏位|(?<!短信)验证码/.test(text))).toEqual([]);
    expect(Object.values(en).filter((text) => /\bagent\b/.test(text))).toEqual([]);
  });

  it("the question for seeing says how far it goes: pages, tabs, until when", () => {
    expect(en["ask.view.more"]).toMatch(/^Until you stop, .* every page .* other tabs/);
    expect(zh["ask.view.more"]).toMatch(/^在您停止之前，.*其他标签页/);
  });

  it("takes the tag's language, then the page's", () => {
    document.documentElement.lang = "zh-CN";
    expect([languageOf("en"), languageOf("fr"), languageOf(undefined)]).toEqual(["en", "zh", "zh"]);
    document.documentElement.lang = "de";
    expect(languageOf(undefined)).toBe("en");
  });
});
