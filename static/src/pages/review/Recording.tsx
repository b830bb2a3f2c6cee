/** One recording: the player, what happened beside it, and what may be done with it. */
import { ArrowLeft, Download, ScanSearch, Trash2 } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Detail, ExportJob, Reviewer } from "../../core/review/model";
import { Player, TICK_MS } from "../../core/review/player";
import type { Open } from "../../core/review/source";
import { counted, fileSize, t } from "../../i18n";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/controls";
import { asProblem } from "../../ui/problems";
import { Heading } from "../../ui/Shell";
import { Problem } from "./Problem";
import { Beside } from "./Beside";
import type { Tab } from "./Beside";
import { Controls, usePlayerKeys } from "./Controls";
import { EraseDialog } from "./Erase";
import { ExportDialog, jobWords, useJob } from "./Export";
import { mount } from "./media";
import { ReplayedPage } from "./ReplayedPage";
import { ReviewStage } from "./Stage";
import type { Mount } from "./Stage";
import { Legend, TimelineBar } from "./TimelineBar";
import { VerifyDialog } from "./Verify";
import { bilingual, when } from "./words";

export type OpenDialog = "none" | "verify" | "export" | "erase";

function Back({ onBack }: { onBack: () => void }) {
  return (
    <div>
      <Button look="plain" icon={ArrowLeft} onClick={onBack}>
        {t("review.back")}
      </Button>
    </div>
  );
}

function Still({ onRetry }: { onRetry: () => void }) {
  return (
    <>
      <Heading under={t("review.still.text")}>{t("review.still")}</Heading>
      <div>
        <Button onClick={onRetry}>{t("retry")}</Button>
      </div>
    </>
  );
}

/** Loads it, once: each time is noted in the audit trail. */
export function RecordingPageOf(props: { reviewer: Reviewer; id: string; onBack: () => void }) {
  const { reviewer, id } = props;
  const detail = useSignal<Detail | null>(null);
  const error = useSignal<unknown>(null);
  const load = async () => {
    error.value = null;
    try {
      detail.value = await reviewer.open(id);
    } catch (problem) {
      error.value = problem;
    }
  };
  useEffect(() => void load(), [reviewer, id]);
  const code = error.value === null ? "" : asProblem(error.value).code;
  return (
    <div class="stack">
      <Back onBack={props.onBack} />
      {code === "gone" ? (
        <Heading under={t("review.erased.text")}>{t("review.erased")}</Heading>
      ) : code === "not_found" ? (
        <Heading under={t("review.gone.text")}>{t("review.gone")}</Heading>
      ) : code === "conflict" ? (
        <Still onRetry={() => void load()} />
      ) : error.value !== null ? (
        <Problem error={error.value} onRetry={() => void load()} />
      ) : detail.value === null ? (
        <div class="stack tight" role="status" aria-label={t("loading")}>
          <div class="skeleton" />
          <div class="skeleton tall" />
        </div>
      ) : (
        <RecordingView reviewer={reviewer} detail={detail.value} onErased={props.onBack} />
      )}
    </div>
  );
}

export interface RecordingViewProps {
  reviewer: Reviewer;
  detail: Detail;
  onErased: () => void;
  /** Stories have pictures of their own. */
  make?: (detail: Detail) => { player: Player; mount: Mount };
  tab?: Tab;
  dialog?: OpenDialog;
  job?: ExportJob;
}

function usePlayer({ reviewer, detail, make }: RecordingViewProps): { player: Player; mount: Mount } {
  const [made] = useState(() => {
    if (make) return make(detail);
    const player = new Player(detail.timeline, () => performance.now());
    const open: Open = (track, fromMs, signal) => reviewer.stream(detail.summary.id, track, fromMs, signal);
    return { player, mount: ((lane, element) => mount(player, lane, element, open)) satisfies Mount };
  });
  useEffect(() => {
    const timer = setInterval(() => made.player.tick(), TICK_MS);
    return () => {
      clearInterval(timer);
      made.player.close();
    };
  }, [made]);
  return made;
}

export function RecordingView(props: RecordingViewProps) {
  const { detail, reviewer } = props;
  const { summary, timeline } = detail;
  const made = usePlayer(props);
  const { player } = made;
  usePlayerKeys(player);
  const dialog = useSignal<OpenDialog>(props.dialog ?? "none");
  const job = useSignal<ExportJob | null>(props.job ?? null); // goes on when its dialog is closed
  const jobError = useSignal<unknown>(null);
  useJob(reviewer, summary.id, job, jobError);
  const failed = [...player.states.value.values()].includes("failed");
  const facts = useMemo(
    () =>
      [
        [t("review.begun"), when(summary.startedAt)],
        [t("review.by"), summary.startedBy],
        [t("review.size"), fileSize(summary.bytes)],
        [t("review.session"), summary.session],
        [t("review.reference"), summary.id],
      ].filter(([, value]) => value),
    [summary],
  );
  const close = () => (dialog.value = "none");
  return (
    <div class="stack">
      <Heading>{summary.customerName || t("review.nobody")}</Heading>
      {(summary.ending === "failed" || summary.ending === "interrupted") && <Notice kind="quiet">{t(`review.ending.${summary.ending}.text`)}</Notice>}
      {timeline.damaged.length > 0 && <Notice kind="warn">{counted("review.damaged", timeline.damaged.length, { files: timeline.damaged.join(t("list.separator")) })}</Notice>}
      {player.blocked.value && <Notice kind="warn">{t("review.blocked")}</Notice>}
      {failed && <Notice kind="warn" action={<Button onClick={() => player.again()}>{t("retry")}</Button>}>{t("review.failed")}</Notice>}
      <div class="review-columns">
        <section class="review-player" aria-label={t("review.player")}>
          <div class={timeline.pages.length > 0 ? "review-scene" : undefined}>
            <ReviewStage player={player} mount={made.mount} />
            {timeline.pages.length > 0 && <ReplayedPage player={player} reviewer={reviewer} id={summary.id} />}
          </div>
          <TimelineBar player={player} />
          <Controls player={player} />
          <Legend />
          <p class="small soft review-keys">{t("review.keys")}</p>
        </section>
        <div class="review-right">
          <Beside player={player} first={props.tab ?? "points"} />
          <section class="stack tight review-do" aria-label={t("review.do")}>
            <Button icon={ScanSearch} onClick={() => (dialog.value = "verify")}>
              {t("review.verify")}
            </Button>
            <Button icon={Download} onClick={() => (dialog.value = "export")}>
              {t("review.export")}
            </Button>
            {job.value !== null && <p class="small soft review-job">{jobWords(job.value)}</p>}
            <Button look="danger-plain" icon={Trash2} onClick={() => (dialog.value = "erase")}>
              {t("review.erase")}
            </Button>
          </section>
          <dl class="facts small review-facts">
            {facts.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd dir="auto">{value}</dd>
              </div>
            ))}
          </dl>
        </div>
      </div>
      {dialog.value === "verify" && <VerifyDialog reviewer={reviewer} id={summary.id} onClose={close} />}
      {dialog.value === "export" && (
        <ExportDialog reviewer={reviewer} id={summary.id} bilingual={bilingual(timeline.marks)} job={job} error={jobError} onClose={close} onVerify={() => (dialog.value = "verify")} />
      )}
      {dialog.value === "erase" && <EraseDialog reviewer={reviewer} id={summary.id} onClose={close} onErased={props.onErased} />}
    </div>
  );
}
