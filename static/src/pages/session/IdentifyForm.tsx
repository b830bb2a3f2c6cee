/** The way without a face: how the agent knows who it is, in kinds of proof and in words, for a colleague who reviews it. */
import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { hasWords, t } from "../../i18n";
import type { CaseBrief, Proof } from "../../protocol.gen";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { Notice, TextField } from "../../ui/controls";
import { asProblem, problemText } from "../../ui/problems";
import { useCall } from "./ui";

export const PROOFS: readonly Proof[] = ["document_seen", "questions_answered", "called_back", "known_in_person"];
export const MAX_NOTE = 500;

function words(problem: unknown): string {
  const key = `staff.identify.problem.${asProblem(problem).code}`;
  if (hasWords(key)) return t(key);
  return asProblem(problem).code === "unknown" ? t("staff.identify.problem.other") : problemText(asProblem(problem));
}

export function IdentifyForm({ one, onDone }: { one: CaseBrief; onDone: () => void }) {
  const { call } = useCall();
  const name = useId();
  const chosen = useSignal<ReadonlySet<Proof>>(new Set());
  const note = useSignal("");
  const tried = useSignal(false);
  const busy = useSignal(false);
  const error = useSignal<string | null>(null);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector<HTMLElement>("input")?.focus(), []);
  const noProof = tried.value && chosen.value.size === 0;
  const noNote = tried.value && note.value.trim() === "";
  const toggle = (proof: Proof) => {
    const now = new Set(chosen.value);
    if (!now.delete(proof)) now.add(proof);
    chosen.value = now;
  };
  const send = async () => {
    tried.value = true;
    error.value = null;
    if (chosen.value.size === 0 || note.value.trim() === "") return;
    busy.value = true;
    try {
      await call.identify(one.case, PROOFS.filter((proof) => chosen.value.has(proof)), note.value.trim());
      announce(t("staff.identify.sent"));
      onDone();
    } catch (problem) {
      error.value = words(problem);
    } finally {
      busy.value = false;
    }
  };
  return (
    <form
      ref={form}
      class="stack"
      aria-label={t("staff.identify.title")}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy.value) void send();
      }}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation(); // the panel stays
        onDone();
      }}
    >
      <h3 class="sub">{t("staff.identify.title")}</h3>
      <p class="small">{t("staff.identify.under")}</p>
      {error.value && <Notice kind="bad">{error.value}</Notice>}
      <fieldset class="stack tight proofs" aria-describedby={noProof ? `${name}-e` : undefined}>
        <legend>{t("staff.identify.how")}</legend>
        {PROOFS.map((proof) => (
          <label key={proof} class="checkpoint">
            <input type="checkbox" checked={chosen.value.has(proof)} onChange={() => toggle(proof)} />
            <span class="grow">{t(`reviews.proof.${proof}`)}</span>
          </label>
        ))}
        {noProof && (
          <p id={`${name}-e`} class="field-error" role="alert">
            {t("staff.identify.how.missing")}
          </p>
        )}
      </fieldset>
      <TextField
        label={t("staff.identify.note")}
        hint={t("staff.identify.note.hint")}
        error={noNote ? t("staff.identify.note.missing") : null}
        maxLength={MAX_NOTE}
        lines={4}
        value={note.value}
        onInput={(text) => (note.value = text)}
      />
      <div class="row wrap">
        <Button submit look="primary" busy={busy.value}>
          {t("staff.identify.go")}
        </Button>
        <Button look="plain" onClick={onDone}>
          {t("cancel")}
        </Button>
      </div>
    </form>
  );
}
