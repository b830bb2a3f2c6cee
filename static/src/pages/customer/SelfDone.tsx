/** After a customer's own check: how it went as far as this page knows, and the way back to the bank. */
import { RotateCcw } from "lucide-preact";
import type { Call } from "../../core/model";
import { t } from "../../i18n";
import type { CaseBrief, Site } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Heading, Shell } from "../../ui/Shell";
import { endWords } from "../../ui/words";
import { BackToBank, SelfResult } from "./SelfResult";
import { chosenCase, isOver, ownView } from "./selfStage";

/** A link that was opened again after its case had ended. */
export function SelfOver({ site, brief }: { site: Site; brief: CaseBrief }) {
  return (
    <Shell site={site}>
      <SelfResult brief={brief} view={null} over onAgain={() => undefined} onPerson={() => undefined} />
    </Shell>
  );
}

export function SelfDone(props: { site: Site | null; call: Call; back: string; onAgain: () => void }) {
  const { call } = props;
  const brief = chosenCase(call.verification.cases.value);
  const because = call.endedBecause.value;
  if (isOver(brief)) {
    const view = ownView({ view: call.verification.view.value, me: call.me.value, brief });
    return (
      <Shell site={props.site}>
        <SelfResult brief={brief} view={view} over onAgain={props.onAgain} onPerson={props.onAgain} />
      </Shell>
    );
  }
  const left = because === "left";
  const over = because === "session_ended" || because === "unauthorised";
  const { title, text } = left
    ? { title: t("self.left.title"), text: t("self.left.text") }
    : over
      ? { title: t("self.over.title"), text: t("self.over.text") }
      : endWords(because);
  return (
    <Shell site={props.site}>
      <Heading under={text}>{title}</Heading>
      <div class="stack tight">
        {!over && because !== "moved" && (
          <Button icon={RotateCcw} wide onClick={props.onAgain}>
            {t("retry")}
          </Button>
        )}
        <BackToBank url={props.back} look={over ? "primary" : "secondary"} />
      </div>
      <p class="soft small">{t("done.close")}</p>
    </Shell>
  );
}
