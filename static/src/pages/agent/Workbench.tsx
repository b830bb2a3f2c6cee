/** The signed-in agent: rail, list, centre. A session fills the centre and brings its own right column. */
import { ClipboardCheck, Film, FolderOpen, Globe, Inbox, Keyboard, Languages, LogOut, Plus, Settings2 } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Call, Desk } from "../../core/model";
import { language, t } from "../../i18n";
import type { InvitationCreated, OccupiedSession, SessionView, Site, WaitingEntry } from "../../protocol.gen";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { WORDING } from "../../ui/ConsentCard";
import { elapsed, useNow } from "../../ui/clock";
import { Avatar, Notice } from "../../ui/controls";
import { Confirm } from "../../ui/Dialog";
import { Logo } from "../../ui/drawings";
import { chooseLanguage } from "../../ui/prefs";
import { asProblem, problemText } from "../../ui/problems";
import { playTone } from "../../ui/tones";
import { endWords, roleName } from "../../ui/words";
import { JoinWith } from "../expert/ExpertArrival";
import { CallView } from "../session/CallView";
import type { CallViewProps } from "../session/CallView";
import { useKeys } from "../session/events";
import { close, give, isOn } from "../session/ui";
import { CreateSession, SessionReady } from "./Create";
import { HandoverDialog } from "./HandoverDialog";
import { HandoverOffers } from "./HandoverOffers";
import { KeysDialog, SettingsDialog } from "./Help";
import { InviteDialog } from "./Invite";
import { SessionList, WaitingList, arrived } from "./Lists";
import { NetworkPanel } from "./NetworkPanel";
import { OnSiteList } from "./onsite/OnSiteList";
import { ReviewList, mine, nextOf, shownReviews } from "./reviews/ReviewList";
import { ReviewPage } from "./reviews/ReviewPage";
import { useReviews } from "./reviews/news";
import { EditableSummary } from "./Summary";

export type View = { kind: "home" } | { kind: "create" } | { kind: "session"; session: SessionView; invitation: InvitationCreated | null } | { kind: "review"; id: string };
type List = "waiting" | "sessions" | "onsite" | "reviews";
type Open = "none" | "keys" | "settings" | "logout";

export interface WorkbenchProps {
  desk: Desk;
  site: Site | null;
  list?: List;
  view?: View;
  callProps?: Partial<CallViewProps>;
}

function RailButton(props: { icon: LucideIcon; text: string; onClick: () => void; pressed?: boolean; count?: number; more?: boolean }) {
  const Icon = props.icon;
  const count = props.count || props.more ? `${props.count ?? 0}${props.more ? "+" : ""}` : null;
  return (
    <button
      type="button"
      class="rail-button"
      aria-pressed={props.pressed}
      title={props.text}
      onClick={props.onClick}
    >
      <span class="bar-icon">
        <Icon size={22} strokeWidth={1.75} aria-hidden />
        {count !== null && <span class="badge" aria-hidden>{count}</span>}
      </span>
      <span class="rail-text">
        {props.text}
        {count !== null && <span class="hidden-text"> ({count})</span>}
      </span>
    </button>
  );
}

/** Tells of customers who came, to the waiting list or into this agent's sessions, since the page was opened. */
function useArrivals(key: "said.waiting" | "said.arrived", entries: readonly (WaitingEntry | OccupiedSession)[]): void {
  const before = useRef<Set<string> | null>(null);
  const sessions = entries.map((entry) => entry.session).join();
  useEffect(() => {
    const now = new Set(entries.map((entry) => entry.session));
    const fresh = before.current && entries.find((entry) => !before.current?.has(entry.session));
    before.current = now;
    if (!fresh) return;
    announce(t(key, { name: fresh.customer_name || t("waiting.nameless") }));
    playTone("ask");
  }, [sessions]);
}

/** The agent's own devices: asked once at the start of a session, in the stage's place. */
function JoinStage({ call, onAnswered }: { call: Call; onAnswered: () => void }) {
  return (
    <section class="stage">
      <div class="stage-ask">
        <div class="card stack">
          <h2>{t("join.title")}</h2>
          <JoinWith
            go={t("join.start")}
            onJoin={(wishes) => {
              onAnswered();
              for (const scope of ["microphone", "camera"] as const) {
                if (wishes[scope]) give(call, scope);
                else call.decide(scope, "refused", WORDING[scope]);
              }
            }}
          />
        </div>
      </div>
    </section>
  );
}

function AgentCall(props: { desk: Desk; call: Call; answered: boolean; callProps: Partial<CallViewProps> | undefined }) {
  const { call, desk } = props;
  const answered = useSignal(props.answered);
  const session = call.session.value?.id;
  const listens = call.me.value?.listens === true;
  const listened = useRef(false);
  if (listens) listened.current = true;
  const tookOver = listened.current && (isOn(call, "microphone") || isOn(call, "camera")); // that question said what goes on
  // Who enters again is asked again: the consents are on record, but nothing is switched on.
  const asked = call.phase.value === "connecting" || listens || tookOver || answered.value || (call.resumed && call.consents.value.has("microphone"));
  return (
    <CallView
      call={call}
      variant="agent"
      {...(asked ? {} : { center: <JoinStage call={call} onAnswered={() => (answered.value = true)} /> })}
      {...(call.grants.value.has("invite") ? { summary: (session: SessionView) => <EditableSummary key={session.id} desk={desk} session={session} /> } : {})}
      {...(session !== undefined && call.grants.value.has("session.read") ? { network: () => <NetworkPanel call={call} read={() => desk.media(session)} /> } : {})}
      dialogs={(ui) => {
        const session = call.session.value;
        if (ui.open.value.kind === "invite" && session) return <InviteDialog desk={desk} session={session} onClose={() => close(ui)} />;
        if (ui.open.value.kind === "handover") return <HandoverDialog desk={desk} call={call} onClose={() => close(ui)} />;
        if (ui.open.value.kind === "keys") return <KeysDialog onClose={() => close(ui)} />;
        return null;
      }}
      {...props.callProps}
    />
  );
}

export function Workbench(props: WorkbenchProps) {
  const { desk } = props;
  const list = useSignal<List | "none">(props.list ?? "waiting");
  const view = useSignal<View>(props.view ?? { kind: "home" });
  const open = useSignal<Open>("none");
  const busy = useSignal<string | null>(null);
  const error = useSignal<string | null>(null);
  const taken = useSignal<Call | null>(null); // by accepting an offer, which asked about the devices
  const call = desk.call.value;
  const inCall = call !== null && call.phase.value !== "ended";
  const staff = desk.staff.value;
  const come = arrived(desk);
  useArrivals("said.waiting", desk.waiting.value);
  useArrivals("said.arrived", come);
  useReviews(desk.reviews);
  const drafts = useRef(new Map<string, string>()).current; // reasons that were begun, and not decided by yet

  const guarded = async (name: string, action: () => Promise<void>) => {
    busy.value = name;
    error.value = null;
    try {
      await action();
    } catch (problem) {
      error.value = problemText(asProblem(problem));
    } finally {
      busy.value = null;
    }
  };
  const goHome = () => {
    error.value = null;
    view.value = { kind: "home" };
  };
  const take = (session: string) => void guarded(session, async () => void (await desk.take(session)));
  const invite = (session: SessionView) =>
    guarded("invite", async () => {
      view.value = { kind: "session", session, invitation: await desk.invite(session.id, "customer", session.customer_name) };
    });
  const enter = (session: string, name = session) =>
    void guarded(name, async () => {
      await desk.enter(session);
      goHome();
    });
  const startCreate = () => {
    error.value = null;
    view.value = { kind: "create" };
  };
  const review = (id: string | null) => {
    error.value = null;
    view.value = id === null ? { kind: "home" } : { kind: "review", id };
  };
  const reviewed = view.value.kind === "review" ? view.value.id : null;
  const toReviews = () => {
    list.value = "reviews";
    void desk.reviews.refresh();
  };
  const step = (by: 1 | -1) => {
    const queue = shownReviews(desk.reviews);
    const at = queue.findIndex(({ id }) => id === reviewed);
    const next = queue[at < 0 ? 0 : at + by];
    if (next) review(next.id);
  };
  useKeys({ n: startCreate, "?": () => (open.value = "keys"), e: toReviews, j: () => step(1), k: () => step(-1) }, !inCall && open.value === "none");
  useEffect(() => {
    const queue = desk.reviews.queue.peek();
    if (reviewed !== null && queue !== null && !desk.reviews.more.peek() && !queue.some(({ id }) => id === reviewed)) goHome(); // decided before the conversation
    if (!inCall) list.value = list.peek() === "none" ? "waiting" : list.peek();
    else if (!matchMedia("(min-width: 1440px)").matches) list.value = "none"; // the stage needs the room
  }, [inCall]);

  const pick = (next: List) => () => {
    if (next === "reviews") void desk.reviews.refresh();
    if (reviewed !== null && matchMedia("(max-width: 1023px)").matches) {
      goHome(); // one of the two has the room
      list.value = next;
      return;
    }
    if (next === "sessions") void desk.refresh().catch(() => undefined); // the list stays as it was; the state line tells of a lost line
    list.value = inCall && list.value === next ? "none" : next; // a conversation needs the room
  };
  const shown = view.value;
  const nextReview = reviewed === null ? null : nextOf(shownReviews(desk.reviews), reviewed);
  return (
    <div class={`bench${list.value === "none" ? " no-list" : ""}${inCall ? " in-call" : reviewed !== null ? " reviewing" : ""}`}>
      <nav class="rail" aria-label={t("rail.label")}>
        <span class="rail-logo">
          <Logo />
        </span>
        <RailButton icon={Inbox} text={t("rail.waiting")} pressed={list.value === "waiting"} count={desk.waiting.value.length + come.length} onClick={pick("waiting")} />
        <RailButton icon={FolderOpen} text={t("rail.sessions")} pressed={list.value === "sessions"} onClick={pick("sessions")} />
        <RailButton icon={Globe} text={t("rail.onsite")} pressed={list.value === "onsite"} onClick={pick("onsite")} />
        <RailButton icon={ClipboardCheck} text={t("rail.verifications")} pressed={list.value === "reviews"} count={mine(desk.reviews.queue.value).length} more={desk.reviews.more.value} onClick={pick("reviews")} />
        {!inCall && <RailButton icon={Plus} text={t("rail.new")} onClick={startCreate} />}
        {staff.role === "supervisor" && <RailButton icon={Film} text={t("rail.review")} onClick={() => window.open("/review", "_blank")} />}
        <span class="grow" />
        <RailButton icon={Keyboard} text={t("rail.keys")} onClick={() => (open.value = "keys")} />
        <RailButton icon={Settings2} text={t("rail.settings")} onClick={() => (open.value = "settings")} />
        <RailButton icon={Languages} text={language.value === "zh" ? "English" : "中文"} onClick={() => chooseLanguage(language.value === "zh" ? "en" : "zh")} />
        <RailButton icon={LogOut} text={t("rail.logout")} onClick={() => (inCall ? (open.value = "logout") : desk.logout())} />
      </nav>
      {list.value !== "none" && (
        <section class="list" aria-labelledby="list-title">
          <header class="list-head">
            <h2 id="list-title">{t(`${list.value}.title`)}</h2>
            <span class="row small soft">
              <Avatar name={staff.name} />
              <span class="grow">
                <bdi>{staff.name}</bdi>
                <br />
                {roleName(staff.role)} · {t(`desk.${desk.state.value}`)}
              </span>
            </span>
          </header>
          {desk.state.value === "reconnecting" && <Notice kind="offline">{t("desk.lost")}</Notice>}
          {desk.state.value === "connecting" ? (
            <div class="stack tight" role="status" aria-label={t("loading")}>
              <div class="skeleton tall" />
              <div class="skeleton tall" />
            </div>
          ) : list.value === "waiting" ? (
            <WaitingList arrived={come} entries={desk.waiting.value} taking={busy.value} inCall={inCall} onTake={take} onEnter={enter} />
          ) : list.value === "onsite" ? (
            <OnSiteList onSite={desk.onSite} inCall={inCall} onEnter={enter} />
          ) : list.value === "reviews" ? (
            <ReviewList reviews={desk.reviews} selected={reviewed} inCall={inCall} onSelect={review} />
          ) : (
            <SessionList
              sessions={desk.sessions.value}
              inside={desk.inside.value}
              current={call?.session.value?.id ?? null}
              selected={shown.kind === "session" ? shown.session.id : null}
              onSelect={(session) => {
                error.value = null;
                if (!inCall) view.value = { kind: "session", session, invitation: null };
              }}
            />
          )}
        </section>
      )}
      <main class="bench-main">
        {inCall ? (
          <AgentCall key={call.session.value?.id ?? "call"} desk={desk} call={call} answered={taken.value === call} callProps={props.callProps} />
        ) : (
          <div class={shown.kind === "review" ? "bench-review" : "bench-page"}>
            {call && (
              <Notice action={<Button onClick={() => (desk.call.value = null)}>{t("understood")}</Button>}>
                <strong>{endWords(call.endedBecause.value).title}</strong> {t("bench.ended")}
              </Notice>
            )}
            {shown.kind === "create" ? (
              <CreateSession
                busy={busy.value === "create"}
                error={error.value}
                onCancel={goHome}
                onCreate={(session) =>
                  void guarded("create", async () => {
                    const created = await desk.create(session);
                    view.value = { kind: "session", session: created, invitation: null };
                    await invite(created);
                  })
                }
              />
            ) : shown.kind === "session" ? (
              <SessionReady
                desk={desk}
                session={shown.session}
                onSaved={(session) => {
                  view.value = { ...shown, session };
                }}
                invitation={shown.invitation}
                busy={busy.value === "enter"}
                inviting={busy.value === "invite"}
                error={error.value}
                onInvite={() => void invite(shown.session)}
                onEnter={() => enter(shown.session.id, "enter")}
              />
            ) : shown.kind === "review" ? (
              <ReviewPage
                key={shown.id}
                reviews={desk.reviews}
                me={staff.id}
                id={shown.id}
                draft={drafts.get(shown.id) ?? ""}
                onDraft={(text) => drafts.set(shown.id, text)}
                onNext={nextReview === null ? null : () => review(nextReview)}
                onBack={() => {
                  review(null);
                  toReviews();
                }}
              />
            ) : (
              <Home name={staff.name} arrived={come} waiting={desk.waiting.value} sessions={desk.sessions.value.length} error={error.value} onCreate={startCreate} />
            )}
          </div>
        )}
      </main>
      <HandoverOffers
        desk={desk}
        inCall={inCall}
        onTaken={(fresh) => {
          taken.value = fresh;
          goHome();
        }}
      />
      {open.value === "keys" && <KeysDialog onClose={() => (open.value = "none")} />}
      {open.value === "settings" && <SettingsDialog onClose={() => (open.value = "none")} />}
      {open.value === "logout" && (
        <Confirm
          title={t("logout.title")}
          text={t("logout.text")}
          yes={t("rail.logout")}
          no={t("cancel")}
          onNo={() => (open.value = "none")}
          onYes={() => {
            open.value = "none";
            desk.logout();
          }}
        />
      )}
    </div>
  );
}

function Home(props: { name: string; arrived: readonly OccupiedSession[]; waiting: readonly WaitingEntry[]; sessions: number; error: string | null; onCreate: () => void }) {
  const now = useNow();
  const since = [...props.waiting.map((entry) => entry.waiting_since), ...props.arrived.map((entry) => entry.alone_since ?? entry.created_at)];
  const longest = since.toSorted((a, b) => Date.parse(a) - Date.parse(b))[0];
  const figures = [
    ["home.count", since.length],
    ["home.longest", longest === undefined ? t("home.none") : elapsed(longest, now)],
    ["home.sessions", props.sessions],
  ] as const;
  return (
    <div class="home stack">
      <h1>{t("home.title", { name: props.name })}</h1>
      <p class="soft lead">{props.arrived.length ? t("home.arrived") : props.waiting.length ? t("home.waiting", { n: props.waiting.length }) : t("home.nobody")}</p>
      {props.error && <Notice kind="bad">{props.error}</Notice>}
      <div class="row wrap">
        <Button look="primary" icon={Plus} onClick={props.onCreate}>
          {t("create.title")}
        </Button>
      </div>
      <dl class="figures" aria-label={t("home.figures")}>
        {figures.map(([name, figure]) => (
          <div key={name}>
            <dt>{t(name)}</dt>
            <dd>{figure}</dd>
          </div>
        ))}
      </dl>
      <p class="small soft">{t("home.keys")}</p>
    </div>
  );
}
