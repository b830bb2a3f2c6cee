/** The words of the pages. A language is one file with the same keys as `en.ts`; `t` fills `{name}` places. */
import { computed, signal } from "@preact/signals";
import type { Language } from "../protocol.gen";
import { en } from "./en";
import { zh } from "./zh";

export type Key = keyof typeof en;
export type Words = Readonly<Record<Key, string>>;
export type Parameters = Readonly<Record<string, string | number>>;

const ALL: Readonly<Record<Language, Words>> = { en, zh };
const LOCALES: Readonly<Record<Language, string>> = { zh: "zh-CN", en: "en-GB" }; // how times and dates are written
export const LANGUAGES: readonly Language[] = ["zh", "en"];

export const language = signal<Language>("zh");
const words = computed(() => ALL[language.value]);

export function t(key: Key, parameters?: Parameters): string {
  const text = words.value[key];
  if (!parameters) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string, at: number) => {
    const value = String(parameters[name] ?? whole);
    return apart(text[at - 1], value.at(0)) + value + apart(value.at(-1), text[at + whole.length]);
  });
}

/** Chinese sets a space between its own characters and a Latin word, as a name may be one. */
function apart(left = "", right = ""): string {
  return (HAN.test(left) && LATIN.test(right)) || (LATIN.test(left) && HAN.test(right)) ? " " : "";
}

const HAN = /\p{Script=Han}/u;
const LATIN = /\p{Script=Latin}/u;

type CountedKey = { [K in Key]: K extends `${infer Base}.other` ? (`${Base}.one` extends Key ? Base : never) : never }[Key];

/** Words about a number, in the form that the language has for it (CLDR plural categories): keys `….one` and `….other`; the
 *  number is `{n}`. A category that has no words of its own takes those of `other`. */
export function counted(base: CountedKey, n: number, parameters: Parameters = {}): string {
  const form = `${base}.${new Intl.PluralRules(LOCALES[language.value]).select(n)}`;
  return t(hasWords(form) ? form : `${base}.other`, { ...parameters, n });
}

/** Whether there are words for a key that was put together at run time, such as `problem.` + code. */
export function hasWords(key: string): key is Key {
  return Object.hasOwn(en, key);
}

export function clockTime(iso: string): string {
  return new Intl.DateTimeFormat(LOCALES[language.value], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(new Date(iso));
}

export function sameDay(one: string, other: string): boolean {
  return new Date(one).toDateString() === new Date(other).toDateString();
}

export function isToday(iso: string): boolean {
  return sameDay(iso, new Date().toISOString());
}

/** "Today", or the day of the week and the date; the year only where it is another one. */
export function dayName(iso: string): string {
  if (isToday(iso)) return t("time.today");
  const date = new Date(iso);
  const year = date.getFullYear() === new Date().getFullYear() ? {} : ({ year: "numeric" } as const);
  return new Intl.DateTimeFormat(LOCALES[language.value], { weekday: "long", day: "numeric", month: "long", ...year }).format(date);
}

export function fileSize(bytes: number): string {
  const [value, unit] = bytes < 1024 ** 2 ? [Math.max(1, Math.round(bytes / 1024)), "KB"] : [bytes / 1024 ** 2, "MB"];
  return `${new Intl.NumberFormat(LOCALES[language.value], { maximumFractionDigits: 1 }).format(value)} ${unit}`;
}

/** Seconds as "3 min" or "less than a minute", never a false exactness. */
export function roughly(seconds: number): string {
  return seconds < 60 ? t("time.under_minute") : t("time.minutes", { n: Math.round(seconds / 60) });
}
