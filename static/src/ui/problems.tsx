/** Turns what went wrong into words: what happened, what to do. */
import type { ApiProblem } from "../core/model";
import { counted, hasWords, t } from "../i18n";

export function isProblem(value: unknown): value is ApiProblem {
  return typeof value === "object" && value !== null && "code" in value && typeof value.code === "string";
}

/** An error of our own making (a bug) becomes `unknown`, so that the page still says something true. */
export function asProblem(value: unknown): ApiProblem {
  return isProblem(value) ? value : { code: "unknown", detail: String(value), retryAfterS: null };
}

export function problemText(problem: ApiProblem): string {
  if (problem.retryAfterS) return counted("problem.wait", Math.ceil(problem.retryAfterS));
  const key = `problem.${problem.code}`;
  return hasWords(key) ? t(key) : t("problem.unknown");
}

/** What a page of its own about it is headed with; null: nothing in particular. */
export function problemTitle(problem: ApiProblem): string | null {
  const key = `problem.${problem.code}.title`;
  return hasWords(key) ? t(key) : null;
}

/** The same for a message that was refused in a call, and for uploads. */
export function codeText(code: string): string {
  return problemText({ code, detail: "", retryAfterS: null });
}
