/** The browser's Back, by button or swipe: it must not end a conversation unasked. */
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Call } from "../../core/model";

const MARK = "inCall";

function marked(): boolean {
  const state: unknown = history.state;
  return typeof state === "object" && state !== null && MARK in state;
}

function mark(): void {
  history.pushState({ [MARK]: true }, "");
}

/** While a call lasts there is one entry more in the history: Back takes that away, `ask` is called and the entry is put there again.
 *  It is no trap: the answer to the question leaves, and a browser passes an entry that was put there without a touch of the page,
 *  so that going back twice at once leaves too. When the call is over the entry goes, and Back does what it always does. A reload
 *  keeps the entry as it keeps the place. `on`: whether this is the part of the page that asks now. */
export function useBack(call: Call, on: boolean, ask: () => void): void {
  const asking = useRef(ask);
  asking.current = ask;
  const ended = call.phase.value === "ended";
  useLayoutEffect(() => {
    if (!on || ended) return;
    if (!marked()) mark();
    const here = location.href;
    const back = () => {
      if (marked() || location.href !== here) return; // forward again, or a place within a page
      mark();
      asking.current();
    };
    addEventListener("popstate", back);
    return () => {
      removeEventListener("popstate", back);
      if (call.phase.peek() === "ended" && marked()) history.back();
    };
  }, [on, ended, call]);
}
