/** What is known of a customer, written and corrected while one talks: experts see it at once. */
import { Pencil } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Desk } from "../../core/model";
import { t } from "../../i18n";
import type { SessionView, UpdateSession } from "../../protocol.gen";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { Notice, TextField } from "../../ui/controls";
import { asProblem, problemText } from "../../ui/problems";
import { ContextCard } from "../session/Side";

type Draft = Record<"customer_reference" | "reason" | "context", string>;

function draftOf(session: SessionView): Draft {
  return { customer_reference: session.customer_reference, reason: session.reason, context: session.context };
}

/** Only what was changed here: what a colleague changed meanwhile stays. */
export function changes(before: Draft, now: Draft): UpdateSession {
  return Object.fromEntries(Object.entries(now).filter(([name, text]) => text.trim() !== before[name as keyof Draft]).map(([name, text]) => [name, text.trim()]));
}

function Editor(props: { desk: Desk; session: SessionView; onDone: () => void; onSaved?: ((session: SessionView) => void) | undefined }) {
  const before = useRef(draftOf(props.session)).current;
  const draft = useSignal(before);
  const busy = useSignal(false);
  const error = useSignal<string | null>(null);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector<HTMLElement>("textarea")?.focus(), []);
  const set = (change: Partial<Draft>) => {
    draft.value = { ...draft.value, ...change };
  };
  const save = async () => {
    const change = changes(before, draft.value);
    busy.value = true;
    error.value = null;
    try {
      if (Object.keys(change).length > 0) {
        const saved = await props.desk.update(props.session.id, change);
        props.onSaved?.(saved);
      }
      announce(t("context.saved"));
      props.onDone();
    } catch (problem) {
      error.value = problemText(asProblem(problem));
    } finally {
      busy.value = false;
    }
  };
  return (
    <form
      ref={form}
      class="stack"
      aria-label={t("context.edit")}
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy.value) void save();
      }}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation(); // the panel stays
        props.onDone();
      }}
    >
      {error.value && <Notice kind="bad">{error.value}</Notice>}
      <TextField label={t("create.reference")} value={draft.value.customer_reference} maxLength={120} onInput={(customer_reference) => set({ customer_reference })} />
      <TextField label={t("create.reason")} value={draft.value.reason} maxLength={200} onInput={(reason) => set({ reason })} />
      <TextField label={t("create.context")} hint={t("create.context.hint")} value={draft.value.context} maxLength={4000} lines={7} onInput={(context) => set({ context })} />
      <div class="row wrap">
        <Button look="primary" submit busy={busy.value}>
          {t("save")}
        </Button>
        <Button look="plain" onClick={props.onDone}>
          {t("cancel")}
        </Button>
      </div>
    </form>
  );
}

export function EditableSummary(props: { desk: Desk; session: SessionView; editing?: boolean; onSaved?: (session: SessionView) => void }) {
  const editing = useSignal(props.editing ?? false);
  const box = useRef<HTMLDivElement>(null);
  const done = () => {
    editing.value = false;
    requestAnimationFrame(() => box.current?.querySelector("button")?.focus()); // where it was opened
  };
  return (
    <div ref={box} class="stack">
      {editing.value ? (
        <Editor desk={props.desk} session={props.session} onDone={done} onSaved={props.onSaved} />
      ) : (
        <>
          <ContextCard session={props.session} />
          <div>
            <Button icon={Pencil} onClick={() => (editing.value = true)}>
              {t(props.session.context ? "context.edit" : "context.write")}
            </Button>
          </div>
        </>
      )}
    </div>
  );
}
