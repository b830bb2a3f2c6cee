/** One's own scrolling is told to the others, and theirs is followed: `Follow` with a clock and a scrolled element. */
import { useEffect, useRef } from "preact/hooks";
import { Follow } from "../../../core/pdfFollow";
import { placeAt, scrollOf } from "../../../core/pdfPlaces";
import type { PageRoom, Place } from "../../../core/pdfPlaces";
import type { Call } from "../../../core/model";

export interface Following {
  scrolled(): void;
  /** As if the reader had scrolled there; `quiet`: it is not told to the others. */
  scrollTo(top: number, quiet: boolean): void;
}

export function useFollow(call: Call, box: { current: HTMLElement | null }, rooms: readonly PageRoom[]): Following {
  const { pdf } = call;
  const follow = useRef(new Follow());
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const here = useRef<Place>({ page: pdf.look.peek().page, y: pdf.look.peek().y });
  const set = useRef<number | null>(null); // where the page itself has scrolled to
  const laid = useRef(rooms);
  laid.current = rooms;

  const put = (top: number): void => {
    const element = box.current;
    if (element === null) return;
    element.scrollTop = top;
    set.current = element.scrollTop;
  };
  const go = (place: Place): void => {
    here.current = place;
    put(scrollOf(laid.current, place));
  };
  const tell = (place: Place | null): void => {
    if (place !== null) pdf.lookAt(place);
  };
  const wait = (): void => {
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = null;
    const { deadline } = follow.current;
    if (deadline === null) return;
    timer.current = setTimeout(() => {
      const due = follow.current.tick(performance.now());
      tell(due.tell);
      if (due.go !== null) go(due.go);
      wait();
    }, Math.max(0, deadline - performance.now()));
  };
  useEffect(() => () => void (timer.current !== null && clearTimeout(timer.current)), []);

  // The same place stays at the top when the pages become larger or smaller.
  useEffect(() => go(here.current), [rooms]);

  const { page, y, by } = pdf.look.value;
  const first = useRef(true);
  useEffect(() => {
    if (by === call.me.peek()?.id && !first.current) return;
    first.current = false;
    const where = follow.current.looked(performance.now(), { page, y });
    if (where !== null) go(where);
    wait();
  }, [page, y, by]);

  const scrolled = (): void => {
    const element = box.current;
    if (element === null || (set.current !== null && Math.abs(element.scrollTop - set.current) < 2)) return;
    set.current = null;
    here.current = placeAt(laid.current, element.scrollTop);
    tell(follow.current.scrolled(performance.now(), here.current));
    wait();
  };
  return {
    scrolled,
    scrollTo: (top, quiet) => {
      here.current = placeAt(laid.current, top);
      if (quiet) {
        put(top);
        return;
      }
      set.current = null;
      if (box.current !== null) box.current.scrollTop = top;
    },
  };
}
