/** What the reader chose for themselves: language, size of text, light or dark, sounds. Kept in this browser only. */
import { effect, signal } from "@preact/signals";
import { LANGUAGES, language } from "../i18n";
import type { Language } from "../protocol.gen";

export const largeText = signal(false);
export const theme = signal<"auto" | "light" | "dark">("auto");
export const sounds = signal(true);
export const shortcuts = signal(true); // single letters, for staff; WCAG 2.1.4 wants them to have a switch

let languageChosen = false;

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is switched off: preferences last as long as the page
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // as above
  }
}

function isLanguage(text: string | null | undefined): text is Language {
  return LANGUAGES.includes(text as Language);
}

export function chooseLanguage(next: Language): void {
  languageChosen = true;
  language.value = next;
  write("tp.language", next);
}

/** The session's language, unless the reader has chosen one. */
export function suggestLanguage(next: Language): void {
  if (!languageChosen) language.value = next;
}

/** Reads what was kept and keeps the document's attributes in step with it. */
export function startPrefs(): void {
  const kept = read("tp.language");
  languageChosen = isLanguage(kept);
  const browser = navigator.language.slice(0, 2);
  language.value = isLanguage(kept) ? kept : isLanguage(browser) ? browser : "zh";
  largeText.value = read("tp.large") === "yes";
  sounds.value = read("tp.sounds") !== "no";
  shortcuts.value = read("tp.shortcuts") !== "no";
  const keptTheme = read("tp.theme");
  theme.value = keptTheme === "light" || keptTheme === "dark" ? keptTheme : "auto";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const systemDark = signal(dark.matches);
  dark.addEventListener("change", () => {
    systemDark.value = dark.matches;
  });
  effect(() => {
    const root = document.documentElement;
    root.lang = language.value === "zh" ? "zh-CN" : language.value;
    root.dataset.theme = theme.value === "auto" ? (systemDark.value ? "dark" : "light") : theme.value;
    root.dataset.size = largeText.value ? "large" : "normal";
  });
  effect(() => write("tp.large", largeText.value ? "yes" : "no"));
  effect(() => write("tp.theme", theme.value));
  effect(() => write("tp.sounds", sounds.value ? "yes" : "no"));
  effect(() => write("tp.shortcuts", shortcuts.value ? "yes" : "no"));
}
