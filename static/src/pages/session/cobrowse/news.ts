/** Says what happens about the customer's page to those who do not look there just now. */
import { useEffect, useRef } from "preact/hooks";
import { LADDER, viewerOf } from "../../../core/cobrowse";
import type { Scope } from "../../../cobrowse.gen";
import { t } from "../../../i18n";
import { announce } from "../../../ui/announce";
import { playTone } from "../../../ui/tones";
import type { CallUi } from "../ui";
import { actWords, outcomeWords } from "./PagePanel";
import { needs, situation } from "./state";

const TOLD = ["paused", "hidden", "gone", "ended", "asked"] as const;

export function usePageNews(ui: CallUi): void {
  const { call } = ui;
  const { cobrowse } = call;
  const granted = viewerOf(cobrowse.state.value)?.granted;
  const before = useRef<readonly Scope[]>([]);
  const outcomes = useRef(new Map<string, string | null>());
  const now = situation(call);
  const refused = cobrowse.refused.value;
  const no = useRef<ReadonlySet<Scope>>(new Set());

  useEffect(() => {
    const [was, is] = [before.current, granted ?? []];
    before.current = is;
    for (const scope of LADDER) {
      if (is.includes(scope) === was.includes(scope)) continue;
      announce(t(is.includes(scope) ? "cobrowse.said.granted" : "cobrowse.said.taken", { scope: t(`cobrowse.scope.${scope}`) }));
      if (is.includes(scope)) playTone("message");
    }
    const tool = ui.page.tool.peek();
    if (tool !== "none" && !needs(tool).some((scope) => is.includes(scope))) ui.page.tool.value = "none";
    if (!needs("fill").some((scope) => is.includes(scope))) ui.page.fills.value = null;
  }, [granted?.join()]);

  useEffect(() => {
    for (const scope of refused) if (!no.current.has(scope)) announce(t("cobrowse.said.refused", { scope: t(`cobrowse.scope.${scope}`) }));
    no.current = refused;
  }, [refused]);

  useEffect(() => {
    const told = TOLD.find((one) => one === now);
    if (told !== undefined) announce(t(`cobrowse.${told}.title`));
  }, [now]);

  useEffect(() => {
    for (const act of cobrowse.acts.value) {
      if (act.outcome !== null && outcomes.current.get(act.act) === null) announce(`${actWords(act)}: ${outcomeWords(act)}`);
      outcomes.current.set(act.act, act.outcome);
    }
  }, [cobrowse.acts.value]);
}
