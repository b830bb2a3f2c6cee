/** What is to stand in a field of the customer's page: proposed, or filled in at once. */
import { useSignal } from "@preact/signals";
import { MAX_VALUE_CHARS } from "../../../cobrowse.gen";
import { t } from "../../../i18n";
import type { Picked } from "../../../replay/messages";
import { Button } from "../../../ui/Button";
import { TextField } from "../../../ui/controls";
import { Dialog } from "../../../ui/Dialog";
import { useCall } from "../ui";
import { may } from "./state";

export function FillForm() {
  const field = useCall().page.fills.value;
  return field === null ? null : <Form key={`${field.page}.${field.node}`} field={field} />;
}

function Form({ field }: { field: Picked & { page: number } }) {
  const { call, page } = useCall();
  const value = useSignal("");
  const [proposes, fills] = [may(call, "point"), may(call, "fill")];
  const title = fills ? "fill" : "propose";
  const close = (): void => {
    page.fills.value = null;
  };
  const act = (kind: "propose" | "fill") => (): void => {
    call.cobrowse.act(field.page, field.node, kind, field.what, value.value);
    close();
  };
  return (
    <Dialog title={field.what === "" ? t(`cobrowse.${title}.nameless`) : t(`cobrowse.${title}.title`, { what: field.what })} onClose={close}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          act(proposes ? "propose" : "fill")();
        }}
      >
        <div ref={(box) => box?.querySelector("input")?.setAttribute("data-first", "")}>
          <TextField label={t("cobrowse.fill.value")} {...(proposes && { hint: t("cobrowse.fill.text") })} maxLength={MAX_VALUE_CHARS} value={value.value} onInput={(text) => (value.value = text)} />
        </div>
        <div class="pair">
          {proposes && fills && <Button onClick={act("fill")}>{t("cobrowse.fill.now")}</Button>}
          <Button submit look="primary">
            {t(proposes ? "cobrowse.fill.propose" : "cobrowse.fill.now")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
