/** The pages one under the other. Those near the view are drawn, the others only have their place. */
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { boxOf, clamp, mainPage, pagesNear, roomToSign, rooms, scrollOf, scrollToBox, totalHeight } from "../../../core/pdfPlaces";
import type { PageRoom, Point } from "../../../core/pdfPlaces";
import type { PdfShown } from "../../../protocol.gen";
import { t } from "../../../i18n";
import { announce } from "../../../ui/announce";
import { useCall } from "../ui";
import type { CallUi } from "../ui";
import type { PdfDocument } from "./engine";
import { PdfPage, line } from "./PdfPage";
import type { Drawn } from "./PdfPage";
import { settleDraft, takeTool } from "./state";
import type { Draft } from "./state";
import { useFollow } from "./useFollow";

const SPARE = 600; // pixels beside the view
const SIDE = 12; // at the left and at the right, where there is room for it
const STEP = 0.01;

interface Stroke {
  page: number;
  from: Point;
  points: Point[];
  live: SVGPolylineElement | null;
}

/** Of a pointer: the page under it and where on it. */
function pointed(event: PointerEvent, page?: HTMLElement): { page: number; at: Point; element: HTMLElement } | null {
  const element = page ?? (event.target instanceof Element ? event.target.closest<HTMLElement>(".pdf-page") : null);
  if (!element) return null;
  const box = element.getBoundingClientRect();
  return { page: Number(element.dataset["page"]), at: [clamp((event.clientX - box.left) / box.width, 0, 1), clamp((event.clientY - box.top) / box.height, 0, 1)], element };
}

/** In the middle of what is seen. */
function firstDraft(ui: CallUi, all: readonly PageRoom[], element: HTMLElement, view: PdfShown): Draft | null {
  const page = mainPage(all, element.scrollTop, element.clientHeight);
  const room = all[page - 1];
  if (!room) return null;
  const y = clamp((element.scrollTop + element.clientHeight / 2 - room.top) / room.height, 0.05, 0.95);
  const middle = roomToSign({ x: 0.5, y, width: 0, height: 0 }, view.sizes[page - 1] ?? []);
  return { page, ...(ui.pdf.tool.peek() === "sign" ? middle : { ...middle, height: 0.025 }) };
}

function moved(draft: Draft, [dx, dy]: Point, sizes: boolean): Draft {
  if (sizes) return { ...draft, width: clamp(draft.width + dx, STEP, 1 - draft.x), height: clamp(draft.height + dy, STEP, 1 - draft.y) };
  return { ...draft, x: clamp(draft.x + dx, 0, 1 - draft.width), y: clamp(draft.y + dy, 0, 1 - draft.height) };
}

const ARROWS: Readonly<Record<string, Point>> = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

export function PdfPages({ view, document, onDrawn }: { view: PdfShown; document: PdfDocument | null; onDrawn: Drawn }) {
  const ui = useCall();
  const { tool, draft, zoom } = ui.pdf;
  const box = useRef<HTMLDivElement>(null);
  const size = useSignal({ width: 0, height: 0 });
  const top = useSignal(0);
  const stroke = useRef<Stroke | null>(null);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const measure = (): void => {
      const { clientWidth: width, clientHeight: height } = element;
      if (size.peek().width !== width || size.peek().height !== height) size.value = { width, height };
    };
    measure();
    if (typeof ResizeObserver !== "function") return;
    const watching = new ResizeObserver(measure);
    watching.observe(element);
    return () => watching.disconnect();
  }, []);

  const side = size.value.width < 600 ? 4 : SIDE;
  const most = Math.max(...view.sizes.map(([width]) => width)) * 1.6; // wider than this nothing is easier to read
  const width = Math.round(Math.max(40, Math.min(size.value.width - 2 * side, most)) * zoom.value);
  const all = useMemo(() => rooms(view.sizes, width), [view.sizes, width]);
  const follow = useFollow(ui.call, box, all);
  const near = pagesNear(all, top.value, size.value.height, SPARE);
  const page = mainPage(all, top.value, size.value.height);
  useEffect(() => {
    if (size.peek().height > 0) ui.pdf.page.value = page;
  }, [page]);
  useEffect(() => {
    ui.pdf.go = (wanted, part, quiet = false) => {
      const height = box.current?.clientHeight ?? 0;
      follow.scrollTo(part ? scrollToBox(all, wanted, part, height) : scrollOf(all, { page: clamp(wanted, 1, all.length), y: 0 }), quiet);
    };
    return () => {
      ui.pdf.go = null;
    };
  });

  const scrolled = (): void => {
    top.value = box.current?.scrollTop ?? 0;
    follow.scrolled();
  };

  const begin = (event: PointerEvent): void => {
    const found = tool.peek() === "none" || !event.isPrimary || event.button !== 0 ? null : pointed(event);
    if (found === null || box.current === null) return;
    event.preventDefault();
    box.current.setPointerCapture(event.pointerId);
    ui.pdf.drawing.value = true;
    draft.value = null;
    let live: SVGPolylineElement | null = null;
    if (tool.peek() === "ink") {
      live = window.document.createElementNS("http://www.w3.org/2000/svg", "polyline");
      live.setAttribute("class", "ink mine");
      found.element.querySelector(".pdf-marks")?.append(live);
    }
    stroke.current = { page: found.page, from: found.at, points: [found.at], live };
  };
  const move = (event: PointerEvent): void => {
    const now = stroke.current;
    if (now === null) return;
    const element = box.current?.querySelector<HTMLElement>(`[data-page="${now.page}"]`);
    if (!element) return;
    for (const one of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) {
      const found = pointed(one, element);
      if (found !== null) now.points.push(found.at);
    }
    const last = now.points.at(-1);
    if (now.live !== null) now.live.setAttribute("points", line(now.points as [number, number][]));
    else if (last) draft.value = { page: now.page, ...boxOf(now.from, last) };
  };
  const end = (event: PointerEvent): void => {
    const now = stroke.current;
    stroke.current = null;
    ui.pdf.drawing.value = false;
    if (now === null) return;
    now.live?.remove();
    const last = now.points.at(-1) ?? now.from;
    const drawn = { page: now.page, ...boxOf(now.from, last) };
    draft.value = null;
    if (event.type === "pointercancel") return;
    if (tool.peek() === "ink") ui.call.pdf.mark(now.page, "ink", now.points);
    else if (tool.peek() === "sign") draft.value = { page: now.page, ...roomToSign(drawn, view.sizes[now.page - 1] ?? []) }; // asked for by a button: a slip of the hand asks nothing
    else if (drawn.width > 0.004 && drawn.height > 0.002) {
      draft.value = drawn;
      settleDraft(ui);
    }
  };

  const press = (event: KeyboardEvent): void => {
    const now = draft.peek();
    const element = box.current;
    if (event.target !== element || element === null || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && tool.peek() !== "none") {
      if (now !== null) draft.value = null;
      else takeTool(ui, "none");
    } else if (event.key === "Enter" && now !== null) settleDraft(ui);
    else if (event.key === "Enter" && (tool.peek() === "sign" || tool.peek() === "highlight")) {
      draft.value = firstDraft(ui, all, element, view);
      announce(t("pdf.hint.draft"));
    } else {
      const by = ARROWS[event.key];
      if (now === null || by === undefined) return;
      draft.value = moved(now, by, event.shiftKey);
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div
      ref={box}
      class={`pdf-scroll${tool.value === "none" ? "" : " in-hand"}`}
      role="group"
      tabIndex={0}
      aria-label={t("pdf.pages")}
      data-top={Math.round(top.value)}
      onScroll={scrolled}
      onPointerDown={begin}
      onPointerMove={move}
      onPointerUp={end}
      onPointerCancel={end}
      onKeyDown={press}
    >
      <div class="pdf-paper" style={{ height: `${totalHeight(all)}px`, width: `${width}px` }}>
        {size.value.width > 0 &&
          near.map((one) => {
            const room = all[one - 1];
            return room && <PdfPage key={one} document={document} page={one} room={room} onDrawn={onDrawn} />;
          })}
      </div>
    </div>
  );
}
