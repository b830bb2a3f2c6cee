/** The signature in its place in the document, before it is sent. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Box } from "../../../core/pdfPlaces";
import type { PdfAsked, PdfShown } from "../../../protocol.gen";
import { t } from "../../../i18n";
import { Button } from "../../../ui/Button";
import { Dialog } from "../../../ui/Dialog";
import { codeText } from "../../../ui/problems";
import { useCall } from "../ui";
import type { PdfDocument } from "./engine";
import { Written, shapeOf } from "./Pad";
import { percent } from "./PdfPage";

const WIDE = 1_000; // device pixels of the part that is shown

/** The whole width of the page, and some of what stands above and below the box. */
export function around(asked: Box, [across = 595, down = 842]: readonly number[]): Box {
  const height = Math.min(1, Math.max(asked.height * 2.2, (across / down) * 0.5));
  return { x: 0, y: Math.min(Math.max(0, asked.y + asked.height / 2 - height / 2), 1 - height), width: 1, height };
}

/** `document`: read from the very file that is asked for. Made anew for another one. */
export function Review({ asked, document, view }: { asked: PdfAsked; document: PdfDocument; view: PdfShown }) {
  const ui = useCall();
  const { pdf } = ui.call;
  const { strokes, signing } = ui.pdf;
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useSignal(false);
  const part = around(asked, view.sizes[asked.page - 1] ?? []);
  useEffect(() => {
    if (canvas.current === null) return;
    const drawing = document.draw(asked.page, canvas.current, WIDE, part);
    drawing.done.then(
      () => (drawn.value = true),
      () => undefined,
    );
    return () => drawing.stop();
  }, [document]);
  const within = { x: (asked.x - part.x) / part.width, y: (asked.y - part.y) / part.height, width: asked.width / part.width, height: asked.height / part.height };
  const refused = pdf.refused.value;
  return (
    <Dialog broad title={t("pdf.review.title")} onClose={() => (signing.value = "card")}>
      <div class="pdf-review" role="img" aria-label={t("pdf.review.picture")} data-drawn={drawn.value} style={{ "--shape": String(shapeOf(view, asked.page, part)) }}>
        <canvas ref={canvas} class="pdf-canvas" aria-hidden />
        <div class="pdf-box signed" style={percent(within)}>
          <Written strokes={strokes.value} />
        </div>
      </div>
      <p>{t("pdf.review.text", { n: asked.page })}</p>
      {refused !== null && (
        <p class="field-error" role="alert">
          {t("pdf.review.refused", { why: codeText(refused) })}
        </p>
      )}
      <div class="pair">
        <Button onClick={() => (signing.value = "pad")}>{t("pdf.review.back")}</Button>
        <Button look="primary" busy={pdf.signing.value} disabled={!drawn.value} onClick={() => pdf.sign({ pdf: view.id, request: asked.request, sha256: asked.sha256 }, strokes.peek())}>
          {t("pdf.review.yes")}
        </Button>
      </div>
      <Button wide look="plain" onClick={() => (signing.value = "decline")}>
        {t("pdf.sign.no")}
      </Button>
    </Dialog>
  );
}
