/** Above the stage: a PDF on its way to the others, one that is open while one looks at something else; and the question whether to close it. */
import { hasWords, t } from "../../../i18n";
import { Button } from "../../../ui/Button";
import { Notice } from "../../../ui/controls";
import { Confirm } from "../../../ui/Dialog";
import { codeText } from "../../../ui/problems";
import { useCall } from "../ui";
import { choosePdf, isPdfShown, mayOpen } from "./state";

function why(code: string): string {
  const key = `pdf.problem.${code}`;
  return hasWords(key) ? t(key) : codeText(code);
}

export function PdfOffer() {
  const ui = useCall();
  const { pdf } = ui.call;
  const sending = pdf.sending.value;
  const open = pdf.open.value;
  return (
    <>
      {sending !== null &&
        (sending.error === null ? (
          <Notice kind="quiet">{t("pdf.sending", { name: sending.name, n: Math.round(sending.progress * 100) })}</Notice>
        ) : (
          <Notice
            kind="bad"
            action={
              <>
                {mayOpen(ui.call) && <Button onClick={() => choosePdf(ui.call)}>{t("retry")}</Button>}
                <Button look="plain" onClick={() => pdf.putAwaySending()}>
                  {t("close")}
                </Button>
              </>
            }
          >
            {t("pdf.sending.failed", { name: sending.name })} {why(sending.error)}
          </Notice>
        ))}
      {open !== null && !isPdfShown(ui) && ui.call.me.value?.on_hold !== true && (
        <Notice
          action={
            <Button look={pdf.asked.value === null ? "secondary" : "primary"} onClick={() => (ui.pdf.shown.value = true)}>
              {t("pdf.offer.open")}
            </Button>
          }
        >
          {t("pdf.offer", { name: open.name })}
        </Notice>
      )}
    </>
  );
}

export function CloseQuestion() {
  const ui = useCall();
  const { closing } = ui.pdf;
  if (!closing.value || ui.call.pdf.open.value === null) return null;
  const no = (): void => void (closing.value = false);
  return (
    <Confirm
      title={t("pdf.close.title")}
      text={t("pdf.close.text")}
      yes={t("pdf.close.yes")}
      no={t("pdf.close.no")}
      onYes={() => {
        no();
        ui.call.pdf.close();
      }}
      onNo={no}
    />
  );
}
