import { beforeEach, describe, expect, it } from "vitest";
import { en } from "./en";
import { clockTime, dayName, fileSize, isToday, language, roughly, sameDay, t } from "./index";
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
