/** One question, in plain words, with two equal buttons. The same card before the call and in it. */
import { Camera, Mic, MonitorUp } from "lucide-preact";
import { useId } from "preact/hooks";
import { t } from "../i18n";

export type AskedScope = "microphone" | "camera" | "screen";

/** Version of the words in `i18n`; it is recorded with the decision. */
export const WORDING: Readonly<Record<AskedScope, string>> = {
  microphone: "microphone-1",
  camera: "camera-1",
  screen: "screen-1",
};

const ICONS = { microphone: Mic, camera: Camera, screen: MonitorUp };

export interface ConsentCardProps {
  scope: AskedScope;
  onAnswer: (given: boolean) => void;
  /** In a dialog the title stands above already. */
  bare?: boolean;
}

export function ConsentCard({ scope, onAnswer, bare = false }: ConsentCardProps) {
  const id = useId();
  const Icon = ICONS[scope];
  return (
    <section class={bare ? "consent stack" : "consent card stack"} aria-labelledby={bare ? undefined : id}>
      {!bare && (
        <div class="row consent-title">
          <Icon size={28} strokeWidth={1.75} aria-hidden />
          <h2 id={id}>{t(`consent.${scope}.title`)}</h2>
        </div>
      )}
      <dl class="facts">
        <dt>{t("consent.what")}</dt>
        <dd>{t(`consent.${scope}.what`)}</dd>
        <dt>{t("consent.why")}</dt>
        <dd>{t(`consent.${scope}.why`)}</dd>
        <dt>{t("consent.how_long")}</dt>
        <dd>{t(`consent.${scope}.how_long`)}</dd>
        <dt>{t("consent.if_not")}</dt>
        <dd>{t(`consent.${scope}.if_not`)}</dd>
      </dl>
      <div class="pair">
        <button type="button" class="button secondary" onClick={() => onAnswer(false)}>
          {t("consent.no")}
        </button>
        <button type="button" class="button secondary" onClick={() => onAnswer(true)}>
          {t("consent.yes")}
        </button>
      </div>
    </section>
  );
}
