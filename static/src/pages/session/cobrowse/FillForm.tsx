/** What is to stand in a field of the customer's page: proposed, or filled in at once. */
import { useSignal } from "@preact/signals";
import { MAX_VALUE_CHARS } from "../../../cobrowse.gen";
import { t } from "../../../i18n";
import type { Picked } from "../../../replay/messages";
import { Button } from "../../../ui/Button";
import { TextField } from "../../../ui/controls";
import { Dialog } from "../../../ui/Dialog";
import { useCall } from "../ui";

export function FillForm() {
  const field = useCall().page.fills.value;
  return field === null ? null : <Form key={`${field.page}.${field.node}`} field={field} />;
}

function Form({ field }: { field: Picked & { page: number } }) {
  const { call, page } = useCall();
  const value = useSignal("");
  const close = (): void => {
    page.fills.value = null;
  };
  const act = (kind: "propose" | "fill") => (): void => {
    call.cobrowse.act(field.page, field.node, kind, field.what, value.value);
    close();
  };
  return (
    <Dialog title={field.what === "" ? t("cobrowse.fill.nameless") : t("cobrowse.fill.title", { what: field.what })} onClose={close}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          act("propose")();
        }}
      >
        <div ref={(box) => box?.querySelector("input")?.setAttribute("data-first", "")}>
          <TextField label={t("cobrowse.fill.value")} hint={t("cobrowse.fill.text")} maxLength={MAX_VALUE_CHARS} value={value.value} onInput={(text) => (value.value = text)} />
        </div>
        <div class="pair">
          <Button onClick={act("fill")}>{t("cobrowse.fill.now")}</Button>
          <Button submit look="primary">
            {t("cobrowse.fill.propose")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
