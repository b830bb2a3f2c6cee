/** One question, in plain words, with two equal buttons. The same card before the call and in it. */
import { Camera, Circle, IdCard, Mic, MonitorUp, ScanFace } from "lucide-preact";
import { useId } from "preact/hooks";
import { t } from "../i18n";
import type { Parameters } from "../i18n";
import type { CaseBrief } from "../protocol.gen";
import { evidenceKept } from "./kept";

/** What one gives, and turns on and off. */
export type AskedScope = "microphone" | "camera" | "screen";
/** What there is a card for. */
export type CardScope = AskedScope | "recording" | "document" | "face" | "self_camera" | "self_face" | "self_document";

/** Version of the words in `i18n`; it is recorded with the decision. */
export const WORDING: Readonly<Record<CardScope, string>> = {
  microphone: "microphone-2",
  camera: "camera-2",
  screen: "screen-1",
  recording: "recording-2",
  document: "document-3",
  face: "face-5",
  self_camera: "self-camera-1",
  self_face: "self-face-3",
  self_document: "self-document-2",
};

const ICONS = { microphone: Mic, camera: Camera, screen: MonitorUp, recording: Circle, document: IdCard, face: ScanFace, self_camera: Camera, self_face: ScanFace, self_document: IdCard };

export interface ConsentCardProps {
  scope: CardScope;
  onAnswer: (given: boolean) => void;
  /** In a dialog the title stands above already. */
  bare?: boolean;
  /** What the words leave open. */
  places?: Parameters;
  /** Of the session: for how long what is seen is kept. */
  cases?: readonly Pick<CaseBrief, "retention_days">[] | null;
}

export function ConsentCard({ scope, onAnswer, bare = false, places = {}, cases = null }: ConsentCardProps) {
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
        <dd>{t(`consent.${scope}.how_long`, { kept: evidenceKept(cases), ...places })}</dd>
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
