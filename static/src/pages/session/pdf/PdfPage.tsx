/** One page: its picture, what is drawn on it, and its words for those who listen. */
import { PenLine } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../../../i18n";
import { boxOf } from "../../../core/pdfPlaces";
import type { Box, PageRoom } from "../../../core/pdfPlaces";
import type { PdfMarkView } from "../../../protocol.gen";
import { useCall } from "../ui";
import type { PdfDocument } from "./engine";

const SHARPEST = 2; // device pixels per pixel; more is not seen on paper

export function line(points: readonly (readonly [number, number])[]): string {
  const [first] = points;
  const drawn = points.length === 1 && first !== undefined ? [first, [first[0] + 0.0005, first[1]] as const] : points; // a dot
  return drawn.map(([x, y]) => `${x},${y}`).join(" ");
}

/** Told when a page of a document stands on the screen. */
export type Drawn = (document: PdfDocument, page: number) => void;

function Picture({ document, page, width, onDrawn }: { document: PdfDocument; page: number; width: number; onDrawn: Drawn }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const state = useSignal<"drawing" | "drawn" | "failed">("drawing");
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    // Drawn beside what is seen and then put in its place: a page never goes blank while it changes its size.
    const beside = window.document.createElement("canvas");
    const drawing = document.draw(page, beside, Math.round(width * Math.min(devicePixelRatio, SHARPEST)));
    let over = false;
    drawing.done.then(
      () => {
        if (over) return;
        element.width = beside.width;
        element.height = beside.height;
        element.getContext("2d")?.drawImage(beside, 0, 0);
        element.dataset["drawn"] = String(page);
        state.value = "drawn";
        onDrawn(document, page);
      },
      () => {
        if (!over) state.value = "failed";
      },
    );
    return () => {
      over = true;
      drawing.stop();
    };
  }, [document, page, width]);
  return (
    <>
      <canvas ref={canvas} class="pdf-canvas" aria-hidden />
      {state.value !== "drawn" && <p class="pdf-wait">{t(state.value === "failed" ? "pdf.page.failed" : "pdf.page.drawing")}</p>}
    </>
  );
}

function Words({ document, page }: { document: PdfDocument; page: number }) {
  const text = useSignal("");
  useEffect(() => {
    let over = false;
    document.text(page).then(
      (found) => {
        if (!over) text.value = found;
      },
      () => undefined, // a page without words
    );
    return () => {
      over = true;
    };
  }, [document, page]);
  return (
    <div class="hidden-text" dir="auto">
      {text.value}
    </div>
  );
}

/** `mine`: of whom this page is. */
export function Marks({ marks, mine }: { marks: readonly PdfMarkView[]; mine: string }) {
  return (
    <svg class="pdf-marks" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden>
      {marks.map(({ mark, by, kind, points }) => {
        const key = `${by}/${mark}`;
        const look = by === mine ? "mine" : "theirs";
        if (kind === "ink") return <polyline key={key} class={`ink ${look}`} points={line(points)} />;
        const [from, to] = points;
        return from && to ? <rect key={key} class={`highlight ${look}`} {...boxOf(from, to)} /> : null;
      })}
    </svg>
  );
}

export function percent({ x, y, width, height }: Box): Record<"left" | "top" | "width" | "height", string> {
  return { left: `${x * 100}%`, top: `${y * 100}%`, width: `${width * 100}%`, height: `${height * 100}%` };
}

export function PdfPage({ document, page, room, onDrawn }: { document: PdfDocument | null; page: number; room: PageRoom; onDrawn: Drawn }) {
  const ui = useCall();
  const { pdf } = ui.call;
  const asked = pdf.asked.value;
  const draft = ui.pdf.draft.value;
  const all = pdf.open.value?.pages ?? page;
  return (
    <section class="pdf-page" data-page={page} aria-label={t("pdf.page", { n: page, all })} style={{ top: `${room.top}px`, width: `${room.width}px`, height: `${room.height}px` }}>
      {document !== null && <Picture document={document} page={page} width={room.width} onDrawn={onDrawn} />}
      {document !== null && <Words document={document} page={page} />}
      <Marks marks={pdf.marks.value.filter((one) => one.page === page)} mine={ui.call.me.value?.id ?? ""} />
      {asked?.page === page && (
        <div class="pdf-box asked" style={percent(asked)}>
          <span class="pdf-box-name">
            <PenLine size={16} strokeWidth={2} aria-hidden />
            {t("pdf.asked.box")}
          </span>
        </div>
      )}
      {draft?.page === page && <div class={`pdf-box draft ${ui.pdf.tool.value}`} style={percent(draft)} />}
    </section>
  );
}
