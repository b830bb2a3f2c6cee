/** For the customer: a signature is asked for. Nothing is signed before two yeses: after writing it, and after seeing it in its place. */
import { Crosshair, PenLine } from "lucide-preact";
import { useEffect } from "preact/hooks";
import type { PdfShown } from "../../../protocol.gen";
import { t } from "../../../i18n";
import { Button } from "../../../ui/Button";
import { Confirm } from "../../../ui/Dialog";
import { roleName } from "../../../ui/words";
import { useCall } from "../ui";
import type { PdfDocument } from "./engine";
import { Pad } from "./Pad";
import { Review } from "./Review";

/** `document`: read from the very file that is asked for, with that page on the screen; null before, and nothing can be signed. */
export function SignCard({ document, loaded, view }: { document: PdfDocument | null; loaded: boolean; view: PdfShown }) {
  const ui = useCall();
  const { pdf } = ui.call;
  const { signing, strokes } = ui.pdf;
  const asked = pdf.asked.value;
  const { id } = view;
  const request = asked?.request;
  useEffect(() => {
    if (asked !== null) ui.pdf.go?.(asked.page, asked, true);
  }, [id, request, loaded]);
  if (asked === null) return null;
  const by = ui.call.others.value.find(({ id }) => id === asked.by);
  const now = signing.value;
  return (
    <>
      <section class="card stack tight pdf-sign" aria-label={t("pdf.asked.box")}>
        <h2>{t("pdf.sign.title", { name: by?.name || roleName(by?.role ?? "agent") })}</h2>
        {pdf.interrupted.value && <p>{t("pdf.interrupted.customer")}</p>}
        <p>{t(document === null ? "pdf.sign.wait" : "pdf.sign.text")}</p>
        <div class="pdf-answers">
          <Button look="primary" icon={PenLine} disabled={document === null} onClick={() => (signing.value = strokes.peek().length > 0 ? "review" : "pad")}>
            {t("pdf.sign.go")}
          </Button>
          <Button icon={Crosshair} label={t("pdf.sign.where")} onClick={() => ui.pdf.go?.(asked.page, asked)}>
            {t("pdf.sign.where")}
          </Button>
          <Button onClick={() => (signing.value = "decline")}>{t("pdf.sign.no")}</Button>
        </div>
      </section>
      {now === "pad" && document !== null && <Pad key={`${id}/${asked.request}/${asked.sha256}`} asked={asked} view={view} />}
      {now === "review" && document !== null && <Review key={`${id}/${asked.request}/${asked.sha256}`} asked={asked} document={document} view={view} />}
      {now === "decline" && (
        <Confirm
          title={t("pdf.sign.no.title")}
          text={t("pdf.sign.no.text")}
          yes={t("pdf.sign.no.yes")}
          no={t("pdf.sign.no.back")}
          onYes={() => {
            signing.value = "card";
            pdf.decline({ pdf: id, request: asked.request });
          }}
          onNo={() => (signing.value = "card")}
        />
      )}
    </>
  );
}
