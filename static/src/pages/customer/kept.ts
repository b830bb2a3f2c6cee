/** What this tab remembers of the way to a conversation, so that a reload does not ask everything again. Emptied when it is over. */
import { signal } from "@preact/signals";
import { callPlace } from "../../core/place";

export type CallStep = "check" | "consents" | "call" | "verify";

const STEP = "tp.step";
const LINK = "tp.link";
const RETURN = "tp.return";
const ANSWERED = "tp.answered";
const MARK_CHARS = 6; // of a link's secret: enough to tell two links apart, too little to use one

function put(key: string, value: string | null): void {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
  } catch {
    // no storage: after a reload the preparations start again
  }
}

function get(key: string): string | null {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

export function keepStep(step: CallStep | null): void {
  put(STEP, step);
}

export function keptStep(): CallStep {
  const kept = get(STEP);
  return kept === "check" || kept === "consents" || kept === "verify" ? kept : "call";
}

/** Whether they have said, since they last asked for a person, what that person may see and hear. */
export const answered = signal(false);

export function keepAnswered(yes: boolean): void {
  answered.value = yes;
  put(ANSWERED, yes ? "yes" : null);
}

/** After a reload. */
export function recallAnswered(): void {
  answered.value = get(ANSWERED) !== null;
}

/** Where the bank wants its customer back; "" for nowhere. It is wanted after the end too, when the server says no more. */
export function keepReturn(url: string): void {
  put(RETURN, url === "" ? null : url);
}

export function keptReturn(): string {
  return get(RETURN) ?? "";
}

/** By which link one came in; null: by a code or without. */
export function keepLink(secret: string | null): void {
  put(LINK, secret?.slice(0, MARK_CHARS) ?? null);
}

/** A tab that is sent here by another link than the one it came by before goes in by the new one: a bank sends its customers here again and again. */
export function forgetOther(secret: string | null): void {
  const kept = get(LINK);
  if (secret === null || kept === null || secret.startsWith(kept)) return;
  forgetPlace();
}

export function forgetPlace(): void {
  callPlace.clear();
  for (const key of [STEP, LINK, RETURN, ANSWERED]) put(key, null);
}
