/** Keeps the queue of reviews fresh while the workbench is open, and says when something comes that this reviewer may decide. */
import { useEffect, useRef } from "preact/hooks";
import type { Reviews } from "../../../core/reviews";
import { language, t } from "../../../i18n";
import { announce } from "../../../ui/announce";
import { playTone } from "../../../ui/tones";
import { mine } from "./ReviewList";

export function useReviews(reviews: Reviews): void {
  const before = useRef<{ ids: ReadonlySet<string>; until: number } | null>(null);
  useEffect(() => reviews.watch(), [reviews]);
  const queue = reviews.queue.value;
  const more = reviews.more.value;
  useEffect(() => {
    if (queue === null) return;
    const known = before.current;
    const now = mine(queue);
    before.current = { ids: new Set(queue.map(({ id }) => id)), until: more ? Date.parse(queue.at(-1)?.review_until ?? "") : Infinity };
    // Those that were there first are no news, nor what waited on a page that was not loaded.
    const fresh = known && now.find(({ id, review_until }) => !known.ids.has(id) && Date.parse(review_until) <= known.until);
    if (!fresh) return;
    announce(t("reviews.said", { title: fresh.title[language.value] }));
    playTone("message");
  }, [queue]);
}
