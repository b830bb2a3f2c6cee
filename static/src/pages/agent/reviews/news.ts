/** Keeps the queue of reviews fresh while the workbench is open, and says when something comes that this reviewer may decide. */
import { useEffect, useRef } from "preact/hooks";
import type { Reviews } from "../../../core/reviews";
import { language, t } from "../../../i18n";
import { announce } from "../../../ui/announce";
import { playTone } from "../../../ui/tones";
import { mine } from "./ReviewList";

export function useReviews(reviews: Reviews): void {
  const before = useRef<ReadonlySet<string> | null>(null);
  useEffect(() => reviews.watch(), [reviews]);
  const queue = reviews.queue.value;
  useEffect(() => {
    if (queue === null) return;
    const known = before.current;
    const now = mine(queue);
    before.current = new Set(now.map(({ id }) => id));
    const fresh = known && now.find(({ id }) => !known.has(id));
    if (!fresh) return; // those that were there first are no news
    announce(t("reviews.said", { title: fresh.title[language.value] }));
    playTone("message");
  }, [queue]);
}
