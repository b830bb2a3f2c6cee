/** After the call: what happened, the reference, what is next. */
import { RotateCcw } from "lucide-preact";
import { t } from "../../i18n";
import type { CloseCode, SessionView, Site } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { CopyField } from "../../ui/controls";
import { Heading, Shell } from "../../ui/Shell";
import { endWords } from "../../ui/words";
import { BackToBank } from "./SelfResult";

/** Short enough to read out on the telephone; the whole id is copied. */
export function shortReference(id: string): string {
  const digits = id.replace(/^[A-Z]+_/, "").slice(0, 8).toUpperCase();
  return `${digits.slice(0, 4)} ${digits.slice(4)}`.trim();
}

export interface DoneProps {
  site: Site | null;
  session: SessionView | null;
  because: CloseCode | null;
  expert?: boolean;
  /** A page of the bank's that sent them here. */
  back?: string;
  onAgain: () => void;
}

export function Done(props: DoneProps) {
  const { title, text } = endWords(props.because);
  const retryable = !["session_ended", "removed", "refused", "revoked"].includes(props.because ?? "");
  return (
    <Shell site={props.site}>
      <Heading under={text}>{title}</Heading>
      {props.session && (
        <section class="card stack">
          <CopyField label={t("done.reference")} value={props.session.id} shown={shortReference(props.session.id)} big />
          {!props.expert && <p class="soft small">{t("done.reference.why")}</p>}
        </section>
      )}
      {!props.expert && (
        <section class="stack tight">
          <h2>{t("done.next")}</h2>
          <ul class="bullets">
            {props.because !== "moved" && <li>{t("done.next.off")}</li>}
            <li>{t("done.next.never")}</li>
            <li>{t("done.next.help")}</li>
          </ul>
        </section>
      )}
      <BackToBank url={props.back ?? ""} />
      {!props.expert && retryable && (
        <Button icon={RotateCcw} wide onClick={props.onAgain}>
          {t("done.again")}
        </Button>
      )}
      <p class="soft small">{t("done.close")}</p>
    </Shell>
  );
}
