import type { QualityInfo } from "../../core/model";
import { t } from "../../i18n";
import { qualityWords } from "../../ui/words";

const LIT = { good: 4, fair: 2, poor: 1 };

/** Four bars; those that are not lit stay visible, so that a weak line does not look like a dot. */
function Bars({ lit }: { lit: number }) {
  return (
    <svg width="18" height="18" viewBox="0 0 18 18" fill="currentColor" aria-hidden="true">
      {[0, 1, 2, 3].map((bar) => (
        <rect key={bar} x={1 + 4.25 * bar} y={12 - 3 * bar} width="3" height={4 + 3 * bar} rx="1" opacity={bar < lit ? 1 : 0.28} />
      ))}
    </svg>
  );
}

/** Connection quality as a drawing with words: shown, or said only. */
export function QualityMark({ info, words = false }: { info: QualityInfo; words?: boolean }) {
  const text = qualityWords(info);
  return (
    <span class={`quality ${info.level}`} title={t("quality.detail", { words: text, rtt: info.rttMs, loss: info.lossPermille / 10 })}>
      <Bars lit={LIT[info.level]} />
      <span class={words ? "" : "hidden-text"}>{text}</span>
    </span>
  );
}
