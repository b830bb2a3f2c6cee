/** The reviewers' pages in their states. */
import { signal } from "@preact/signals";
import type { Detail, ExportJob, Reviewer, Summary, Verified } from "../core/review/model";
import { Player } from "../core/review/player";
import type { Element, Source } from "../core/review/player";
import type { Cover } from "../core/review/source";
import type { KeptState } from "../core/review/pages";
import type { Mark, PageTrack, Timeline, Track } from "../core/review/timeline";
import { ReviewShell } from "../pages/review/App";
import { RecordingList } from "../pages/review/List";
import { RecordingPageOf, RecordingView } from "../pages/review/Recording";
import type { RecordingViewProps } from "../pages/review/Recording";
import { Workbench } from "../pages/agent/Workbench";
import { LoginPage } from "../pages/agent/Login";
import type { Mount } from "../pages/review/Stage";
import { t } from "../i18n";
import { ApiError, OFFLINE } from "../core/problems";
import { PAGE, pageEvents } from "./cobrowsePage";
import { NAMES, fakeDesk, site, zh } from "./fakes";
import { faceStream, screenStream } from "./face";
import type { Story } from "./list";

const nothing = () => undefined;
const never = <T,>() => new Promise<T>(nothing);
const MIN = 60_000;
const END = 12 * MIN + 41_000;

const track = (id: string, participant: string, source: Track["source"], ...spans: [number, number][]): Track => ({
  id,
  participant,
  source,
  mime: source === "microphone" ? 'audio/webm; codecs="opus"' : 'video/webm; codecs="vp8"',
  spans: spans.map(([fromMs, toMs]) => ({ fromMs, toMs })),
});

/** Who speaks when: the same each time, and nobody in the pause. */
function speaking(): Timeline["speaking"] {
  const found: Timeline["speaking"] = [];
  for (let atMs = 4_000, turn = 0; atMs < END - 20_000; turn += 1) {
    const who = ["PA_agent", "PA_c", "PA_agent", "PA_e", "PA_c"][turn % 5] ?? "PA_agent";
    const here = who === "PA_e" && atMs < 4 * MIN ? "PA_agent" : who;
    found.push({ atMs, who: atMs > 7 * MIN && atMs < 8 * MIN ? [] : [here] });
    atMs += 9_000 + ((turn * 7_919) % 21_000);
  }
  return [...found, { atMs: END - 4_000, who: [] }];
}

function marks(): Mark[] {
  const [a, c, e] = ["PA_agent", "PA_c", "PA_e"];
  const words = (z: string, en: string) => ({ zh: z, en });
  const label = (z: string, en: string) => (zh() ? z : en);
  const found: Mark[] = [
    { kind: "consent", atMs: 0, by: c, given: true },
    { kind: "consent", atMs: 10, by: a, given: true },
    { kind: "joined", atMs: 20, by: a },
    { kind: "joined", atMs: 30, by: c },
    { kind: "checkpoint", atMs: 62_000, by: a, item: "identity", label: words("已核对客户身份", "The customer’s identity was checked"), done: true, note: label("身份证与本人一致", "The card shows the same person") },
    { kind: "chat", atMs: 95_000, by: a, text: label("请看一下这份说明。", "Please have a look at this.") },
    { kind: "file", atMs: 99_000, by: a, name: label("产品风险说明.pdf", "Risk statement.pdf"), size: 184_320 },
    { kind: "screen", atMs: 130_000, by: a, on: true },
    { kind: "checkpoint", atMs: 214_000, by: a, item: "risk", label: words("已向客户讲解风险，客户表示理解", "The risk was explained, and the customer has understood it"), done: true, note: "" },
    { kind: "joined", atMs: 4 * MIN, by: e },
    { kind: "chat", atMs: 268_000, by: c, text: label("提前赎回要付多少？", "What does an early redemption cost?") },
    { kind: "note", atMs: 291_000, by: a, text: label("客户问到提前赎回", "The customer asks about early redemption") },
    { kind: "screen", atMs: 330_000, by: a, on: false },
    { kind: "gap", atMs: 372_000, toMs: 381_000, by: c, source: "camera", packets: 214, reason: "recorder_lost" },
    { kind: "paused", atMs: 7 * MIN },
    { kind: "resumed", atMs: 8 * MIN },
    { kind: "checkpoint", atMs: 541_000, by: a, item: "fees", label: words("已说明费用和提前赎回的条件", "Fees and the terms of an early redemption were named"), done: true, note: "" },
    { kind: "left", atMs: 10 * MIN, by: e },
    { kind: "checkpoint", atMs: 690_000, by: a, item: "agree", label: words("客户确认购买", "The customer confirms the purchase"), done: true, note: "" },
    { kind: "chat", atMs: 701_000, by: c, text: label("同意，谢谢。", "I agree, thank you.") },
  ];
  return found;
}

function timeline(change: Partial<Timeline> = {}): Timeline {
  const calls: [number, number][] = [[0, 7 * MIN], [8 * MIN, END]];
  return {
    durationMs: END,
    startedAt: "2030-01-01T10:30:00Z",
    parties: [
      { id: "PA_c", name: NAMES.customer(), role: "customer", there: [{ fromMs: 30, toMs: END }] },
      { id: "PA_agent", name: NAMES.agent(), role: "agent", there: [{ fromMs: 20, toMs: END }] },
      { id: "PA_e", name: NAMES.expert(), role: "expert", there: [{ fromMs: 4 * MIN, toMs: 10 * MIN }] },
    ],
    tracks: [
      track("PA_c.camera.0", "PA_c", "camera", [0, 372_000], [381_000, 7 * MIN], [8 * MIN, END]),
      track("PA_c.microphone.0", "PA_c", "microphone", ...calls),
      track("PA_agent.camera.0", "PA_agent", "camera", ...calls),
      track("PA_agent.microphone.0", "PA_agent", "microphone", ...calls),
      track("PA_agent.screen.0", "PA_agent", "screen", [130_000, 330_000]),
      track("PA_e.microphone.0", "PA_e", "microphone", [4 * MIN, 7 * MIN], [8 * MIN, 10 * MIN]),
    ],
    pages: [],
    marks: marks(),
    speaking: speaking(),
    pauses: [{ fromMs: 7 * MIN, toMs: 8 * MIN }],
    damaged: [],
    ...change,
  };
}

const people = (...names: string[]): Summary["people"] => names.map((name) => ({ name, role: "expert" }));

function summary(change: Partial<Summary> = {}): Summary {
  return {
    id: "RE_7c41d0b8a95e4f63a2170e98b4cd3f15",
    session: "SE_4f9c27a1e5b84d0f9a3c6e7712d0b8aa",
    customerName: NAMES.customer(),
    startedAt: "2026-03-01T10:30:00Z",
    startedBy: NAMES.agent(),
    ending: "complete",
    durationMs: END,
    bytes: 61_300_000,
    people: people(NAMES.customer(), NAMES.agent(), NAMES.expert()),
    ...change,
  };
}

function list(): Summary[] {
  return [
    summary(),
    summary({ id: "RE_2", customerName: zh() ? "刘桂芳" : "Maria Okonkwo", ending: "interrupted", durationMs: 187_000, people: people(NAMES.agent()) }),
    summary({ id: "RE_3", customerName: NAMES.long(), ending: "failed", durationMs: 4_012_000, people: people(NAMES.long(), NAMES.arabic(), NAMES.expert(), "") }),
    summary({ id: "RE_4", customerName: "", ending: "open", durationMs: 61_000, people: [] }),
  ];
}

function reviewer(change: Partial<Reviewer> = {}): Reviewer {
  return {
    staff: signal({ id: "ST_9", username: "mei.chen", name: zh() ? "陈梅" : "Mei Chen", role: "supervisor", disabled: false }),
    signedIn: signal(true),
    list: async () => ({ recordings: list(), next: "more" }),
    open: async () => ({ summary: summary(), timeline: timeline() }),
    stream: () => never(),
    verify: () => never(),
    erase: async () => undefined,
    startExport: async (_id, format) => job({ progress: 0, format }),
    exportJob: () => never(),
    exported: () => never(),
    logout: nothing,
    ...change,
  };
}

const still: Element = { currentTime: 0, playbackRate: 1, muted: false, paused: true, seeking: false, readyState: 4, play: () => never(), pause: nothing };
const FACES: Readonly<Record<string, "customer" | "agent" | "expert">> = { PA_c: "customer", PA_agent: "agent", PA_e: "expert" };

/** Pictures that are drawn, in a player that stands at `atMs`. */
function made(atMs: number, cover: Cover = "there"): NonNullable<RecordingViewProps["make"]> {
  return (detail) => {
    const player = new Player(detail.timeline, () => 0);
    const source: Source = { cover: () => cover, want: nothing, again: nothing, close: nothing };
    const mount: Mount = (lane, element) => {
      if (element instanceof HTMLVideoElement) {
        element.srcObject = lane.source === "screen" ? screenStream() : faceStream(FACES[lane.participant] ?? "customer");
        element.muted = true;
        element.play().catch(nothing);
      }
      const detach = player.attach(lane, { ...still }, source);
      player.seek(atMs);
      return detach;
    };
    return { player, mount };
  };
}

function page(name: string, make: () => Omit<Partial<RecordingViewProps>, "reviewer"> & { timeline?: Partial<Timeline>; summary?: Partial<Summary>; atMs?: number; cover?: Cover; reviewer?: Partial<Reviewer> } = () => ({})): Story {
  return {
    name: `review-${name}`,
    make: () => {
      const { timeline: times = {}, summary: of = {}, atMs = 250_000, cover = "there", reviewer: by = {}, ...props } = make();
      const detail: Detail = { summary: summary(of), timeline: timeline(times) };
      return (
        <ReviewShell site={site()} reviewer={reviewer(by)}>
          <RecordingView reviewer={reviewer(by)} detail={detail} onErased={nothing} make={made(atMs, cover)} {...props} />
        </ReviewShell>
      );
    },
  };
}

const framed = (name: string, by: () => Partial<Reviewer>, what: (reviewer: Reviewer) => Story["make"]): Story => ({
  name: `review-${name}`,
  make: () => {
    const who = reviewer(by());
    return (
      <ReviewShell site={site()} reviewer={who}>
        {what(who)()}
      </ReviewShell>
    );
  },
});

const listed = (session = "") => (who: Reviewer) => () => <RecordingList reviewer={who} onOpen={nothing} session={session} />;
const opened = (who: Reviewer) => () => <RecordingPageOf reviewer={who} id="RE_1" onBack={nothing} />;
const fails = (code: string) => () => Promise.reject(new ApiError(code, ""));
const verified = (change: Partial<Verified>): Partial<Reviewer> => ({ verify: async () => ({ files: 9, findings: [], ...change }) });
const job = (change: Partial<ExportJob> = {}): ExportJob => ({ id: "EX_1", state: "running", progress: 0.42, format: "mp4", fault: null, detail: "", ...change });

/** A supervisor's workbench has the way here. */
function supervisors() {
  const desk = fakeDesk();
  return <Workbench desk={{ ...desk, staff: signal({ ...desk.staff.peek(), role: "supervisor" }) }} site={site()} />;
}

const SHOWN: PageTrack = { id: "page-SH_1", participant: "PA_c", spans: [{ fromMs: 140_000, toMs: 6 * MIN }] };

/** What was kept of a page: a state a second before the picture, so that a player may stand where there is none. */
function kept(change: Partial<KeptState> = {}): string {
  const state = { type: "kept.state", state: "sharing", shown: true, hidden: false, front: true, page: 1, name: "transfer", step: zh() ? "填写收款信息" : "Who gets it", errors: 1, viewers: [{ id: "PA_agent", role: "agent", granted: ["view", "point"] }], ...change };
  const mark = { type: "mark", id: "m1", page: 1, kind: "highlight", spots: [{ node: PAGE.amount, x: 0.5, y: 0.5 }], viewer: "PA_agent" };
  const lines: [number, object][] = [[139_000, state]];
  if (state.shown) {
    lines.push([140_000, { type: "kept.begin", state, marks: [mark] }]);
    pageEvents().forEach((text, n) => lines.push([140_000, { type: "view.dom", page: 1, n: n + 1, text, last: true, picture: n < 2 }]));
    lines.push([249_000, { type: "kept.act", viewer: "PA_agent", page: 1, node: PAGE.payee, kind: "propose", outcome: "dismissed" }]);
  }
  return lines.map(([ms, line]) => `${JSON.stringify({ at_us: ms * 1000, begins: "marks" in line, line })}\n`).join("");
}

const streamOf = (text: string) => async () => new Blob([text]).stream();
const withPage = (name: string, stream: () => Reviewer["stream"], atMs = 250_000) => page(`page-${name}`, () => ({ timeline: { pages: [SHOWN] }, atMs, reviewer: { stream: stream() } }));

export const reviewStories: Story[] = [
  { name: "bench-supervisor", make: supervisors },
  { name: "review-login", make: () => <LoginPage site={site()} title={t("review.login")} under={t("review.login.under")} busy={false} error={null} onLogin={nothing} /> },
  framed("list", () => ({}), listed()),
  framed("list-loading", () => ({ list: () => never() }), listed()),
  framed("list-empty", () => ({ list: async () => ({ recordings: [], next: null }) }), listed()),
  framed("list-session", () => ({ list: async () => ({ recordings: [], next: null }) }), listed("SE_4f9c27a1e5b84d0f9a3c6e7712d0b8aa")),
  framed("list-offline", () => ({ list: fails(OFFLINE) }), listed()),
  framed("denied", () => ({ list: fails("not_allowed") }), listed()),
  framed("loading", () => ({ open: () => never() }), opened),
  framed("gone", () => ({ open: fails("not_found") }), opened),
  framed("erased", () => ({ open: fails("gone") }), opened),
  framed("still", () => ({ open: fails("conflict") }), opened),
  page("player"),
  withPage("seen", () => streamOf(kept())),
  withPage("none", () => streamOf(kept()), 30_000),
  withPage("loading", () => () => never()),
  withPage("failed", () => fails("gone")),
  withPage("hidden", () => streamOf(kept({ shown: false, hidden: true }))),
  withPage("paused", () => streamOf(kept({ shown: false, state: "paused" }))),
  withPage("away", () => streamOf(kept({ shown: false, front: false }))),
  page("player-screen", () => ({ atMs: 200_000 })),
  page("player-paused-then", () => ({ atMs: 7.5 * MIN })),
  page("player-chat", () => ({ tab: "chat", atMs: 270_000 })),
  page("player-everything", () => ({ tab: "all", atMs: 9 * MIN })),
  page("player-loading", () => ({ cover: "coming" })),
  page("player-failed", () => ({ cover: "failed" })),
  page("player-damaged", () => ({ summary: { ending: "interrupted" }, timeline: { damaged: ["PA_e.camera.0.0.track"] } })),
  page("player-empty", () => ({ timeline: { marks: [], tracks: [], speaking: [], parties: [], pauses: [], durationMs: 0 }, atMs: 0, summary: { customerName: "", people: [], ending: "failed" } })),
  page("verify-running", () => ({ dialog: "verify" })),
  page("verify-whole", () => ({ dialog: "verify", reviewer: verified({}) })),
  page("verify-crash", () => ({ dialog: "verify", reviewer: verified({ findings: [{ file: "PA_c.camera.0.0.track", what: "torn", detail: "", segment: 41, change: false }, { file: "manifest", what: "unfinished", detail: "", segment: null, change: false }] }) })),
  page("verify-changed", () => ({ dialog: "verify", reviewer: verified({ findings: [{ file: "PA_c.camera.0.0.track", what: "changed", detail: "no key opens it", segment: 41, change: true }, { file: "PA_agent.microphone.0.0.track", what: "truncated", detail: "", segment: null, change: true }] }) })),
  page("export", () => ({ dialog: "export" })),
  page("export-running", () => ({ dialog: "export", job: job() })),
  page("export-done", () => ({ dialog: "export", job: job({ state: "done", progress: 1 }) })),
  page("export-failed", () => ({ dialog: "export", job: job({ state: "failed", fault: "other", detail: "exit status -9" }) })),
  page("export-damaged", () => ({ dialog: "export", job: job({ state: "failed", fault: "damaged" }) })),
  page("export-no-space", () => ({ dialog: "export", job: job({ state: "failed", fault: "no_space" }) })),
  page("export-too-long", () => ({ dialog: "export", job: job({ state: "failed", fault: "too_long" }) })),
  page("player-exported", () => ({ job: job({ state: "done", progress: 1 }) })),
  page("player-older", () => ({ timeline: { marks: marks().map((mark) => (mark.kind === "checkpoint" ? { ...mark, label: { zh: mark.label.zh, en: mark.label.zh } } : mark)) } })),
  page("erase", () => ({ dialog: "erase" })),
];
