/** How the reviewers' pages say what a recording holds. */
import type { Ending, Finding } from "../../core/review/model";
import type { Lane, Mark, Timeline } from "../../core/review/timeline";
import { dayName, clockTime, fileSize, hasWords, language, t } from "../../i18n";
import { span } from "../../ui/clock";
import { personName } from "../../ui/words";
import type { ParticipantId } from "../../protocol.gen";

export function partyName(timeline: Pick<Timeline, "parties">, id: ParticipantId): string {
  const party = timeline.parties.find((one) => one.id === id);
  return party ? personName(party) : t("review.somebody");
}

export function laneName(timeline: Timeline, lane: Lane): string {
  const name = partyName(timeline, lane.participant);
  return lane.source === "screen" ? t("tile.screen", { name }) : name;
}

export function endingWords(ending: Ending): string {
  return t(`review.ending.${ending}`);
}

export function findingWords(finding: Finding): string {
  const key = `review.finding.${finding.what}`;
  return hasWords(key) ? t(key) : finding.what;
}

export function when(iso: string): string {
  return `${dayName(iso)} ${clockTime(iso)}`;
}

/** Whether its points have words in each language: older recordings have those of the session alone. */
export function bilingual(marks: readonly Mark[]): boolean {
  return marks.some((mark) => mark.kind === "checkpoint" && mark.label.zh !== mark.label.en);
}

/** A position said aloud. */
export function spoken(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const places = { h: Math.floor(seconds / 3600), m: Math.floor((seconds % 3600) / 60), s: seconds % 60 };
  return t(places.h > 0 ? "review.position.hours" : "review.position", places);
}

export function markWords(timeline: Timeline, mark: Mark): string {
  const name = "by" in mark ? partyName(timeline, mark.by) : "";
  switch (mark.kind) {
    case "checkpoint":
      return mark.done ? mark.label[language.value] : t("review.mark.undone", { label: mark.label[language.value] });
    case "note":
    case "chat":
      return t("review.mark.said", { name, text: mark.text });
    case "file":
      return t("review.mark.file", { name, file: mark.name, size: fileSize(mark.size) });
    case "joined":
    case "left":
      return t(`said.${mark.kind}`, { name });
    case "screen":
      return t(mark.on ? "review.mark.screen.on" : "review.mark.screen.off", { name });
    case "consent":
      return t(mark.given ? "review.mark.consent.on" : "review.mark.consent.off", { name });
    case "paused":
    case "resumed":
      return t(`review.mark.${mark.kind}`);
    case "gap": {
      const places = { name, source: t(`source.${mark.source}`), time: span(mark.toMs - mark.atMs), n: mark.packets };
      const key = `review.gap.${mark.reason}`;
      return `${t(mark.packets > 0 ? "review.mark.gap.packets" : "review.mark.gap", places)} ${hasWords(key) ? t(key) : ""}`.trim();
    }
  }
}
