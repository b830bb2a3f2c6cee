import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { language } from "../i18n";
import { ConsentCard } from "./ConsentCard";
import { evidenceKept } from "./kept";

const kept = (...days: number[]): string => evidenceKept(days.map((retention_days) => ({ retention_days })));

describe("how long pictures of a check are kept", () => {
  beforeEach(() => {
    language.value = "en";
  });
  afterEach(() => {
    document.body.replaceChildren();
  });

  it("says years, months or days, and never less than the bank does", () => {
    expect([kept(1825), kept(365), kept(180), kept(30), kept(45), kept(1)]).toEqual(["for 5 years", "for 1 year", "for 6 months", "for 1 month", "for 45 days", "for 1 day"]);
    expect(kept(30, 1825, 365)).toBe("for 5 years");
    expect([kept(), evidenceKept(null)]).toEqual(Array(2).fill("for as long as the bank has told you"));
    language.value = "zh";
    expect([kept(1825), kept(180), kept(45), kept()]).toEqual(["保存 5 年", "保存 6 个月", "保存 45 天", "保存期限以银行告知的为准"]);
  });

  it.each(["face", "self_face", "self_document"] as const)("the question about %s says that, and that staff may look", (scope) => {
    for (const [words, time, staff] of [
      ["en", "for 5 years", "staff"],
      ["zh", "保存 5 年", "工作人员查看"],
    ] as const) {
      language.value = words;
      const root = document.createElement("div");
      document.body.append(root);
      render(<ConsentCard scope={scope} cases={[{ retention_days: 1825 }]} onAnswer={() => undefined} />, root);
      const text = root.textContent ?? "";
      expect(text).toContain(time);
      expect(text).toContain(staff);
      expect(text).not.toMatch(/\{\w+\}|half a year|半年/);
      render(null, root);
    }
  });

  it("the question about a document in a conversation names no time that nobody knows", () => {
    const root = document.createElement("div");
    render(<ConsentCard scope="document" onAnswer={() => undefined} />, root);
    expect(root.textContent).toContain("for as long as the bank has told you");
  });
});
