/** The customer's page as its viewers saw it, at the player's position, beside the pictures. */
import { AppWindow } from "lucide-preact";
import { useComputed, useSignalEffect } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import type { Reviewer } from "../../core/review/model";
import { PagePlayback } from "../../core/review/pages";
import type { KeptAct, OpenPage } from "../../core/review/pages";
import type { Player } from "../../core/review/player";
import { at } from "../../core/review/timeline";
import type { PageTrack } from "../../core/review/timeline";
import { t } from "../../i18n";
import { Button } from "../../ui/Button";
import { ReplayFrame } from "../../ui/ReplayFrame";
import { partyName } from "./words";

const COLOURS = 6;

/** The one that is shown then, else the one before. */
function trackAt(pages: readonly PageTrack[], ms: number): PageTrack | undefined {
  return pages.find(({ spans }) => at(spans, ms) !== undefined) ?? pages.findLast(({ spans }) => (spans[0]?.fromMs ?? Infinity) <= ms) ?? pages[0];
}

function actWords(player: Player, act: KeptAct): string {
  return t("review.page.act", { name: partyName(player.timeline, act.viewer), what: t(`review.page.did.${act.kind}`), outcome: t(`review.page.outcome.${act.outcome}`) });
}

function PageOf({ player, track, open }: { player: Player; track: PageTrack; open: OpenPage }) {
  const made = useRef<PagePlayback | null>(null);
  made.current ??= new PagePlayback(track, open, () => performance.now());
  const page = made.current;
  useSignalEffect(() => page.seek(player.positionMs.value));
  const standing = page.standing.value;
  const state = page.state.value;
  const hands = useMemo(
    () => (state?.viewers ?? []).map(({ id }, index) => ({ viewer: id, name: partyName(player.timeline, id), colour: index % COLOURS })),
    [state, player],
  );
  const act = page.act.value;
  return (
    <section class="review-page" aria-label={t("review.page")} data-standing={standing} data-second={page.second.value}>
      <header class="review-page-head small">
        <AppWindow size={16} strokeWidth={2} aria-hidden />
        <span class="grow one-line">
          <bdi>{t("review.page.of", { name: partyName(player.timeline, track.participant) })}</bdi>
        </span>
        {standing === "seen" && state !== null && state.step !== "" && <span class="soft one-line">{state.step}</span>}
      </header>
      <div class={`page-room review-page-room${standing === "seen" ? " seen" : ""}`}>
        <ReplayFrame read={(reader) => page.read(reader)} marks={page.marks.value} pointers={page.pointers.value} hands={hands} zoom="fit" surface={t("review.page")} />
        {standing !== "seen" && (
          <div class="page-before">
            <p>{t(`review.page.${standing}`)}</p>
            {standing === "failed" && <Button onClick={() => page.again()}>{t("retry")}</Button>}
          </div>
        )}
      </div>
      <p class="small soft review-page-act">{act === null ? " " : actWords(player, act)}</p>
    </section>
  );
}

export function ReplayedPage({ player, reviewer, id }: { player: Player; reviewer: Pick<Reviewer, "stream">; id: string }) {
  const track = useComputed(() => trackAt(player.timeline.pages, player.positionMs.value));
  const open = useMemo<OpenPage>(() => (of, fromMs, signal) => reviewer.stream(id, of, fromMs, signal), [reviewer, id]);
  return track.value === undefined ? null : <PageOf key={track.value.id} player={player} track={track.value} open={open} />;
}
