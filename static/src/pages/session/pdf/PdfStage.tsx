/** The PDF in the place of the pictures, with what one does with it above and below. */
import { ChevronLeft, ChevronRight, Eye, MoveHorizontal, RotateCw, Video, ZoomIn, ZoomOut } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useCallback } from "preact/hooks";
import "../../../styles/pdf.css";
import type { PdfShown } from "../../../protocol.gen";
import { t } from "../../../i18n";
import { Button, IconButton } from "../../../ui/Button";
import { personName } from "../../../ui/words";
import { PictureStrip } from "../Stage";
import { useCall } from "../ui";
import type { PdfDocument } from "./engine";
import type { Drawn } from "./PdfPage";
import { PdfPages } from "./PdfPages";
import { SignCard } from "./SignCard";
import { Standing } from "./Standing";
import { ZOOMS } from "./state";
import { Tools } from "./Tools";
import { useDocument } from "./useDocument";

/** Who turns the pages now. */
function Lead() {
  const { call } = useCall();
  const { by } = call.pdf.look.value;
  const leader = call.others.value.find(({ id }) => id === by);
  return (
    <p class="pdf-lead small">
      <Eye size={16} strokeWidth={1.75} aria-hidden />
      <span class="one-line">{by !== null && by === call.me.value?.id ? t("pdf.lead.me") : leader ? t("pdf.lead", { name: personName(leader) }) : t("pdf.lead.nobody")}</span>
    </p>
  );
}

function Turning({ view }: { view: PdfShown }) {
  const ui = useCall();
  const { page, zoom } = ui.pdf;
  const words = ui.variant === "customer";
  const now = page.value;
  const larger = ZOOMS.find((step) => step > zoom.value);
  const smaller = ZOOMS.findLast((step) => step < zoom.value);
  const turn = (to: number): void => ui.pdf.go?.(to);
  return (
    <div class={`pdf-turning${words ? " broad" : ""}`}>
      <div class="pdf-group" role="group" aria-label={t("pdf.tools.pages")}>
        {words ? (
          <Button icon={ChevronLeft} disabled={now <= 1} label={t("pdf.page.previous")} onClick={() => turn(now - 1)}>
            {t("pdf.page.previous.short")}
          </Button>
        ) : (
          <IconButton icon={ChevronLeft} label={t("pdf.page.previous")} onClick={() => now > 1 && turn(now - 1)} />
        )}
        <span class="pdf-number" aria-label={t("pdf.page", { n: now, all: view.pages })} role="img">
          {t("pdf.page.short", { n: now, all: view.pages })}
        </span>
        {words ? (
          <Button icon={ChevronRight} disabled={now >= view.pages} label={t("pdf.page.next")} onClick={() => turn(now + 1)}>
            {t("pdf.page.next.short")}
          </Button>
        ) : (
          <IconButton icon={ChevronRight} label={t("pdf.page.next")} onClick={() => now < view.pages && turn(now + 1)} />
        )}
      </div>
      <div class="pdf-group" role="group" aria-label={t("pdf.tools.size")}>
        <IconButton icon={ZoomOut} label={t("pdf.zoom.out")} onClick={() => (zoom.value = smaller ?? 1)} />
        <IconButton icon={ZoomIn} label={t("pdf.zoom.in")} onClick={() => (zoom.value = larger ?? zoom.value)} />
        {!words && <IconButton icon={MoveHorizontal} label={t("pdf.zoom.fit")} pressed={zoom.value === 1} onClick={() => (zoom.value = 1)} />}
      </div>
    </div>
  );
}

export function PdfStage({ view }: { view: PdfShown }) {
  const ui = useCall();
  const { document, sha256, failed, again } = useDocument(ui.call.pdf);
  const seen = useSignal<{ document: PdfDocument | null; pages: readonly number[] }>({ document: null, pages: [] });
  const onDrawn = useCallback<Drawn>((of, page) => {
    const before = seen.peek();
    if (before.document !== of) seen.value = { document: of, pages: [page] };
    else if (!before.pages.includes(page)) seen.value = { document: of, pages: [...before.pages, page] };
  }, []);
  const asked = ui.call.pdf.asked.value;
  const asksThis = document !== null && asked !== null && asked.sha256 === sha256 && seen.value.document === document && seen.value.pages.includes(asked.page);
  const customer = ui.variant === "customer";
  return (
    <section class="stage pdf-stage" aria-label={t("pdf.stage", { name: view.name })}>
      <header class="pdf-head">
        <div class="pdf-title">
          <h2 class="pdf-name one-line" dir="auto">
            {view.name}
          </h2>
          <Lead />
        </div>
        <IconButton icon={Video} label={t("pdf.hide")} onClick={() => (ui.pdf.shown.value = false)} />
      </header>
      {!customer && <Tools turning={<Turning view={view} />} />}
      <Standing />
      <div class="pdf-room" aria-busy={document === null && failed === null}>
        <PdfPages key={view.id} view={view} document={document} onDrawn={onDrawn} />
        {document === null && (
          <div class="pdf-before">
            {failed !== null ? (
              <div class="card stack" role="alert">
                <h2>{t("pdf.failed.title")}</h2>
                <p>{t(failed === "changed" ? "pdf.failed.changed" : "pdf.failed.text")}</p>
                <Button icon={RotateCw} onClick={again}>
                  {t("retry")}
                </Button>
              </div>
            ) : (
              <p role="status">{t("pdf.loading")}</p>
            )}
          </div>
        )}
      </div>
      {customer && <SignCard document={asksThis ? document : null} loaded={document !== null} view={view} />}
      {customer && <Turning view={view} />}
      <PictureStrip />
    </section>
  );
}
