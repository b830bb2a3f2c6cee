/** What the person before the camera is told, in words, and in which ink it can be read. */
import type { Asked, Verification } from "../../core/verification";
import { hasWords, t } from "../../i18n";

/** The one thing that is asked now. */
export function askedWords(asked: Asked | null): string {
  if (asked === null) return t("verify.starting");
  if (asked.cue !== "ask" && asked.cue !== "document") return t(`verify.${asked.cue}`);
  const key = `verify.${asked.cue}.${asked.action}`;
  return t(hasWords(key) ? key : `verify.${asked.cue}`);
}

/** What stands under it: what was wrong, what would help, or what is about to happen. */
export function hintWords(verification: Verification): string | null {
  const advice = `verify.advice.${verification.advice.value[0] ?? ""}`;
  if (hasWords(advice)) return t(advice);
  if (verification.slips.value > 0) return t("verify.slipped");
  const colours = verification.view.value?.warning === true && verification.light.value === null;
  return colours ? t("verify.warning") : null;
}

const UNAVAILABLE: ReadonlySet<string> = new Set(["internal", "unavailable", "store_unavailable", "verification_unavailable", "verification_busy", "verification_lost", "verification_timeout"]);

/** Something of ours does not work; nobody before a camera can do anything about it. */
export function isTrouble(code: string): boolean {
  return UNAVAILABLE.has(code);
}

/** Why it did not begin, or did not come to an end. */
export function problemWords(code: string, who: "verify" | "staff.verify"): string {
  const key = `${who}.problem.${UNAVAILABLE.has(code) ? "unavailable" : code}`;
  return t(hasWords(key) ? key : `${who}.problem.other`);
}

/** Whether dark ink is read better on this ground (`#rrggbb`) than light ink; WCAG 2.2, relative luminance. */
export function isBright(colour: string): boolean {
  const parts = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  if (parts === null) return false;
  const [red = 0, green = 0, blue = 0] = parts.slice(1).map((part) => {
    const value = Number.parseInt(part, 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179;
}
