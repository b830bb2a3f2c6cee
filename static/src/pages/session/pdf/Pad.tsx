/** Where the customer writes: a frame of the same shape as the place in the document, as large as the screen allows. */
import { RotateCcw, Undo2 } from "lucide-preact";
import { useRef } from "preact/hooks";
import { MAX_STROKES } from "../../../core/pdf";
import { inside } from "../../../core/pdfPlaces";
import type { Box } from "../../../core/pdfPlaces";
import type { PdfAsked, PdfShown } from "../../../protocol.gen";
import { counted, t } from "../../../i18n";
import { Button } from "../../../ui/Button";
import { Dialog } from "../../../ui/Dialog";
import { useCall } from "../ui";
import { line } from "./PdfPage";

type Strokes = readonly (readonly [number, number][])[];

/** Width over height of a box on the paper. */
export function shapeOf(view: PdfShown, page: number, box: Box): number {
  const [across, down] = view.sizes[page - 1] ?? [595, 842];
  return (box.width * across) / (box.height * down);
}

export function Written({ strokes }: { strokes: Strokes }) {
  return (
    <svg class="pdf-written" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden>
      {strokes.map((one, index) => (
        <polyline key={index} points={line(one)} />
      ))}
    </svg>
  );
}

export function Pad({ asked, view }: { asked: PdfAsked; view: PdfShown }) {
  const { strokes, signing } = useCall().pdf;
  const pen = useRef<number | null>(null);
  const drawn = strokes.value;
  const at = (event: PointerEvent, frame: HTMLElement): [number, number] => {
    const box = frame.getBoundingClientRect();
    return inside([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
  };
  const begin = (event: PointerEvent): void => {
    const frame = event.currentTarget;
    if (!(frame instanceof HTMLElement) || pen.current !== null || event.button !== 0 || strokes.peek().length >= MAX_STROKES) return;
    event.preventDefault();
    frame.setPointerCapture(event.pointerId);
    pen.current = event.pointerId;
    strokes.value = [...strokes.peek(), [at(event, frame)]];
  };
  const move = (event: PointerEvent): void => {
    const frame = event.currentTarget;
    if (!(frame instanceof HTMLElement) || pen.current !== event.pointerId) return;
    const all = strokes.peek();
    const several = event.getCoalescedEvents?.() ?? [];
    const more = (several.length > 0 ? several : [event]).map((one) => at(one, frame));
    strokes.value = [...all.slice(0, -1), [...(all.at(-1) ?? []), ...more]];
  };
  const end = (event: PointerEvent): void => {
    if (pen.current === event.pointerId) pen.current = null;
  };
  return (
    <Dialog broad title={t("pdf.pad.title")} onClose={() => (signing.value = "card")}>
      <p>{t("pdf.pad.text")}</p>
      <div
        class="pdf-pad"
        role="img"
        aria-label={`${t("pdf.pad.label")}. ${counted("pdf.pad.strokes", drawn.length)}`}
        style={{ "--shape": String(shapeOf(view, asked.page, asked)) }}
        onPointerDown={begin}
        onPointerMove={move}
        onPointerUp={end}
        onPointerCancel={end}
      >
        <span class="pdf-pad-line" aria-hidden />
        <Written strokes={drawn} />
      </div>
      <p class="hidden-text" role="status">
        {counted("pdf.pad.strokes", drawn.length)}
      </p>
      <div class="pair">
        <Button icon={Undo2} disabled={drawn.length === 0} onClick={() => (strokes.value = drawn.slice(0, -1))}>
          {t("pdf.pad.undo")}
        </Button>
        <Button icon={RotateCcw} disabled={drawn.length === 0} onClick={() => (strokes.value = [])}>
          {t("pdf.pad.clear")}
        </Button>
      </div>
      <Button wide look="primary" disabled={drawn.length === 0} onClick={() => (signing.value = "review")}>
        {t("pdf.pad.next")}
      </Button>
      <p class="small soft">{t("pdf.pad.cannot")}</p>
      <Button wide look="plain" onClick={() => (signing.value = "decline")}>
        {t("pdf.sign.no")}
      </Button>
    </Dialog>
  );
}
