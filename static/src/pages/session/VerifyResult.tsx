/** How one's own check went, calmly, and what can be done; never what spoke against it. Where consent was missing: the question. */
import { CircleCheck, CircleHelp, Info, UserRoundSearch } from "lucide-preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { hasNoRoom } from "../../core/verification";
import { counted, t } from "../../i18n";
import type { VerificationChanged } from "../../protocol.gen";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { ConsentCard, WORDING } from "../../ui/ConsentCard";
import { problemWords } from "./verifyWords";
import { useCall } from "./ui";

const ICONS = { accept: CircleCheck, refer: UserRoundSearch, reject: CircleHelp };

/** Why it came to nothing, where that is known and was not theirs: their picture stopped for a moment, or something failed on our side. */
type Excuse = "paused" | "ours" | null;

function excuseOf(view: VerificationChanged, reasons: readonly string[]): Excuse {
  if (view.outcome !== "reject") return null;
  return reasons.includes("stream_gap") ? "paused" : reasons.includes("trouble") ? "ours" : null;
}

function words(view: VerificationChanged, excuse: Excuse): { title: string; lines: string[] } {
  const { outcome } = view;
  if (outcome === null) {
    if (hasNoRoom(view)) return { title: t("verify.no_room.title"), lines: [problemWords(view.problem, "verify")] };
    return { title: t(view.number > 0 ? "verify.broken.title" : "verify.unbegun.title"), lines: [problemWords(view.problem, "verify")] };
  }
  if (excuse === "ours") return { title: t("verify.broken.title"), lines: [t("self.result.by.trouble"), view.left > 0 ? t("verify.over.paused.again") : t("verify.left.none")] };
  if (excuse === "paused") return { title: t("verify.over.paused.title"), lines: [t("verify.over.paused.text"), view.left > 0 ? t("verify.over.paused.again") : t("verify.left.none")] };
  const left = view.left > 0 ? counted("verify.left", view.left) : t("verify.left.none");
  return { title: t(`verify.over.${outcome}.title`), lines: [t(`verify.over.${outcome}.text`), ...(outcome === "reject" ? [left] : [])] };
}

export function VerifyResult({ view }: { view: VerificationChanged }) {
  const { call } = useCall();
  const id = useId();
  const box = useRef<HTMLElement>(null);
  const asks = view.outcome === null && view.problem === "not_allowed";
  const brief = call.verification.cases.value?.find((one) => one.case === view.case);
  const excuse = excuseOf(view, brief?.reasons ?? []);
  const { title, lines } = asks ? { title: t("consent.face.title"), lines: [] } : words(view, excuse);
  useEffect(() => {
    box.current?.focus(); // what had the focus is gone
    announce([title, ...lines].join(" "));
  }, [hasNoRoom(view) ? view.problem : view, excuse]); // each asking anew says the same
  const Icon = view.outcome === null || excuse !== null ? Info : ICONS[view.outcome];
  return (
    <section ref={box} class="verify-result card stack" aria-labelledby={id} tabIndex={-1}>
      {!asks && <Icon size={40} strokeWidth={1.5} aria-hidden />}
      <h3 id={id}>{title}</h3>
      {lines.map((line) => (
        <p key={line}>{line}</p>
      ))}
      {asks ? (
        <ConsentCard
          scope="face"
          bare
          cases={call.verification.cases.value}
          onAnswer={(given) => {
            call.decide("face", given ? "given" : "refused", WORDING.face);
            call.verification.putAway();
          }}
        />
      ) : (
        <Button look="primary" wide onClick={() => call.verification.putAway()}>
          {t("verify.done")}
        </Button>
      )}
    </section>
  );
}
