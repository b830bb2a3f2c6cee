/** What went wrong on a reviewers' page, and what can be done about it. */
import { t } from "../../i18n";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/controls";
import { asProblem, problemText } from "../../ui/problems";
import { Heading } from "../../ui/Shell";

/** For those who are signed in and may not see recordings. */
export function Denied() {
  return (
    <section class="stack review-words">
      <Heading under={t("review.denied.text")}>{t("review.denied")}</Heading>
    </section>
  );
}

export function Problem(props: { error: unknown; onRetry: () => void }) {
  const problem = asProblem(props.error);
  if (problem.code === "not_allowed") return <Denied />;
  return (
    <Notice kind="bad" action={<Button onClick={props.onRetry}>{t("retry")}</Button>}>
      {problemText(problem)}
    </Notice>
  );
}
