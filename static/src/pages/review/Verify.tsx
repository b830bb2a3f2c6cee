/** Whether a recording is as it was written, piece by piece. */
import { CircleCheck, TriangleAlert } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Reviewer, Verified } from "../../core/review/model";
import { counted, t } from "../../i18n";
import { announce } from "../../ui/announce";
import { Dialog } from "../../ui/Dialog";
import { Problem } from "./Problem";
import { Details } from "./Details";
import { findingWords } from "./words";

export function VerifyDialog(props: { reviewer: Reviewer; id: string; onClose: () => void }) {
  const found = useSignal<Verified | null>(null);
  const error = useSignal<unknown>(null);
  const run = async () => {
    error.value = null;
    try {
      const verified = await props.reviewer.verify(props.id);
      found.value = verified;
      announce(verdict(verified));
    } catch (problem) {
      error.value = problem;
    }
  };
  useEffect(() => void run(), []);
  return (
    <Dialog title={t("review.verify.title")} onClose={props.onClose}>
      {error.value !== null ? (
        <Problem error={error.value} onRetry={() => void run()} />
      ) : found.value === null ? (
        <div class="stack" role="status">
          <p>{t("review.verify.running")}</p>
          <progress class="progress" aria-label={t("review.verify.title")} />
        </div>
      ) : (
        <Result found={found.value} />
      )}
    </Dialog>
  );
}

function isChanged(found: Verified): boolean {
  return found.findings.some(({ change }) => change);
}

function verdict(found: Verified): string {
  if (isChanged(found)) return t("review.verify.changed");
  return t(found.findings.length > 0 ? "review.verify.crash" : "review.verify.whole");
}

function Result({ found }: { found: Verified }) {
  const changed = isChanged(found);
  const Icon = changed ? TriangleAlert : CircleCheck;
  return (
    <div class="stack">
      <p class={`row review-verdict${changed ? " is-bad" : ""}`}>
        <Icon size={28} strokeWidth={1.75} aria-hidden />
        <strong>{verdict(found)}</strong>
      </p>
      <p class="small soft">{counted("review.verify.files", found.files)}</p>
      {found.findings.length > 0 && (
        <ul class="review-findings" tabIndex={0} aria-label={t("review.verify.title")}>
          {found.findings.map((finding, index) => (
            <li key={index} class={finding.change ? "is-bad" : ""}>
              <strong>{findingWords(finding)}</strong>
              <Details>
                {finding.file} {finding.segment !== null && `#${finding.segment} `}
                {finding.detail}
              </Details>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
