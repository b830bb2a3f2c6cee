/** All recordings, or those of one session. */
import { ChevronRight, Search } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { RecordingPage, Reviewer, Summary } from "../../core/review/model";
import { t } from "../../i18n";
import { Button } from "../../ui/Button";
import { span } from "../../ui/clock";
import { TextField } from "../../ui/controls";
import { personName } from "../../ui/words";
import { Heading } from "../../ui/Shell";
import { asProblem } from "../../ui/problems";
import { Denied, Problem } from "./Problem";
import { endingWords, when } from "./words";

function Row({ one, onOpen }: { one: Summary; onOpen: (id: string) => void }) {
  const name = one.customerName || t("review.nobody");
  const bad = one.ending === "failed" || one.ending === "interrupted";
  return (
    <li>
      <a
        class="recording-row"
        href={`/review/${encodeURIComponent(one.id)}`}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return; // another tab is the browser's
          event.preventDefault();
          onOpen(one.id);
        }}
      >
        <span class="recording-row-who">
          <strong class="one-line" dir="auto">
            {name}
          </strong>
          <span class="small soft one-line" dir="auto">
            {one.people.map(personName).join(t("list.separator"))}
          </span>
        </span>
        <time dateTime={one.startedAt}>{when(one.startedAt)}</time>
        <span class="recording-row-length">{span(one.durationMs)}</span>
        <span>
          <span class={`chip${bad ? " warn" : one.ending === "open" ? " live" : ""}`}>{endingWords(one.ending)}</span>
        </span>
        <ChevronRight class="light-go" size={20} strokeWidth={1.75} aria-hidden />
      </a>
    </li>
  );
}

export function RecordingList(props: { reviewer: Reviewer; onOpen: (id: string) => void; session?: string }) {
  const { reviewer } = props;
  const typed = useSignal(props.session ?? "");
  const session = useSignal(props.session ?? "");
  const page = useSignal<RecordingPage | null>(null);
  const error = useSignal<unknown>(null);
  const busy = useSignal(false);
  const load = async (cursor: string | null) => {
    const wanted = session.value;
    busy.value = true;
    error.value = null;
    try {
      const found = await reviewer.list(wanted, cursor);
      if (wanted !== session.value) return; // another was asked for meanwhile
      page.value = { recordings: [...(cursor === null ? [] : (page.value?.recordings ?? [])), ...found.recordings], next: found.next };
    } catch (problem) {
      error.value = problem;
    } finally {
      busy.value = false;
    }
  };
  useEffect(() => {
    page.value = null;
    void load(null);
  }, [reviewer, session.value]);
  const recordings = page.value?.recordings ?? [];
  if (error.value !== null && asProblem(error.value).code === "not_allowed") return <Denied />;
  return (
    <div class="stack">
      <Heading under={t("review.list.under")}>{t("review.title")}</Heading>
      <form
        class="review-search"
        onSubmit={(event) => {
          event.preventDefault();
          session.value = typed.value.trim();
        }}
      >
        <TextField label={t("review.search")} hint={t("review.search.hint")} value={typed.value} maxLength={60} onInput={(value) => (typed.value = value)} />
        <Button submit icon={Search}>
          {t("review.search.go")}
        </Button>
        {session.value !== "" && (
          <Button
            look="plain"
            onClick={() => {
              typed.value = "";
              session.value = "";
            }}
          >
            {t("review.search.clear")}
          </Button>
        )}
      </form>
      {error.value !== null && <Problem error={error.value} onRetry={() => void load(null)} />}
      {page.value === null && error.value === null && (
        <div class="stack tight" role="status" aria-label={t("loading")}>
          <div class="skeleton" />
          <div class="skeleton" />
          <div class="skeleton" />
        </div>
      )}
      {page.value !== null && recordings.length === 0 && <p class="card soft">{t(session.value === "" ? "review.empty" : "review.empty.session")}</p>}
      {recordings.length > 0 && (
        <>
          <div class="recording-row recording-columns" aria-hidden>
            <span>{t("review.column.who")}</span>
            <span>{t("review.column.when")}</span>
            <span class="recording-row-length">{t("review.column.length")}</span>
            <span>{t("review.column.state")}</span>
            <span />
          </div>
          <ul class="recording-rows">
            {recordings.map((one) => (
              <Row key={one.id} one={one} onOpen={props.onOpen} />
            ))}
          </ul>
        </>
      )}
      {page.value?.next != null && (
        <div>
          <Button busy={busy.value} onClick={() => void load(page.value?.next ?? null)}>
            {t("review.more")}
          </Button>
        </div>
      )}
    </div>
  );
}
