/** What the machine found: each check with its figure and its reasons in words, the risk, what a person said instead. */
import { CircleCheck, CircleHelp, CircleX } from "lucide-preact";
import { counted, language, t } from "../../../i18n";
import { reasonWords } from "../../../i18n/reasons";
import type { CheckView, IdentifiedView, ReviewedAttempt, StaffId } from "../../../protocol.gen";
import { Notice } from "../../../ui/controls";
import { byWords, figure, moment, share } from "./words";

/** `excused`: those of them that a fault of ours explains. */
export function Reasons({ codes, excused = [] }: { codes: readonly string[]; excused?: readonly string[] }) {
  return (
    <ul class="why-list">
      {codes.map((code) => (
        <li key={code} title={code}>
          {excused.includes(code) ? t("reviews.excused.reason", { why: reasonWords(code) }) : reasonWords(code)}
        </li>
      ))}
    </ul>
  );
}

const MARKS = { pass: CircleCheck, refer: CircleHelp, fail: CircleX } as const;

function CheckRow({ check, least }: { check: CheckView; least: number | null }) {
  const Mark = MARKS[check.outcome];
  const figures = check.score === null ? null : least === null ? figure(check.score) : t("reviews.check.figure", { score: figure(check.score), least: figure(least) });
  return (
    <li class={`finding is-${check.outcome}`}>
      <Mark size={20} strokeWidth={1.75} aria-hidden />
      <div class="grow">
        <div class="row wrap finding-head">
          <strong>{t(`reviews.check.${check.name}`)}</strong>
          <span>{t(`reviews.check.${check.outcome}`)}</span>
          {figures !== null && <span class="soft">{figures}</span>}
        </div>
        {check.reasons.length > 0 && <Reasons codes={check.reasons} excused={check.excused} />}
      </div>
    </li>
  );
}

export function Checks({ attempt }: { attempt: ReviewedAttempt }) {
  return (
    <section class="stack tight" aria-labelledby="review-checks">
      <h2 id="review-checks" class="sub">
        {t("reviews.checks")}
      </h2>
      {attempt.fault !== null && <p>{t("reviews.fault", { why: reasonWords(attempt.fault) })}</p>}
      {attempt.excused && <Notice kind="quiet">{t("reviews.excused.attempt")}</Notice>}
      {attempt.checks.length === 0 ? (
        attempt.fault === null && <p class="soft">{t("reviews.checks.none")}</p>
      ) : (
        <ul class="findings">
          {attempt.checks.map((check) => (
            <CheckRow key={check.name} check={check} least={check.name === "match" ? attempt.match_threshold : null} />
          ))}
        </ul>
      )}
      {attempt.frames > 0 && (
        <p class="small soft">
          {counted("reviews.frames", attempt.frames)}
          {attempt.pack_name && ` · ${t("reviews.pack", { name: attempt.pack_name })}`}
        </p>
      )}
    </section>
  );
}

export function Risk({ attempt }: { attempt: ReviewedAttempt }) {
  const { risk_level: level, risk_score: score } = attempt;
  return (
    <section class="stack tight" aria-labelledby="review-risk">
      <h2 id="review-risk" class="sub">
        {t("reviews.risk")}
      </h2>
      {level === null || score === null ? (
        <p class="soft">{t("reviews.risk.none")}</p>
      ) : (
        <>
          <p>
            <strong>{t("reviews.risk.of", { level: t(`reviews.risk.${level}`), score: figure(score) })}</strong>
          </p>
          {attempt.risk_reasons.length === 0 ? (
            <p class="soft">{t("reviews.risk.no_reasons")}</p>
          ) : (
            <ul class="risks">
              {attempt.risk_reasons.map((reason) => (
                <li key={reason.code} class="row" title={reason.code}>
                  <span class="grow" dir="auto">
                    {reason.words[language.value]}
                  </span>
                  <span class="risk-share">{share(reason.contribution)}</span>
                </li>
              ))}
            </ul>
          )}
        </>
      )}
    </section>
  );
}

export function Identified({ identified, me }: { identified: IdentifiedView; me: StaffId }) {
  return (
    <section class="stack tight" aria-labelledby="review-identified">
      <h2 id="review-identified" class="sub">
        {t("reviews.identified")}
      </h2>
      <p class="small soft">{t("reviews.identified.by", { by: byWords(identified.by, me), time: moment(identified.at) })}</p>
      <ul class="why-list">
        {identified.methods.map((method) => (
          <li key={method}>{t(`reviews.proof.${method}`)}</li>
        ))}
      </ul>
      <p class="prose" dir="auto">
        {identified.note}
      </p>
    </section>
  );
}
