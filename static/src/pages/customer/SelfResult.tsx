/** How a customer's own check went, calmly, what helps, and where it goes on. Never what spoke against them. */
import { ArrowLeft, CircleCheck, CircleHelp, Info, UserRoundSearch } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import { useEffect } from "preact/hooks";
import { counted, hasWords, t } from "../../i18n";
import type { CaseBrief, VerificationChanged } from "../../protocol.gen";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { Heading } from "../../ui/Shell";
import { isTrouble } from "../session/verifyWords";
import { mayTryAgain, safeReturn, selfOutcome } from "./selfStage";
import type { SelfOutcome } from "./selfStage";

const ICONS: Readonly<Partial<Record<SelfOutcome, LucideIcon>>> = { accepted: CircleCheck, review: UserRoundSearch, rejected: CircleHelp, again: CircleHelp };
const HELPS = ["light", "alone", "slow", "lens"] as const;

/** What a code of the server means to them. */
export function selfProblem(code: string): string {
  const key = `self.problem.${isTrouble(code) ? "unavailable" : code}`;
  return t(hasWords(key) ? key : "self.problem.other");
}

function text(outcome: SelfOutcome, view: VerificationChanged | null, back: boolean, again: boolean): string {
  if (outcome === "unbegun") return selfProblem(view?.problem ?? "");
  if (outcome === "broken") return view?.problem === "camera_off" ? selfProblem("camera_off") : t("self.result.broken.text");
  if (outcome === "paused" && !again) return t("self.result.broken.text");
  return t(outcome === "accepted" && !back ? "self.result.accepted.alone" : `self.result.${outcome}.text`);
}

/** Why the last attempt was broken off, where that is known and no secret: then better light would have helped nobody. */
export function brokenBy(brief: CaseBrief | null): string | null {
  for (const code of brief?.reasons ?? []) {
    const key = `self.result.by.${code}`;
    if (hasWords(key)) return t(key);
  }
  return null;
}

/** Where it goes on: a page of the bank's, if it has given one. */
export function BackToBank({ url, look = "primary" }: { url: string; look?: "primary" | "secondary" }) {
  const address = safeReturn(url);
  if (address === null) return null;
  return (
    <a class={`button wide ${look}`} href={address} rel="noreferrer">
      <ArrowLeft size={20} strokeWidth={1.75} aria-hidden />
      <span>{t("self.back")}</span>
    </a>
  );
}

export interface SelfResultProps {
  brief: CaseBrief | null;
  view: VerificationChanged | null;
  /** What kept it from beginning at its end, a code; the server says no more than that it did not work. */
  kept?: string | null;
  /** They were away from the page while it ran. */
  away?: boolean;
  over: boolean; // the session has ended: nothing can be tried any more
  onAgain: () => void;
  onPerson: () => void;
}

export function SelfResult({ brief, view, kept = null, away = false, over, onAgain, onPerson }: SelfResultProps) {
  const outcome = selfOutcome(brief, view);
  const url = brief?.return_url ?? "";
  const back = safeReturn(url) !== null;
  const again = !over && mayTryAgain(outcome, brief, view);
  const person = !over && (outcome === "rejected" || outcome === "locked" || (!again && (outcome === "broken" || outcome === "paused" || outcome === "unbegun")));
  const left = brief?.attempts_left ?? view?.left ?? 0;
  const Icon = ICONS[outcome] ?? Info;
  const by = outcome === "again" ? brokenBy(brief) : null;
  const advice = `verify.advice.${kept ?? ""}`;
  const under = by !== null ? by : outcome === "again" && hasWords(advice) ? `${t("self.result.unseen")} ${t("self.result.again.text")}` : text(outcome, view, back, again);
  useEffect(() => announce(`${t(`self.result.${outcome}`)} ${under}`), [outcome]);
  return (
    <div class="stack self-result" key={outcome}>
      <Icon size={48} strokeWidth={1.5} aria-hidden />
      <Heading under={under}>{t(`self.result.${outcome}`)}</Heading>
      {away && (outcome === "again" || outcome === "broken") && <p>{t("self.result.away")}</p>}
      {outcome === "again" && by === null && (
        <ul class="bullets">
          {hasWords(advice) && (
            <li>
              <strong>{t(advice)}</strong>
            </li>
          )}
          {HELPS.map((help) => (
            <li key={help}>{t(`self.result.helps.${help}`)}</li>
          ))}
        </ul>
      )}
      {again && left > 0 && <p>{counted("self.result.left", left)}</p>}
      {again && (
        <Button look="primary" wide onClick={onAgain}>
          {t("self.result.again.go")}
        </Button>
      )}
      {person && (
        <Button look="primary" wide onClick={onPerson}>
          {t("self.person.yes")}
        </Button>
      )}
      <BackToBank url={url} look={again || person ? "secondary" : "primary"} />
    </div>
  );
}
