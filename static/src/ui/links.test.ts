import { describe, expect, it } from "vitest";
import { pieces } from "./links";

const links = (text: string): string[] => pieces(text).flatMap(({ text: shown, href }) => (href === null ? [] : [shown]));

describe("addresses in a message", () => {
  it.each([
    ["see https://bank.example/a?b=c#d.", ["https://bank.example/a?b=c#d"]],
    ["（http://bank.example），谢谢", ["http://bank.example"]],
    ["请看https://bank.example/表格。谢谢", ["https://bank.example/表格"]],
    ["two: https://a.example, https://b.example!", ["https://a.example", "https://b.example"]],
    ["no address: bank.example, ftp://a.example, mailto:a@b.example", []],
    ["javascript:alert(1) data:text/html,x JAVASCRIPT://https", []],
    ["https://bank.example@evil.example/", []],
    ["https://bаnk.example/ with a Cyrillic letter", []],
    ["https://xn--bnk-7cd.example/", []],
    ["https://", []],
    ["https://bank.example\\@evil.example", ["https://bank.example\\@evil.example"]],
  ])("%s", (text, wanted) => {
    expect(links(text)).toEqual(wanted);
  });

  it("loses nothing of the text", () => {
    for (const text of ["", "a", "https://a.example", "x https://a.example) y https://é.example z\n"]) {
      expect(
        pieces(text)
          .map((piece) => piece.text)
          .join(""),
      ).toBe(text);
    }
  });

  it("opens the host that is shown", () => {
    for (const { text, href } of pieces("https://bank.example\\@evil.example https://bank.example/x")) {
      if (href !== null) expect([text, new URL(href).host]).toEqual([text, "bank.example"]);
    }
  });
});
