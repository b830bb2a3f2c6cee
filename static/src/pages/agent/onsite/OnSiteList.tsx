/** Customers who are on the bank's pages now: where, since when, what is wrong there; help is offered from here, and a page begun by its code. */
import { Clock3, Globe, Handshake, TriangleAlert } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { counted, language, t } from "../../../i18n";
import type { OnSite } from "../../../core/onSite";
import type { SeenVisitor, SessionView } from "../../../protocol.gen";
import { announce } from "../../../ui/announce";
import { Button } from "../../../ui/Button";
import { span } from "../../../ui/clock";
import { Notice, TextField } from "../../../ui/controls";
import { asProblem, problemText } from "../../../ui/problems";
import { playTone } from "../../../ui/tones";

const CODE = /^\d{6}$/;
/** So long on one step is told. */
export const LONG_S = 120;

/** What they are called here: nobody knows who it is. */
export function pseudonym(id: string): string {
  return t("onsite.visitor", { id: id.slice(-4) });
}

function CodeForm(props: { onSite: OnSite; disabled: boolean; onBegun: (session: SessionView) => void }) {
  const code = useSignal("");
  const busy = useSignal(false);
  const error = useSignal<string | null>(null);
  const begin = async () => {
    error.value = null;
    if (!CODE.test(code.value)) {
      error.value = t("cobrowse.code.wrong");
      return;
    }
    busy.value = true;
    try {
      const session = await props.onSite.begin(code.value, language.value);
      code.value = "";
      props.onBegun(session);
    } catch (problem) {
      const why = asProblem(problem);
      error.value = why.code === "not_found" || why.code === "gone" ? t("cobrowse.code.refused") : why.code === "too_many" ? t("cobrowse.code.too_many") : problemText(why);
    } finally {
      busy.value = false;
    }
  };
  return (
    <form
      class="task stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        void begin();
      }}
    >
      <TextField label={t("onsite.code")} hint={t("onsite.code.text")} code value={code.value} error={error.value} onInput={(text) => (code.value = text.normalize("NFKC").replace(/\D/g, "").slice(0, 6))} />
      <Button submit busy={busy.value} disabled={props.disabled}>
        {t("cobrowse.code.go")}
      </Button>
    </form>
  );
}

function VisitorCard(props: { visitor: SeenVisitor; busy: boolean; disabled: boolean; inCall: boolean; onOffer: () => void; onWithdraw: () => void; onEnter: () => void }) {
  const { visitor } = props;
  const name = pseudonym(visitor.id);
  const place = [visitor.page || t("onsite.page.unnamed"), visitor.step].filter((part) => part !== "").join(" · ");
  return (
    <li class="task">
      <div class="row">
        <strong class="grow one-line">{name}</strong>
        <span class={`chip${visitor.dwell_s >= LONG_S ? " warn" : ""}`} title={t("onsite.dwell")}>
          <Clock3 size={16} strokeWidth={1.75} aria-hidden />
          <span class="hidden-text">{t("onsite.dwell")}</span>
          {span(visitor.dwell_s * 1000)}
        </span>
      </div>
      <p class="task-reason" dir="auto">
        {place}
      </p>
      <p class="small soft one-line" dir="auto">
        {visitor.site}
      </p>
      <div class="row">
        <div class="row wrap grow">
          {visitor.errors > 0 && (
            <span class="chip warn">
              <TriangleAlert size={16} strokeWidth={1.75} aria-hidden />
              {counted("onsite.errors", visitor.errors)}
            </span>
          )}
        </div>
        {visitor.offer === "" ? (
          <Button label={t("onsite.offer.label", { name })} busy={props.busy} disabled={props.disabled} onClick={props.onOffer}>
            {t("onsite.offer")}
          </Button>
        ) : visitor.offer === "open" ? (
          <Button look="plain" label={`${t("onsite.withdraw")}: ${name}`} busy={props.busy} onClick={props.onWithdraw}>
            {t("onsite.withdraw")}
          </Button>
        ) : visitor.session !== "" ? (
          <Button label={`${t("ready.enter")}: ${name}`} disabled={props.inCall} onClick={props.onEnter}>
            {t("ready.enter")}
          </Button>
        ) : (
          <span class="small soft">{t(`onsite.${visitor.offer}`)}</span>
        )}
      </div>
      {visitor.offer === "open" && (
        <p class="small soft" role="status">
          {t("onsite.open")}
        </p>
      )}
    </li>
  );
}

export interface OnSiteListProps {
  onSite: OnSite;
  inCall: boolean;
  onEnter: (session: string) => void;
}

export function OnSiteList({ onSite, inCall, onEnter }: OnSiteListProps) {
  const error = useSignal<string | null>(null);
  const busy = useSignal<string | null>(null);
  const offered = useRef(new Set<string>()); // from here: nobody is led into what another page of theirs has begun
  useEffect(() => onSite.watch(), [onSite]);
  const visitors = onSite.visitors.value;
  const come = visitors?.find(({ id, session }) => session !== "" && offered.current.has(id));
  useEffect(() => {
    if (come === undefined) return;
    offered.current.delete(come.id);
    announce(t("onsite.said.accepted"));
    playTone("ask");
    if (!inCall) onEnter(come.session);
  }, [come?.session]);
  const guarded = (visitor: string, action: (visitor: string) => Promise<void>) => async () => {
    busy.value = visitor;
    error.value = null;
    try {
      await action(visitor);
    } catch (problem) {
      const why = asProblem(problem);
      error.value = why.code === "conflict" || why.code === "not_found" ? t(`onsite.refused.${why.code}`) : problemText(why);
    } finally {
      busy.value = null;
    }
  };
  const one = visitors?.some(({ offer }) => offer === "open") === true;
  return (
    <>
      <CodeForm onSite={onSite} disabled={inCall} onBegun={(session) => onEnter(session.id)} />
      {error.value !== null && <Notice kind="bad">{error.value}</Notice>}
      {visitors === null ? (
        <div class="skeleton tall" role="status" aria-label={t("loading")} />
      ) : visitors.length === 0 ? (
        <div class="empty">
          {onSite.presence.value ? <Globe size={28} strokeWidth={1.5} aria-hidden /> : <Handshake size={28} strokeWidth={1.5} aria-hidden />}
          <p>{t(onSite.presence.value ? "onsite.empty" : "onsite.off")}</p>
          <p class="small">{t(onSite.presence.value ? "onsite.empty.under" : "onsite.off.under")}</p>
        </div>
      ) : (
        <ul class="tasks" aria-live="off">
          {visitors.map((visitor) => (
            <VisitorCard
              key={visitor.id}
              visitor={visitor}
              busy={busy.value === visitor.id}
              disabled={inCall || one}
              onOffer={() =>
                void guarded(visitor.id, (id) => {
                  offered.current.add(id);
                  return onSite.offer(id);
                })()
              }
              onEnter={() => onEnter(visitor.session)}
              inCall={inCall}
              onWithdraw={() => void guarded(visitor.id, (id) => onSite.withdraw(id))()}
            />
          ))}
        </ul>
      )}
    </>
  );
}
