/** To whom, how, and a note: a hand-over is offered. */
import { ArrowRightLeft } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Call, Colleague, Desk } from "../../core/model";
import { t } from "../../i18n";
import { Button } from "../../ui/Button";
import { Notice, RadioOption, TextField } from "../../ui/controls";
import { Dialog } from "../../ui/Dialog";
import { asProblem, problemText } from "../../ui/problems";
import { roleName } from "../../ui/words";

/** As many characters as the server takes. */
export const MAX_NOTE_CHARS = 500;

/** The free ones first, then by name. */
export function inOrder(colleagues: readonly Colleague[]): Colleague[] {
  return colleagues.toSorted((a, b) => Number(a.busy) - Number(b.busy) || a.name.localeCompare(b.name));
}

export function HandoverDialog(props: { desk: Pick<Desk, "colleagues">; call: Call; onClose: () => void }) {
  const found = useSignal<Colleague[] | null>(null);
  const problem = useSignal<string | null>(null);
  const to = useSignal<string | null>(null);
  const warm = useSignal(false);
  const note = useSignal("");
  const load = async () => {
    problem.value = null;
    try {
      found.value = inOrder(await props.desk.colleagues());
      if (!found.value.some(({ id }) => id === to.value)) to.value = null;
    } catch (error) {
      problem.value = problemText(asProblem(error));
    }
  };
  useEffect(() => void load(), []);
  const colleagues = found.value;
  const nobody = colleagues !== null && colleagues.length === 0;
  return (
    <Dialog title={t("handover.title")} onClose={props.onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          props.call.people.handOver(to.value, warm.value, note.value.trim(), found.value?.find(({ id }) => id === to.value)?.name);
          props.onClose();
        }}
      >
        {problem.value && (
          <Notice kind="bad" action={<Button onClick={() => void load()}>{t("retry")}</Button>}>
            {problem.value}
          </Notice>
        )}
        <fieldset class="reasons options">
          <legend>{t("handover.to")}</legend>
          {colleagues === null && !problem.value && (
            <div class="stack tight" role="status" aria-label={t("loading")}>
              <div class="skeleton" />
              <div class="skeleton" />
            </div>
          )}
          {nobody && (
            <Notice action={<Button onClick={() => void load()}>{t("retry")}</Button>}>{t("handover.nobody")}</Notice>
          )}
          {colleagues !== null && !nobody && (
            <>
              <RadioOption name="to" checked={to.value === null} title={t("handover.any")} under={t("handover.any.hint")} onChoose={() => (to.value = null)} />
              {colleagues.map((one) => (
                <RadioOption
                  key={one.id}
                  name="to"
                  checked={to.value === one.id}
                  title={one.name}
                  under={roleName(one.role)}
                  chip={<span class={one.busy ? "chip warn" : "chip"}>{t(one.busy ? "handover.busy" : "handover.free")}</span>}
                  onChoose={() => (to.value = one.id)}
                />
              ))}
            </>
          )}
        </fieldset>
        <fieldset class="reasons options">
          <legend>{t("handover.how")}</legend>
          <RadioOption name="how" checked={!warm.value} title={t("handover.cold")} under={t("handover.cold.hint")} onChoose={() => (warm.value = false)} />
          <RadioOption name="how" checked={warm.value} title={t("handover.warm")} under={t("handover.warm.hint")} onChoose={() => (warm.value = true)} />
        </fieldset>
        <TextField
          label={t("handover.note")}
          hint={t("handover.note.hint")}
          value={note.value}
          maxLength={MAX_NOTE_CHARS}
          lines={3}
          onInput={(text) => {
            note.value = text;
          }}
        />
        <Button look="primary" submit icon={ArrowRightLeft} disabled={colleagues === null || nobody}>
          {t("handover.go")}
        </Button>
      </form>
    </Dialog>
  );
}
