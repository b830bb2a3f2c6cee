/** For ever: a reason, and a word typed by hand. */
import { Trash2 } from "lucide-preact";
import { useSignal } from "@preact/signals";
import type { Reviewer } from "../../core/review/model";
import { t } from "../../i18n";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { TextField } from "../../ui/controls";
import { Dialog } from "../../ui/Dialog";
import { Problem } from "./Problem";

export function EraseDialog(props: { reviewer: Reviewer; id: string; onClose: () => void; onErased: () => void }) {
  const reason = useSignal("");
  const typed = useSignal("");
  const tried = useSignal(false);
  const busy = useSignal(false);
  const error = useSignal<unknown>(null);
  const word = t("review.erase.word");
  const meant = typed.value.trim().toLowerCase() === word;
  const erase = async () => {
    tried.value = true;
    if (reason.value.trim() === "" || !meant || busy.value) return;
    busy.value = true;
    error.value = null;
    try {
      await props.reviewer.erase(props.id, reason.value.trim());
      announce(t("review.erase.done"));
      props.onErased();
    } catch (problem) {
      error.value = problem;
    } finally {
      busy.value = false;
    }
  };
  return (
    <Dialog title={t("review.erase.title")} onClose={props.onClose} alert>
      <p>{t("review.erase.text")}</p>
      {error.value !== null && <Problem error={error.value} onRetry={() => void erase()} />}
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void erase();
        }}
      >
        <TextField
          label={t("review.erase.reason")}
          value={reason.value}
          maxLength={200}
          error={tried.value && reason.value.trim() === "" ? t("review.erase.reason.missing") : null}
          onInput={(value) => (reason.value = value)}
        />
        <TextField
          label={t("review.erase.type", { word })}
          value={typed.value}
          maxLength={20}
          error={tried.value && !meant ? t("review.erase.type.wrong", { word }) : null}
          onInput={(value) => (typed.value = value)}
        />
        <div class="pair">
          <Button onClick={props.onClose}>{t("cancel")}</Button>
          <Button look="danger" icon={Trash2} submit busy={busy.value}>
            {t("review.erase.yes")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
