/** Beside the customer's page: the ladder of what one may do, where the customer is, what was done, who else looks. */
import { Check, Clock, LocateFixed, MessagesSquare, RefreshCw, Unplug, X } from "lucide-preact";
import { LADDER, standing } from "../../../core/cobrowse";
import type { ActNow, Standing } from "../../../core/cobrowse";
import type { Scope, ViewState } from "../../../cobrowse.gen";
import { hasWords, t } from "../../../i18n";
import { Button } from "../../../ui/Button";
import { span } from "../../../ui/clock";
import { useCall } from "../ui";
import { mayAttach } from "./state";

const MARKS = { granted: Check, asked: Clock, refused: X, open: null } as const;

function Step({ scope }: { scope: Scope }) {
  const { cobrowse } = useCall().call;
  const now: Standing = standing(cobrowse, scope);
  const Mark = MARKS[now];
  const name = t(`cobrowse.scope.${scope}`);
  const waits = (cobrowse.state.value?.waits_for.length ?? 0) > 0; // one question at a time
  const early = scope !== "view" && standing(cobrowse, "view") !== "granted"; // seeing it comes first
  return (
    <li class={`step ${now}`}>
      <span class="step-mark" aria-hidden>
        {Mark !== null && <Mark size={16} strokeWidth={2.25} />}
      </span>
      <span class="grow">
        <strong>{name}</strong> <span class="small soft step-state">{t(`cobrowse.standing.${now}`)}</span>
        <span class="small soft step-text">{t(`cobrowse.scope.${scope}.text`)}</span>
      </span>
      {now === "granted" ? (
        <Button look="plain" label={`${t("cobrowse.release")}: ${name}`} onClick={() => cobrowse.release(scope)}>
          {t("cobrowse.release")}
        </Button>
      ) : (
        <Button busy={now === "asked"} disabled={(waits && now !== "asked") || early} label={`${t("cobrowse.ask")}: ${name}`} onClick={() => cobrowse.ask(scope)}>
          {t("cobrowse.ask")}
        </Button>
      )}
    </li>
  );
}

function Journey({ state }: { state: ViewState }) {
  const { call, page } = useCall();
  const site = call.cobrowse.site.value;
  const wrong = page.wrong.value.filter(({ node }) => state.fields.includes(node));
  const others = state.errors - wrong.length;
  return (
    <section class="stack tight" aria-label={t("cobrowse.journey")}>
      <h2 class="sub">{t("cobrowse.journey")}</h2>
      <dl class="facts">
        <div>
          <dt>{t("cobrowse.journey.page")}</dt>
          <dd dir="auto">
            {site !== "" && <span class="soft">{site} · </span>}
            {state.name === "" || state.name === "…" ? <span class="soft">{t("cobrowse.journey.unnamed")}</span> : state.name}
          </dd>
        </div>
        {state.customer !== "" && (
          <div>
            <dt>{t("cobrowse.journey.customer")}</dt>
            <dd dir="auto">{state.customer}</dd>
          </div>
        )}
        {state.step !== "" && (
          <div>
            <dt>{t("cobrowse.journey.step")}</dt>
            <dd dir="auto">{state.step}</dd>
          </div>
        )}
        {state.dwell_s > 0 && (
          <div>
            <dt>{t("cobrowse.journey.dwell")}</dt>
            <dd>{span(state.dwell_s * 1000)}</dd>
          </div>
        )}
        {state.errors > 0 && (
          <div>
            <dt>{t("cobrowse.journey.errors")}</dt>
            <dd>
              <span class="chip warn">{state.errors}</span>
              {wrong.length > 0 && (
                <ul class="acts">
                  {wrong.map(({ node, what }) => (
                    <li key={node}>
                      <Button look="plain" icon={LocateFixed} onClick={() => (page.sought.value = { node })}>
                        <bdi>{what === "" ? t("cobrowse.journey.field") : what}</bdi>
                      </Button>
                    </li>
                  ))}
                </ul>
              )}
              {wrong.length > 0 && others > 0 && <span class="small soft"> {t("cobrowse.journey.others", { n: others })}</span>}
            </dd>
          </div>
        )}
      </dl>
    </section>
  );
}

/** What came of it, in words. */
export function outcomeWords(act: Pick<ActNow, "kind" | "outcome">): string {
  if (act.outcome === null) return t(act.kind === "propose" ? "cobrowse.outcome.waits.propose" : "cobrowse.outcome.waits");
  if (act.outcome === "done" && act.kind === "propose") return t("cobrowse.outcome.accepted");
  return t(`cobrowse.outcome.${act.outcome}`);
}

export function actWords(act: Pick<ActNow, "kind" | "what">): string {
  return t(`cobrowse.act.${act.kind}`, { what: act.what === "" ? t("cobrowse.place") : act.what });
}

/** The customer shows the page and is not in the conversation: they are asked into it. */
function Conversation() {
  const { cobrowse } = useCall().call;
  const called = cobrowse.called.value;
  return (
    <section class="stack tight" aria-label={t("cobrowse.call")}>
      <h2 class="sub">{t("cobrowse.call")}</h2>
      <p class="small soft" role="status">
        {t(`cobrowse.call.${called}`)}
      </p>
      <div>
        <Button icon={MessagesSquare} busy={called === "asked"} onClick={() => cobrowse.call()}>
          {t(called === "none" || called === "asked" ? "cobrowse.call.go" : "cobrowse.ask.again")}
        </Button>
      </div>
    </section>
  );
}

function viewerName(viewer: { name: string; role: string }): string {
  const role = `role.${viewer.role}`;
  return viewer.name.trim() || (hasWords(role) ? t(role) : viewer.role);
}

export function PagePanel() {
  const { call } = useCall();
  const { cobrowse } = call;
  const state = cobrowse.state.value;
  const others = (state?.viewers ?? []).filter(({ id }) => id !== state?.viewer);
  const acts = cobrowse.acts.value;
  const sees = standing(cobrowse, "view") === "granted";
  if (state === null) return <p class="soft">{t(cobrowse.share.value === null ? "cobrowse.none.title" : "cobrowse.connecting")}</p>;
  return (
    <div class="stack page-panel">
      <section class="stack tight" aria-label={t("cobrowse.ladder")}>
        <h2 class="sub">{t("cobrowse.ladder")}</h2>
        <ol class="ladder">
          {LADDER.map((scope) => (
            <Step key={scope} scope={scope} />
          ))}
        </ol>
      </section>
      {sees && <Journey state={state} />}
      {state.apart && mayAttach(call) && <Conversation />}
      {acts.length > 0 && (
        <section class="stack tight" aria-label={t("cobrowse.acts")}>
          <h2 class="sub">{t("cobrowse.acts")}</h2>
          <ul class="acts">
            {acts.slice(0, 6).map((act) => (
              <li key={act.act} class={act.outcome ?? "waits"}>
                <bdi>{actWords(act)}</bdi>
                <span class="small soft">{outcomeWords(act)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {others.length > 0 && (
        <section class="stack tight" aria-label={t("cobrowse.viewers")}>
          <h2 class="sub">{t("cobrowse.viewers")}</h2>
          <ul class="acts">
            {others.map((viewer) => (
              <li key={viewer.id}>
                <bdi>{viewerName(viewer)}</bdi>
                <span class="small soft">
                  {viewer.granted.length === 0
                    ? t("cobrowse.viewer.nothing")
                    : LADDER.filter((scope) => viewer.granted.includes(scope))
                        .map((scope) => t(`cobrowse.scope.${scope}`))
                        .join(t("list.separator"))}
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {sees && <p class="small soft">{t("cobrowse.legend")}</p>}
      <div class="row wrap">
        {sees && (
          <Button icon={RefreshCw} onClick={() => cobrowse.resync()}>
            {t("cobrowse.resync")}
          </Button>
        )}
        {mayAttach(call) && (
          <Button icon={Unplug} look="danger-plain" onClick={() => cobrowse.detach()}>
            {t("cobrowse.detach")}
          </Button>
        )}
      </div>
    </div>
  );
}
