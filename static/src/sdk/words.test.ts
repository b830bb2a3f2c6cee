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
    expect(sayIn("zh")("ask.view", { who: sayIn("zh")("of", { name: "李文", bank: "海川银行" }) })).toBe("海川银行的李文想查看此页面");
    expect(sayIn("en")("bar.watch", { names: "{x}" })).toBe("{x} sees this page");
  });

  it("takes the tag's language, then the page's", () => {
    document.documentElement.lang = "zh-CN";
    expect([languageOf("en"), languageOf("fr"), languageOf(undefined)]).toEqual(["en", "zh", "zh"]);
    document.documentElement.lang = "de";
    expect(languageOf(undefined)).toBe("en");
  });
});
