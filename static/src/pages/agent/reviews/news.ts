/** Keeps the queue of reviews fresh while the workbench is open, and says when something comes that this reviewer may decide, or that waits behind what is loaded. */
import { useEffect, useRef } from "preact/hooks";
import { allThatWait } from "../../../core/reviews";
import type { Reviews } from "../../../core/reviews";
import { language, t } from "../../../i18n";
import { announce } from "../../../ui/announce";
import { playTone } from "../../../ui/tones";

/** What was known: when each of those loaded is due, until when they reach, how many wait in all. */
interface Known {
  due: ReadonlyMap<string, number>;
  until: number;
  all: number;
}

export function useReviews(reviews: Reviews): void {
  const before = useRef<Known | null>(null);
  useEffect(() => reviews.watch(), [reviews]);
  const queue = reviews.queue.value;
  const more = reviews.more.value;
  const all = allThatWait(reviews.types.value);
  useEffect(() => {
    if (queue === null) return;
    const due = new Map(queue.map(({ id, review_until }) => [id, Date.parse(review_until)]));
    const known = before.current;
    const now = (before.current = { due, until: more ? Date.parse(queue.at(-1)?.review_until ?? "") : Infinity, all });
    if (known === null) return; // those that were there first are no news
    const came = queue.filter(({ id, review_until }) => !known.due.has(id) && Date.parse(review_until) <= known.until); // not what waited on a page that was not loaded
    const fresh = came.find(({ yours }) => yours);
    if (fresh) {
      announce(t("reviews.said", { title: fresh.title[language.value] }));
      playTone("message");
      return;
    }
    const gone = [...known.due].filter(([id, at]) => !due.has(id) && at < now.until).length; // the others were pushed behind
    if (more && all - known.all > came.length - gone) announce(t("reviews.said.behind", { n: all }));
  }, [queue]);
}
