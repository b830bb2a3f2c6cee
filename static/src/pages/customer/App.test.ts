import { describe, expect, it } from "vitest";
import { initials } from "../../ui/controls";
import { elapsed } from "../../ui/clock";
import { codeText, problemText } from "../../ui/problems";
import { isBadLink, secretFrom } from "./App";
import { shortReference } from "./Done";

describe("the way in", () => {
  it.each([
    ["/j/x7Qk2mVd9TzLr4WbYc8NsA", "", "x7Qk2mVd9TzLr4WbYc8NsA"],
    ["/j/x7Qk2mVd9TzLr4WbYc8NsA/", "", "x7Qk2mVd9TzLr4WbYc8NsA"],
    ["/j", "#x7Qk2mVd9TzLr4WbYc8NsA", "x7Qk2mVd9TzLr4WbYc8NsA"],
    ["/", "#x7Qk2mVd9TzLr4WbYc8NsA", null],
    ["/j/short", "", null],
    ["/j/<script>alert(1)</script>", "", null],
    [`/j/${"a".repeat(101)}`, "", null],
  ])("reads the secret of %s%s", (pathname, hash, secret) => {
    expect(secretFrom({ pathname, hash })).toBe(secret);
  });
});

describe("a link that leads nowhere", () => {
  it.each([
    ["/j/garbage", "", true],
    ["/j/", "", true],
    ["/j", "#short", true],
    ["/j/x7Qk2mVd9TzLr4WbYc8NsA/more", "", true],
    ["/j/x7Qk2mVd9TzLr4WbYc8NsA", "", false],
    ["/j", "#x7Qk2mVd9TzLr4WbYc8NsA", false],
    ["/", "", false],
    ["/jump", "", false],
  ])("%s%s: %s", (pathname, hash, bad) => expect(isBadLink({ pathname, hash })).toBe(bad));
});

describe("small words", () => {
  it.each([
    ["王建国", "国"],
    ["Jing Li", "JL"],
    ["  madonna ", "M"],
    ["", "·"],
  ])("shortens %s to %s", (name, short) => {
    expect(initials(name)).toBe(short);
  });

  it("counts time that has passed, never backwards", () => {
    const start = "2026-01-01T10:00:00Z";
    expect(elapsed(start, Date.parse(start) + 187_000)).toBe("3:07");
    expect(elapsed(start, Date.parse(start) + 3_729_000)).toBe("1:02:09");
    expect(elapsed(start, Date.parse(start) - 5000)).toBe("0:00");
  });

  it("makes a reference that can be read out", () => {
    expect(shortReference("SE_4f9c27a1e5b84d0f")).toBe("4F9C 27A1");
  });

  it("has words for problems that nobody thought of", () => {
    expect(problemText({ code: "constructor", detail: "", retryAfterS: null })).toBe(problemText({ code: "unknown", detail: "", retryAfterS: null }));
    expect(problemText({ code: "too_many", detail: "", retryAfterS: 29.2 })).toContain("30");
    expect(codeText("empty")).not.toBe(codeText("unknown"));
  });
});
