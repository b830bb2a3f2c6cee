/** One video of everybody, made by the server, then fetched. It goes on when the dialog is closed. */
import { Download, ScanSearch } from "lucide-preact";
import type { Signal } from "@preact/signals";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { ExportJob, Reviewer } from "../../core/review/model";
import { OFFLINE } from "../../core/problems";
import { LANGUAGES, t } from "../../i18n";
import type { ExportFormat, Language } from "../../protocol.gen";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { Choice, Notice } from "../../ui/controls";
import { Dialog } from "../../ui/Dialog";
import { asProblem } from "../../ui/problems";
import { Problem } from "./Problem";
import { Details } from "./Details";

const POLL_MS = 1_000;
const FORMATS: readonly ExportFormat[] = ["webm", "mp4"];

/** How far it is, in a line. */
export function jobWords(job: ExportJob): string {
  if (job.state === "running") return t("review.export.running", { n: Math.round(job.progress * 100) });
  return t(job.state === "done" ? "review.export.done" : "review.export.failed");
}

/** Asks again and again how far it is, for as long as it runs. */
export function useJob(reviewer: Reviewer, id: string, job: Signal<ExportJob | null>, error: Signal<unknown>): void {
  const running = job.value?.state === "running" ? job.value.id : null;
  useEffect(() => {
    if (running === null) return;
    let timer: ReturnType<typeof setTimeout>;
    let over = false;
    const look = async () => {
      try {
        const found = await reviewer.exportJob(id, running);
        if (over) return;
        job.value = found;
        if (found.state === "running") timer = setTimeout(() => void look(), POLL_MS);
        else announce(jobWords(found));
      } catch (problem) {
        if (over) return;
        if (asProblem(problem).code === OFFLINE) {
          timer = setTimeout(() => void look(), POLL_MS); // the server goes on with it
          return;
        }
        error.value = problem;
        job.value = null;
      }
    };
    timer = setTimeout(() => void look(), POLL_MS);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [running]);
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it meanwhile
}

export interface ExportDialogProps {
  reviewer: Reviewer;
  id: string;
  bilingual: boolean; // its points have words in each language
  job: Signal<ExportJob | null>;
  error: Signal<unknown>;
  onClose: () => void;
  onVerify: () => void;
}

export function ExportDialog(props: ExportDialogProps) {
  const { reviewer, id, job, error } = props;
  const format = useSignal<ExportFormat>("mp4");
  const points = useSignal<Language | null>(null); // null: the session's
  const busy = useSignal(false);
  const saving = useSignal<number | null>(null);
  const saved = useSignal(false);
  const guarded = async (action: () => Promise<void>) => {
    busy.value = true;
    error.value = null;
    try {
      await action();
    } catch (problem) {
      error.value = problem;
    } finally {
      busy.value = false;
      saving.value = null;
    }
  };
  const begin = () => guarded(async () => void (job.value = await reviewer.startExport(id, format.value, points.value)));
  const fetchIt = (done: ExportJob) =>
    guarded(async () => {
      saving.value = 0;
      save(await reviewer.exported(id, done.id, (part) => (saving.value = part)), `${id}.${done.format}`);
      saved.value = true;
    });
  const now = job.value;
  return (
    <Dialog title={t("review.export.title")} onClose={props.onClose}>
      <p>{t("review.export.text")}</p>
      {error.value !== null && <Problem error={error.value} onRetry={() => (error.value = null)} />}
      {now === null || now.state === "failed" ? (
        <>
          {now?.state === "failed" && <Failed job={now} onVerify={props.onVerify} />}
          <Choice
            label={t("review.export.format")}
            value={format.value}
            options={FORMATS.map((one) => ({ id: one, label: t(`review.export.${one}`) }))}
            onChange={(one) => (format.value = one as ExportFormat)}
          />
          {props.bilingual && (
            <Choice
              label={t("review.export.points")}
              value={points.value ?? ""}
              options={[{ id: "", label: t("review.export.points.session") }, ...LANGUAGES.map((one) => ({ id: one, label: t(`language.${one}`) }))]}
              onChange={(one) => (points.value = one === "" ? null : (one as Language))}
            />
          )}
          <Button look="primary" wide busy={busy.value} onClick={() => void begin()}>
            {t("review.export.go")}
          </Button>
        </>
      ) : now.state === "running" ? (
        <Bar part={now.progress} words={jobWords(now)} under={t("review.export.background")} />
      ) : saving.value !== null ? (
        <Bar part={saving.value} words={t("review.export.saving", { n: Math.round(saving.value * 100) })} />
      ) : (
        <>
          <p role="status">
            <strong>{t(saved.value ? "review.export.saved" : "review.export.done")}</strong>
          </p>
          <Button look="primary" wide icon={Download} busy={busy.value} onClick={() => void fetchIt(now)}>
            {t("review.export.save")}
          </Button>
        </>
      )}
    </Dialog>
  );
}

/** Why there is no video, and what can be done about it. */
function Failed({ job, onVerify }: { job: ExportJob; onVerify: () => void }) {
  const fault = job.fault ?? "other";
  return (
    <>
      <Notice kind="bad">
        <strong>{t("review.export.failed")}</strong>
        <p>{t(`review.export.failed.${fault}`)}</p>
      </Notice>
      {fault === "damaged" && (
        <Button icon={ScanSearch} onClick={onVerify}>
          {t("review.verify")}
        </Button>
      )}
      {fault === "other" && job.detail !== "" && <Details>{job.detail}</Details>}
    </>
  );
}

function Bar({ part, words, under }: { part: number; words: string; under?: string }) {
  return (
    <div class="stack tight">
      <p>{words}</p>
      <progress class="progress" value={part} max={1} aria-label={words} />
      {under && <p class="small soft">{under}</p>}
    </div>
  );
}
