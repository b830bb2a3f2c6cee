/** One case that waits for a person: everything to decide by, and the decision. */
import { ArrowLeft } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Reviews } from "../../../core/reviews";
import { hasWords, language, t } from "../../../i18n";
import type { EarlierReview, ReviewDetail, ReviewedAttempt, StaffId } from "../../../protocol.gen";
import { Button } from "../../../ui/Button";
import { span, useNow } from "../../../ui/clock";
import { Notice } from "../../../ui/controls";
import { asProblem, problemText } from "../../../ui/problems";
import { shortReference } from "../../customer/Done";
import { Checks, Identified, Reasons, Risk } from "./Checks";
import { Decide } from "./Decide";
import { Pictures } from "./Pictures";
import { Countdown } from "./ReviewList";
import { byWords, detailName, detailValue, moment } from "./words";

function Head({ detail }: { detail: ReviewDetail }) {
  const { review } = detail;
  const now = useNow();
  const left = Date.parse(review.review_until) - now;
  const facts: readonly (readonly [string, string])[] = [
    [t("reviews.customer"), review.customer],
    [t("reviews.session"), review.session === null ? t("reviews.no_session") : shortReference(review.session)],
    [t("reviews.until"), left > 0 ? t("reviews.until.at", { time: moment(review.review_until), left: span(left) }) : t("reviews.over")],
    [t("reviews.asked_at"), moment(review.created_at)],
    [t("reviews.case"), review.id],
  ];
  return (
    <header class="stack tight">
      <div class="row wrap">
        <h1 class="grow" dir="auto">
          {review.title[language.value]}
        </h1>
        {review.second && <span class="chip">{t("reviews.second")}</span>}
        <Countdown until={review.review_until} now={now} />
      </div>
      <dl class="case-facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd dir="auto">{value}</dd>
          </div>
        ))}
      </dl>
    </header>
  );
}

function Details({ details }: { details: ReviewDetail["details"] }) {
  const rows = Object.entries(details ?? {});
  return (
    <section class="stack tight" aria-labelledby="review-details">
      <h2 id="review-details" class="sub">
        {t("reviews.details")}
      </h2>
      {rows.length === 0 ? (
        <p class="soft">{t(details === null ? "reviews.details.gone" : "reviews.details.none")}</p>
      ) : (
        <dl class="review-details">
          {rows.map(([key, value]) => (
            <div key={key}>
              <dt title={key}>{detailName(key)}</dt>
              <dd dir="auto">{detailValue(value)}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

function Earlier({ reviews, me }: { reviews: readonly EarlierReview[]; me: StaffId }) {
  return (
    <section class="stack tight" aria-labelledby="review-earlier">
      <h2 id="review-earlier" class="sub">
        {t("reviews.earlier")}
      </h2>
      <ul class="stack tight">
        {reviews.map((one) => (
          <li key={one.at}>
            <p class="small soft">{t(one.approved ? "reviews.earlier.approved" : "reviews.earlier.declined", { by: byWords(one.by, me), time: moment(one.at) })}</p>
            <p class="prose" dir="auto">
              {one.reason}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function attemptWords(one: ReviewedAttempt): string {
  const how = `${t("reviews.attempt", { n: one.attempt.number })} · ${t(`reviews.outcome.${one.attempt.outcome ?? "none"}`)}`;
  return one.excused ? `${how} · ${t("reviews.excused")}` : how;
}

function Attempts({ attempts, chosen, onChoose }: { attempts: readonly ReviewedAttempt[]; chosen: number; onChoose: (index: number) => void }) {
  return (
    <div class="attempts" role="group" aria-label={t("reviews.attempts")}>
      {attempts.map((one, index) => (
        <button key={one.attempt.id} type="button" class="tab" aria-pressed={index === chosen} onClick={() => onChoose(index)}>
          {attemptWords(one)}
        </button>
      ))}
    </div>
  );
}

export interface ReviewPageProps {
  reviews: Reviews;
  me: StaffId;
  id: string;
  draft: string;
  onDraft: (text: string) => void;
  onNext: (() => void) | null;
  onBack: () => void;
}

export function ReviewPage(props: ReviewPageProps) {
  const { reviews, id } = props;
  const detail = useSignal<ReviewDetail | null>(null);
  const problem = useSignal<unknown>(null);
  const chosen = useSignal<number | null>(null); // null: the newest
  const asked = useRef(0);
  const load = async () => {
    const turn = ++asked.current;
    problem.value = null;
    try {
      const found = await reviews.open(id);
      if (turn === asked.current) detail.value = found;
    } catch (error) {
      if (turn !== asked.current) return;
      problem.value = error;
      void reviews.refresh();
    }
  };
  useEffect(() => {
    void load();
    return () => {
      asked.current += 1; // an answer that comes later is nobody's
    };
  }, [id]);
  const entry = [...(reviews.queue.value ?? []), ...(reviews.found.value ?? [])].find((one) => one.id === id);
  useEffect(() => {
    // A colleague's approval makes it the second one: their words belong to what is decided by.
    if (entry && detail.value && entry.second !== detail.value.review.second) void load();
  }, [entry?.second]);

  const found = detail.value;
  if (found === null) {
    return problem.value === null ? (
      <div class="review-case stack" role="status" aria-label={t("loading")}>
        <div class="skeleton" />
        <div class="skeleton tall" />
        <div class="skeleton tall" />
      </div>
    ) : (
      <Missing problem={problem.value} onAgain={() => void load()} onNext={props.onNext} onBack={props.onBack} />
    );
  }
  const { review, attempts } = found;
  const at = chosen.value ?? attempts.length - 1;
  const attempt = attempts[at];
  const why = review.why_not === null ? null : `reviews.${review.why_not}`;
  return (
    <>
      <article class="review-case stack" aria-label={review.title[language.value]} {...(review.yours ? {} : { tabIndex: 0 })}>
        <div class="review-back">
          <Button look="plain" icon={ArrowLeft} onClick={props.onBack}>
            {t("reviews.list.back")}
          </Button>
        </div>
        <Head detail={found} />
        {why !== null && hasWords(why) && <Notice>{t(why)}</Notice>}
        <div class={`review-parts${attempt ? "" : " is-alone"}`}>
          <div class="stack review-what">
            <section class="stack tight" aria-labelledby="review-why">
              <h2 id="review-why" class="sub">
                {t("reviews.why")}
              </h2>
              <Reasons codes={review.reasons} />
            </section>
            <Details details={found.details} />
            {found.reviews.length > 0 && <Earlier reviews={found.reviews} me={props.me} />}
            {found.identified && <Identified identified={found.identified} me={props.me} />}
          </div>
          {attempt && (
            <div class="stack review-seen">
              {attempts.length > 1 && <Attempts attempts={attempts} chosen={at} onChoose={(index) => (chosen.value = index)} />}
              <Pictures key={attempt.attempt.id} reviews={reviews} id={id} attempt={attempt} may={review.yours} under={`${t(`reviews.kind.${attempt.attempt.assurance}`)} · ${moment(attempt.attempt.started_at)}`} />
              <div class="review-found">
                <Checks attempt={attempt} />
                <Risk attempt={attempt} />
              </div>
            </div>
          )}
        </div>
      </article>
      {review.yours && <Decide reviews={reviews} review={review} draft={props.draft} onDraft={props.onDraft} onNext={props.onNext} onBack={props.onBack} />}
    </>
  );
}

const GONE: ReadonlySet<string> = new Set(["not_in_review", "not_found", "wrong_state"]);

function Missing(props: { problem: unknown; onAgain: () => void; onNext: (() => void) | null; onBack: () => void }) {
  const problem = asProblem(props.problem);
  const gone = GONE.has(problem.code);
  return (
    <div class="review-case stack">
      {gone ? (
        <>
          <h1>{t("reviews.gone.title")}</h1>
          <p>{t("reviews.gone.text")}</p>
        </>
      ) : (
        <Notice kind="bad" action={<Button onClick={props.onAgain}>{t("retry")}</Button>}>
          {problemText(problem)}
        </Notice>
      )}
      <div class="row wrap">
        {gone && props.onNext && (
          <Button look="primary" onClick={props.onNext}>
            {t("reviews.next")}
          </Button>
        )}
        <Button look="plain" icon={ArrowLeft} onClick={props.onBack}>
          {t("reviews.list.back")}
        </Button>
      </div>
    </div>
  );
}
