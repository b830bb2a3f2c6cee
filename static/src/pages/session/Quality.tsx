import type { NetworkInfo, QualityInfo } from "../../core/model";
import { t } from "../../i18n";
import { limitWords, qualityWords } from "../../ui/words";

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

/** Connection quality as a drawing with words: shown, or said only. `network`: of one's own line, why less is sent to this page. */
export function QualityMark({ info, words = false, network = null }: { info: QualityInfo; words?: boolean; network?: NetworkInfo | null }) {
  const text = qualityWords(info);
  const why = limitWords(network);
  const figures = { words: text, rtt: info.rttMs, loss: info.lossPermille / 10 };
  return (
    <span class={`quality ${info.level}`} title={why === null ? t("quality.detail", figures) : t("quality.detail.limit", { ...figures, why })}>
      <Bars lit={LIT[info.level]} />
      <span class={words ? "" : "hidden-text"}>{text}</span>
      {why !== null && <span class="hidden-text"> {why}</span>}
    </span>
  );
}
