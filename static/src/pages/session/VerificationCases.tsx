/** What the bank wants verified in this session: each case with its state, and which of them is meant. */
import { useId } from "preact/hooks";
import { clockTime, counted, language, t } from "../../i18n";
import type { CaseBrief } from "../../protocol.gen";

/** Of an open one it matters whether something was tried already. */
export function caseState(one: Pick<CaseBrief, "state" | "attempts_used">): string {
  return t(`staff.cases.state.${one.state === "open" && one.attempts_used > 0 ? "again" : one.state}`);
}

function About({ one }: { one: CaseBrief }) {
  const steps = one.steps.map((step) => t(`staff.cases.step.${step}`)).join(t("list.separator"));
  return (
    <span class="grow stack case-about">
      <strong dir="auto">{one.title[language.value]}</strong>
      <span class={`small${one.state === "open" ? " soft" : ""}`}>{caseState(one)}</span>
      {one.state === "open" && (
        <span class="small soft">
          {t("staff.cases.steps", { steps })} · {one.attempts_left > 0 ? counted("staff.cases.left", one.attempts_left) : t("staff.cases.left.none")} · {t("staff.cases.until", { time: clockTime(one.expires_at) })}
        </span>
      )}
    </span>
  );
}

/** Those that an attempt may begin for can be chosen, where there is more than one. */
export function Cases({ cases, chosen, onChoose }: { cases: readonly CaseBrief[]; chosen: string | null; onChoose: (id: string) => void }) {
  const name = useId();
  const several = cases.filter(({ state }) => state === "open").length > 1;
  if (cases.length === 0) return <p class="small soft">{t("staff.cases.none")}</p>;
  return (
    <ul class="cases" aria-label={t("staff.cases.title")}>
      {cases.map((one) => (
        <li key={one.case} data-case={one.case} class={one.state === "open" ? "" : "is-over"}>
          {several && one.state === "open" ? (
            <label class="row case-choice">
              <input type="radio" name={name} checked={one.case === chosen} onChange={() => onChoose(one.case)} />
              <About one={one} />
            </label>
          ) : (
            <About one={one} />
          )}
        </li>
      ))}
    </ul>
  );
}
