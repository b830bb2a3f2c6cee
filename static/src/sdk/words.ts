import { en, type Word } from "./words.en";
import { zh } from "./words.zh";

export type Language = "zh" | "en";
export type Say = (key: Word, places?: Readonly<Record<string, string | number>>) => string;

/** `wanted`: of the script tag; else the page's own language, else the browser's. */
export function languageOf(wanted: string | undefined): Language {
  const found = wanted === "zh" || wanted === "en" ? wanted : document.documentElement.lang || navigator.language;
  return found.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export function sayIn(language: Language): Say {
  const words = language === "zh" ? zh : en;
  return (key, places = {}) => {
    const made = words[key].replace(/\{(\w+)\}/g, (place, name: string) => (name in places ? String(places[name]) : place));
    return language === "zh" ? apart(made) : made;
  };
}

/** A Latin name stands apart from Chinese words. */
function apart(text: string): string {
  return text.replace(/([A-Za-z0-9])(?=\p{Script=Han})/gu, "$1 ").replace(/(\p{Script=Han})(?=[A-Za-z0-9])/gu, "$1 ");
}
