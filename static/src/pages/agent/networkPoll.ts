/** Asks for a session's counters again and again, while somebody looks. */
import type { Signal } from "@preact/signals";
import { EVERY_MS, record } from "../../core/mediaCounters";
import type { History } from "../../core/mediaCounters";
import type { ApiProblem } from "../../core/model";
import type { MediaCounters } from "../../protocol.gen";
import { asProblem } from "../../ui/problems";

/** Where asking again by itself would not help. */
const FINAL: ReadonlySet<string> = new Set(["not_allowed", "not_found", "gone", "unauthenticated", "token_expired"]);

export interface Poll {
  history: History;
  atMs: number | null; // of the last answer
  problem: ApiProblem | null;
}

/** Asks every two seconds while the page is seen; a slow answer delays the next question. `stop` ends it. */
export function watch(poll: Signal<Poll>, read: () => Promise<MediaCounters>): { again: () => void; stop: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  let stopped = false;
  const ask = async (): Promise<void> => {
    clearTimeout(timer);
    if (asking || stopped || document.visibilityState === "hidden") return;
    asking = true;
    let final = false;
    try {
      const counters = await read();
      const atMs = Date.now();
      if (!stopped) poll.value = { history: record(poll.peek().history, counters, atMs), atMs, problem: null };
    } catch (error) {
      const problem = asProblem(error);
      final = FINAL.has(problem.code);
      if (!stopped) poll.value = { ...poll.peek(), problem };
    }
    asking = false;
    if (!stopped && !final) timer = setTimeout(() => void ask(), EVERY_MS);
  };
  const again = (): void => void ask();
  document.addEventListener("visibilitychange", again);
  again();
  return {
    again,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", again);
    },
  };
}
