/** How it stands with a signature: for staff always, for the customer once it is given. */
import { Download } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { t } from "../../../i18n";
import { Button } from "../../../ui/Button";
import { Notice } from "../../../ui/controls";
import { useCall } from "../ui";
import { mayOpen } from "./state";

function signedName(name: string): string {
  return `${name.replace(/\.pdf$/i, "")} (${t("pdf.signed.name")}).pdf`;
}

function Save() {
  const { pdf } = useCall().call;
  const busy = useSignal(false);
  const failed = useSignal(false);
  const save = async (): Promise<void> => {
    busy.value = true;
    failed.value = false;
    try {
      const link = document.createElement("a");
      link.href = await pdf.signedUrl(); // kept until the call ends
      link.download = signedName(pdf.open.peek()?.name ?? "");
      link.click();
    } catch {
      failed.value = true;
    } finally {
      busy.value = false;
    }
  };
  return (
    <>
      {failed.value && (
        <span class="field-error" role="alert">
          {t("pdf.signed.failed")}
        </span>
      )}
      <Button icon={Download} busy={busy.value} onClick={() => void save()}>
        {t("pdf.signed.save")}
      </Button>
    </>
  );
}

export function Standing() {
  const ui = useCall();
  const { pdf } = ui.call;
  const [asked, signed] = [pdf.asked.value, pdf.signed.value];
  const customer = ui.variant === "customer";
  if (asked !== null) {
    if (customer) return null;
    return (
      <Notice kind="quiet" action={mayOpen(ui.call) ? <Button onClick={() => pdf.cancelAsk()}>{t("pdf.asked.cancel")}</Button> : undefined}>
        {t("pdf.asked.agent", { n: asked.page })}
        {pdf.interrupted.value && <p>{t("pdf.interrupted.agent")}</p>}
      </Notice>
    );
  }
  if (signed !== null) {
    return (
      <Notice action={<Save />}>
        <strong>{t(customer ? "pdf.thanks.title" : "pdf.signed.agent")}</strong>
        {customer ? (
          <p>{t("pdf.thanks.text")}</p>
        ) : (
          <p class="small pdf-print">
            {t("pdf.signed.fingerprint")} <code>{signed.sha256}</code>
          </p>
        )}
      </Notice>
    );
  }
  if (pdf.declined.value && !customer) return <Notice kind="warn">{t("pdf.declined.agent")}</Notice>;
  return null;
}
