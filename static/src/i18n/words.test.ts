import { beforeEach, describe, expect, it } from "vitest";
import { en } from "./en";
import { clockTime, counted, dayName, fileSize, isToday, language, roughly, sameDay, t } from "./index";
import { zh } from "./zh";

const places = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1] ?? "").sort();

describe("words", () => {
  beforeEach(() => {
    language.value = "en";
  });

  it.each(Object.keys(en) as (keyof typeof en)[])("%s says the same in both languages", (key) => {
    expect(zh[key]).not.toBe("");
    expect(places(zh[key])).toEqual(places(en[key]));
  });

  it("has no key in one language only", () => {
    expect(Object.keys(zh)).toEqual(Object.keys(en));
  });

  it("fills places and leaves unknown ones visible", () => {
    expect(t("said.wrote", { name: "{text}", text: "<b>$&</b>" })).toBe("{text} wrote: <b>$&</b>");
    expect(t("said.joined", {})).toBe("{name} joined");
  });

  it("sets a Latin name apart from Chinese words, and nothing else", () => {
    language.value = "zh";
    expect(t("handover.offered", { name: "Bo" })).toBe("已请 Bo 接手，正在等待答复。");
    expect(t("handover.offered", { name: "李静" })).toBe("已请李静接手，正在等待答复。");
    expect(t("handover.customer.accepted", { from: "Ann", to: "Zoë" })).toBe("Ann 正在为您转接 Zoë");
    expect(t("handover.customer.accepted", { from: "李静", to: "陈 Bo" })).toBe("李静正在为您转接陈 Bo");
    expect(t("said.wrote", { name: "王", text: "OK" })).toBe("王说：OK");
    expect(t("review.verify.files.other", { n: 3 })).toBe("检查了 3 个文件。");
  });

  it("counts as the language does", () => {
    expect(counted("problem.wait", 1)).toContain("1 second.");
    expect([0, 2, 21].map((n) => counted("problem.wait", n).slice(-11))).toEqual([" 0 seconds.", " 2 seconds.", "21 seconds."]);
    expect(counted("invitation.times", 1, { time: "10:30" })).toBe("Works once, until 10:30. It is not shown again.");
    expect(counted("invitation.times", 3, { time: "10:30" })).toContain("3 times");
    expect([counted("network.held", 1), counted("network.held", 2)]).toEqual(["1 picture is paused.", "2 pictures are paused."]);
    language.value = "zh";
    expect([counted("problem.wait", 1), counted("problem.wait", 2)]).toEqual(["尝试次数过多，请 1 秒后再试。", "尝试次数过多，请 2 秒后再试。"]);
  });

  it("has both forms wherever something is counted: {n} before an English plural stands in no other key", () => {
    const counting = Object.entries(en).filter(([, text]) => /\{n\} [a-z]+s\b/.test(text)).map(([key]) => key);
    expect(counting.filter((key) => !key.endsWith(".other"))).toEqual([]);
    for (const key of counting) expect(Object.keys(en)).toContain(key.replace(/\.other$/, ".one"));
  });

  it("rounds a waiting time honestly", () => {
    expect(roughly(20)).toBe("less than a minute");
    expect(roughly(250)).toBe("about 4 min");
  });

  it("names days and times as each language writes them", () => {
    const now = new Date();
    expect(dayName(now.toISOString())).toBe("Today");
    const day = new Date(2020, 1, 3, 0, 5).toISOString();
    expect([dayName(day), clockTime(day)]).toEqual(["Monday, 3 February 2020", "00:05"]);
    language.value = "zh";
    expect([dayName(day), clockTime(day)]).toEqual(["2020年2月3日星期一", "00:05"]);
    expect(sameDay(new Date(2020, 1, 3, 0, 5).toISOString(), new Date(2020, 1, 3, 23, 59).toISOString())).toBe(true);
    expect(isToday(day)).toBe(false);
  });

  it("never says that a file has no size", () => {
    expect(fileSize(1)).toBe("1 KB");
    expect(fileSize(5.5 * 1024 ** 2)).toBe("5.5 MB");
  });
});
