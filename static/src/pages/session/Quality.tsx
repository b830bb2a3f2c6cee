import { SignalHigh, SignalLow, SignalMedium } from "lucide-preact";
import type { QualityInfo } from "../../core/model";
import { t } from "../../i18n";
import { qualityWords } from "../../ui/words";

const ICONS = { good: SignalHigh, fair: SignalMedium, poor: SignalLow };

/** Connection quality as a drawing with words: shown, or said only. */
export function QualityMark({ info, words = false }: { info: QualityInfo; words?: boolean }) {
  const Icon = ICONS[info.level];
  const text = qualityWords(info);
  return (
    <span class={`quality ${info.level}`} title={t("quality.detail", { words: text, rtt: info.rttMs, loss: info.lossPermille / 10 })}>
      <Icon size={18} strokeWidth={2} aria-hidden />
      <span class={words ? "" : "hidden-text"}>{text}</span>
    </span>
  );
}
