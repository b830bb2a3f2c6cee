/** Approve and decline, on opposite sides of the reason that is asked for. The bar keeps its size, whatever it says. */
import { Check, X } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { stillWaits } from "../../../core/reviews";
import type { Reviews } from "../../../core/reviews";
import { t } from "../../../i18n";
import { reasonWords } from "../../../i18n/reasons";
import type { ReviewDecision, ReviewEntry, VerificationView } from "../../../protocol.gen";
import { announce } from "../../../ui/announce";
import { Button } from "../../../ui/Button";
import { asProblem, problemText } from "../../../ui/problems";
import { useKeys } from "../../session/events";

export const MAX_REASON = 500;

/** What came of it, in words. */
export function doneWords(decision: ReviewDecision, view: Pick<VerificationView, "state" | "verdict">): string {
  if (view.state === "accepted" || view.state === "second_review") return t(`reviews.done.${view.state}`);
  if (decision === "decline") return t("reviews.done.rejected");
  if (view.state === "rejected") return t("reviews.done.against", { why: reasonWords(view.verdict?.reasons[0] ?? "risk_rejected") });
  return t("reviews.done.other");
}

const LOST: ReadonlySet<string> = new Set(["offline", "unavailable", "internal", "unknown", "failed"]);

/** Why it was not taken. `waits`: whether it still waits, as far as is known. */
export function refusedWords(problem: unknown, waits: boolean, overdue: boolean): string {
  const { code } = asProblem(problem);
  if (code === "not_in_review" || code === "wrong_state" || code === "not_found") return t(overdue ? "reviews.too_late" : "reviews.meanwhile");
  if (code === "not_allowed") return t("reviews.refused");
  if (code === "risk_unavailable") return t("reviews.risk_unavailable");
  if (code === "customer_locked" || code === "locked") return t("reviews.locked");
  if (LOST.has(code)) return t(waits ? "reviews.unknown" : "reviews.unknown.gone");
  return problemText(asProblem(problem));
}

export interface DecideProps {
  reviews: Reviews;
  review: ReviewEntry;
  draft: string;
  onDraft: (text: string) => void;
  onNext: (() => void) | null;
  onBack: () => void;
}

export function Decide({ reviews, review, draft, onDraft, onNext, onBack }: DecideProps) {
  const id = useId();
  const text = useSignal(draft);
  const missing = useSignal(false);
  const busy = useSignal<ReviewDecision | null>(null);
  const refused = useSignal<string | null>(null);
  const done = useSignal<string | null>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const waits = stillWaits(reviews, review);
  const gone = reviews.queue.value !== null && !waits && busy.value === null && done.value === null;
  const over = done.value !== null || gone;
  useKeys({ f: () => field.current?.focus() }, !over);
  useEffect(() => {
    if (gone && refused.peek() === null) announce(goneWords(review));
  }, [gone]);

  const decide = async (decision: ReviewDecision) => {
    const reason = text.value.trim();
    missing.value = reason === "";
    refused.value = null;
    if (missing.value) {
      field.current?.focus();
      return;
    }
    busy.value = decision;
    try {
      const view = await reviews.decide(review.id, decision, reason);
      done.value = doneWords(decision, view);
      onDraft("");
      announce(done.value);
    } catch (problem) {
      refused.value = refusedWords(problem, stillWaits(reviews, review), Date.now() >= Date.parse(review.review_until));
    } finally {
      busy.value = null;
    }
  };
  const said = done.value ?? (missing.value ? t("reviews.reason.missing") : null) ?? refused.value ?? (gone ? goneWords(review) : null);
  const bad = done.value === null && (missing.value || refused.value !== null || gone);
  const button = (decision: ReviewDecision) => (
    <Button icon={decision === "approve" ? Check : X} busy={busy.value === decision} disabled={over || (busy.value !== null && busy.value !== decision)} onClick={() => void decide(decision)}>
      {t(`reviews.${decision}`)}
    </Button>
  );
  return (
    <form class="decide" aria-label={t("reviews.decide")} onSubmit={(event) => event.preventDefault()}>
      <div class="decide-no">{button("decline")}</div>
      <div class="decide-why">
        <label for={id}>{t("reviews.reason")}</label>
        {over ? (
          <div class="decide-over">
            {onNext && (
              <Button look="primary" onClick={onNext}>
                {t("reviews.next")}
              </Button>
            )}
            <Button look="plain" onClick={onBack}>
              {t("reviews.list.back")}
            </Button>
          </div>
        ) : (
          <textarea
            ref={field}
            id={id}
            class="input"
            rows={2}
            dir="auto"
            maxLength={MAX_REASON}
            autoComplete="off"
            aria-required
            aria-keyshortcuts="f"
            aria-invalid={missing.value}
            aria-describedby={`${id}-s`}
            value={text.value}
            onInput={(event) => {
              text.value = event.currentTarget.value;
              missing.value = false;
              onDraft(text.value);
            }}
          />
        )}
        <p id={`${id}-s`} class={`decide-said small${bad ? " is-bad" : ""}`} role={bad ? "alert" : "status"}>
          {said ?? (review.second ? t("reviews.is_second") : t("reviews.reason.hint"))}
        </p>
      </div>
      <div class="decide-yes">{button("approve")}</div>
    </form>
  );
}

function goneWords(review: ReviewEntry): string {
  return t(Date.now() >= Date.parse(review.review_until) ? "reviews.too_late" : "reviews.meanwhile");
}
