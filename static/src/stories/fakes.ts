/** Models for the stories: real signals, actions that only change them. */
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import type { Api, Call, CallPeople, Colleague, Desk, Devices, FileUpload, NetworkInfo, Offer, QualityInfo, RemoteTrack } from "../core/model";
import { language } from "../i18n";
import type {
  ChatMessageView,
  ConsentDecision,
  ConsentScope,
  InvitationCreated,
  InvitationPreview,
  OccupiedSession,
  ParticipantView,
  RecordingChanged,
  Role,
  ServerBody,
  SessionView,
  Site,
  Source,
  TrackView,
  WaitingEntry,
} from "../protocol.gen";
import { LiveCoBrowse } from "../core/cobrowse";
import { LivePdf } from "../core/pdf";
import { NO_RECORDING } from "../core/recording";
import { LiveVerification } from "../core/verification";
import { faceStream, screenStream } from "./face";
import type { OnSite } from "../core/onSite";
import { fakeOnSite } from "./onSite";
import { fakeReviews } from "./reviewing";

type Writable<T> = { -readonly [K in keyof T]: T[K] extends { readonly value: infer V } ? Signal<V> : T[K] };
export type FakeDevices = Writable<Devices>;
export type FakePeople = Writable<CallPeople>;
export type FakeCall = Omit<Writable<Call>, "devices" | "people" | "recording" | "cobrowse" | "pdf"> & { devices: FakeDevices; people: FakePeople; recording: Writable<Call["recording"]>; cobrowse: Call["cobrowse"]; pdf: Call["pdf"] };
export type FakeDesk = Writable<Desk>;

export const zh = () => language.value === "zh";
const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const settled = () => Promise.resolve();

export const NAMES = {
  agent: () => (zh() ? "李静" : "Jing Li"),
  customer: () => (zh() ? "王建国" : "Jianguo Wang"),
  expert: () => (zh() ? "陈思远" : "Dr Siyuan Chen"),
  long: () => (zh() ? "阿卜杜拉·本·穆罕默德·阿勒萨巴赫·海外高净值客户服务中心" : "Donaudampfschifffahrtsgesellschaftskapitän Maximilian-Alexander von Hohenzollern-Sigmaringen"),
  arabic: () => "عبد الرحمن بن محمد الهاشمي",
};

export function site(): Site {
  return { bank_name: { zh: "远江银行", en: "Yuanjiang Bank" }, version: "0.1.0", walk_in: true, max_file_bytes: 20 * 1024 ** 2, development: true, media: { audio_slots: 6, video_slots: 12, relay: false } };
}

export function session(change: Partial<SessionView> = {}): SessionView {
  return {
    id: "SE_4f9c27a1e5b84d0f9a3c6e7712d0b8aa",
    kind: "video",
    status: "open",
    language: language.value,
    customer_name: NAMES.customer(),
    customer_reference: "CIF 8842 1907",
    reason: zh() ? "银行卡丢失，需要挂失" : "Lost bank card, wants it blocked",
    context: zh()
      ? "客户今天上午在菜市场遗失借记卡（尾号 2207），尚未发现异常交易。年龄 71 岁，普通话，听力稍弱，请放慢语速。需确认：是否同时更换预留手机号。"
      : "The customer lost a debit card (ending 2207) at the market this morning; no unknown payments so far. Aged 71, hard of hearing: please speak slowly. To settle: whether the registered phone number changes too.",
    created_at: ago(384),
    waiting_since: null,
    ended_at: null,
    end_reason: "",
    locked: false,
    waiting_room: false,
    ...change,
  };
}

export function tracks(...shown: Source[]): TrackView[] {
  return (["microphone", "camera", "screen"] as const).map((source) => ({ source, on: shown.includes(source), open: shown.includes(source) }));
}

export function person(id: string, role: Role, name: string, shown: Source[] = ["microphone", "camera"], change: Partial<ParticipantView> = {}): ParticipantView {
  return { id, role, name, state: "active", tracks: tracks(...shown), on_hold: false, muted: false, listens: false, waits: false, ...change };
}

const FACES = { customer: "customer", agent: "agent", expert: "expert", supervisor: "second", service: "second" } as const;

export function remoteOf(people: readonly ParticipantView[]): RemoteTrack[] {
  return people.flatMap((item) =>
    item.tracks
      .filter((track) => !item.on_hold && track.on && track.open && track.source !== "microphone")
      .map((track) => ({ participant: item.id, source: track.source, held: false, stream: track.source === "screen" ? screenStream() : faceStream(FACES[item.role]) })),
  );
}

export function message(number: number, by: ParticipantView, text: string, file: ChatMessageView["file"] = null): ChatMessageView {
  return { id: `ME_${number}`, number, participant: by.id, name: by.name, role: by.role, client_id: `c${number}`, text, file, sent_at: ago(300 - number * 20) };
}

export function fakeDevices(change: Partial<{ [K in keyof Devices]: Devices[K] extends { readonly value: infer V } ? V : never }> = {}, face: "customer" | "agent" | "expert" = "customer"): FakeDevices {
  const cameraOn = signal(change.cameraOn ?? true);
  const microphoneOn = signal(change.microphoneOn ?? true);
  const recording = signal<"idle" | "recording" | "playing">(change.recording ?? "idle");
  const facing = signal(change.facing ?? null);
  const chosen = { camera: signal<string | null>("c1"), microphone: signal<string | null>("m1"), speaker: signal<string | null>("s1") };
  return {
    cameras: signal(change.cameras ?? [{ id: "c1", label: "FaceTime HD Camera" }, { id: "c2", label: "Logitech BRIO" }]),
    microphones: signal(change.microphones ?? [{ id: "m1", label: "MacBook Pro Microphone" }]),
    speakers: signal(change.speakers ?? [{ id: "s1", label: "MacBook Pro Speakers" }]),
    ...chosen,
    cameraOn,
    microphoneOn,
    cameraProblem: signal(change.cameraProblem ?? null),
    microphoneProblem: signal(change.microphoneProblem ?? null),
    preview: signal(change.preview === undefined ? faceStream(face) : change.preview),
    facing,
    level: signal(change.level ?? 0.55),
    recording,
    start: settled,
    setCamera: async (on) => void (cameraOn.value = on),
    setMicrophone: async (on) => void (microphoneOn.value = on),
    chooseCamera: async (id) => void (chosen.camera.value = id),
    chooseMicrophone: async (id) => void (chosen.microphone.value = id),
    chooseSpeaker: async (id) => void (chosen.speaker.value = id),
    turnCamera: async () => void (facing.value = facing.value === "environment" ? "user" : "environment"),
    recordAndPlay: async () => void (recording.value = "recording"),
    testSpeaker: settled,
    stop: () => undefined,
  };
}

export interface CallSetting {
  people?: Partial<{ [K in keyof CallPeople]: CallPeople[K] extends { readonly value: infer V } ? V : never }>;
  me?: ParticipantView;
  others?: ParticipantView[];
  phase?: Call["phase"]["value"];
  ended?: Call["endedBecause"]["value"];
  session?: SessionView | null;
  grants?: string[];
  speaking?: string[];
  consents?: [ConsentScope, ConsentDecision][];
  chat?: ChatMessageView[];
  unread?: number;
  seen?: [string, number][];
  uploads?: FileUpload[];
  quality?: [string, QualityInfo["level"]][];
  network?: NetworkInfo | null;
  held?: string[]; // whose camera is not sent for now
  resumed?: boolean;
  whispers?: { by: string; to: string } | null;
  asked?: { by: string; source: Source } | null;
  queue?: Call["queue"]["value"];
  mediaState?: Call["mediaState"]["value"];
  pictures?: boolean;
  screen?: Call["screen"]["value"];
  saver?: Call["saver"]["value"];
  failure?: string | null;
  devices?: FakeDevices;
  recording?: Partial<RecordingChanged>;
  verification?: ServerBody[]; // what the server has said of it
}

const QUALITY: Record<QualityInfo["level"], QualityInfo> = {
  good: { level: "good", rttMs: 38, lossPermille: 1 },
  fair: { level: "fair", rttMs: 140, lossPermille: 24 },
  poor: { level: "poor", rttMs: 460, lossPermille: 110 },
};

const BOTH: [ConsentScope, ConsentDecision][] = [
  ["microphone", "given"],
  ["camera", "given"],
];

export const LEAD = ["publish.microphone", "publish.camera", "publish.screen", "subscribe", "chat", "ask", "participant.remove", "participant.hold", "participant.mute", "participant.admit", "participant.role", "session.lock", "handover", "session.read", "session.end", "invite", "recording.control"];

function fakePeople(setting: NonNullable<CallSetting["people"]>): FakePeople {
  const waiting = signal(setting.waiting ?? []);
  const handover = signal(setting.handover ?? null);
  const back = signal(setting.back ?? false);
  return {
    waiting,
    handover,
    lost: signal(setting.lost ?? null),
    back,
    requeued: signal(setting.requeued ?? false),
    left: signal(setting.left ?? null),
    lock: () => undefined,
    waitingRoom: () => undefined,
    admit: (id) => void (waiting.value = waiting.value.filter((one) => one.id !== id)),
    setRole: () => undefined,
    handOver: () => undefined,
    cancelHandover: () => void (handover.value = null),
    completeHandover: () => void (handover.value = null),
    putAway: () => {
      handover.value = null;
      back.value = false;
    },
  };
}

function fakeRecording(change: Partial<RecordingChanged> = {}): FakeCall["recording"] {
  const view = signal<RecordingChanged>({ ...NO_RECORDING, available: true, retention_days: 1825, ...change });
  return {
    view,
    answered: signal(false),
    startedMs: signal(view.value.started_at === null ? null : Date.parse(view.value.started_at)),
    wish: (state) => void (view.value = { ...view.value, state, started_at: view.value.started_at ?? ago(0) }),
    mark: (item, done) => void (view.value = { ...view.value, checklist: view.value.checklist.map((one) => (one.item === item ? { ...one, done_at: done ? ago(0) : null } : one)) }),
  };
}

/** The real one, told what the story wants it to be told; a beginning begins. */
function fakeVerification(me: ParticipantView, told: ServerBody[]): LiveVerification {
  const live = new LiveVerification((body) => {
    if (body.type === "verification.begin") live.handle({ ...body, type: "verification.changed", state: "playing", number: 1, left: 0, warning: false, outcome: null, problem: "" }, me.id);
  });
  told.forEach((body) => live.handle(body, me.id));
  return live;
}

export function fakeCall(setting: CallSetting = {}): FakeCall {
  const me = setting.me ?? person("PA_me", "customer", NAMES.customer());
  const others = setting.others ?? [person("PA_agent", "agent", NAMES.agent())];
  const face = me.role === "agent" || me.role === "expert" ? me.role : "customer";
  const devices = setting.devices ?? fakeDevices({}, face);
  const consents = signal<ReadonlyMap<ConsentScope, ConsentDecision>>(new Map(setting.consents ?? BOTH));
  const chat = signal(setting.chat ?? []);
  const phase = signal(setting.phase ?? "live");
  const endedBecause = signal(setting.ended ?? null);
  const screen = signal<Call["screen"]["value"]>(setting.screen ?? "off");
  const saver = signal(setting.saver ?? "full");
  const failure = signal<string | null>(setting.failure ?? null);
  const asked = signal(setting.asked ?? null);
  const people = signal(others);
  const uploads = signal(setting.uploads ?? []);
  const unread = signal(setting.unread ?? 0);
  const end = (why: NonNullable<CallSetting["ended"]>) => {
    endedBecause.value = why;
    phase.value = "ended";
  };
  return {
    resumed: setting.resumed ?? (setting.consents ?? BOTH).length > 0,
    phase,
    endedBecause,
    session: signal(setting.session === undefined ? session() : setting.session),
    me: signal(me),
    grants: signal(new Set(setting.grants ?? (me.role === "agent" ? LEAD : me.role === "supervisor" ? [...LEAD, "supervise"] : ["chat", "session.end"]))),
    others: people,
    remote: signal(remoteOf(others).map((track) => ({ ...track, held: setting.held?.includes(track.participant) ?? false }))),
    speaking: signal(new Set(setting.speaking ?? [])),
    consents,
    chat,
    unread,
    seen: signal(new Map(setting.seen ?? [])),
    uploads,
    quality: signal(new Map((setting.quality ?? [["PA_me", "good"]]).map(([id, level]) => [id, QUALITY[level]]))),
    network: signal(setting.network ?? null),
    whispers: signal(setting.whispers ?? null),
    asked,
    queue: signal(setting.queue ?? null),
    mediaState: signal(setting.mediaState ?? "connected"),
    pictures: signal(setting.pictures ?? true),
    screen,
    soundBlocked: signal(false),
    screenPreview: signal(screen.value === "off" ? null : screenStream()),
    saver,
    failure,
    devices,
    people: fakePeople(setting.people ?? {}),
    recording: fakeRecording(setting.recording),
    verification: fakeVerification(me, setting.verification ?? []),
    cobrowse: new LiveCoBrowse("", { say: () => undefined, token: () => "" }),
    pdf: new LivePdf({ say: () => undefined, me: () => me.id, upload: () => new Promise(() => undefined), fetch: () => new Promise(() => undefined) }),
    decide: (scope, decision) => void (consents.value = new Map(consents.value).set(scope, decision)),
    setMicrophone: (on) => devices.setMicrophone(on),
    setCamera: (on) => devices.setCamera(on),
    shareScreen: async () => {
      screen.value = "on";
      return true;
    },
    pauseScreen: (paused) => void (screen.value = paused ? "paused" : "on"),
    stopScreen: () => void (screen.value = "off"),
    setSaver: (next) => void (saver.value = next),
    drawn: () => undefined,
    say: (text) => void (chat.value = [...chat.value, message(chat.value.length + 1, me, text)]),
    sendFile: settled,
    retryUpload: (key) => void (uploads.value = uploads.value.map((one) => (one.key === key ? { ...one, error: null, progress: 0.3 } : one))),
    dismissUpload: (key) => void (uploads.value = uploads.value.filter((one) => one.key !== key)),
    identify: settled,
    fileUrl: async () => URL.createObjectURL(new Blob(["story"])),
    markRead: () => void (unread.value = 0),
    ask: () => undefined,
    testNetwork: async () => undefined,
    answerAsk: () => void (asked.value = null),
    hold: (id, held) => void (people.value = people.value.map((item) => (item.id === id ? { ...item, on_hold: held } : item))),
    mute: (id, muted) => void (people.value = people.value.map((item) => (item.id === id ? { ...item, muted } : item))),
    supervise: () => undefined,
    remove: (id) => void (people.value = people.value.filter((item) => item.id !== id)),
    endSession: () => end("session_ended"),
    leave: () => end("left"),
    retry: () => void (phase.value = "live"),
    clearFailure: () => void (failure.value = null),
  };
}

export function waiting(): WaitingEntry[] {
  const entry = (number: number, name: string, reason: string, seconds: number, connected = true): WaitingEntry => ({
    session: `SE_w${number}`,
    customer_name: name,
    reason,
    language: number % 2 ? "zh" : "en",
    waiting_since: ago(seconds),
    connected,
  });
  return zh()
    ? [entry(1, "王建国", "银行卡丢失或被盗", 412), entry(2, "刘桂芳", "忘记密码", 187), entry(3, "", "更换手机号，旧号码已经停用，收不到验证码", 64, false)]
    : [entry(1, "Jianguo Wang", "A lost or stolen card", 412), entry(2, "Maria Okonkwo", "A forgotten password", 187), entry(3, "", "A new phone number; the old one is gone and codes do not arrive any more", 64, false)];
}

export function invitation(role: Role, name: string): InvitationCreated {
  const secret = "x7Qk2mVd9TzLr4WbYc8NsA";
  return { id: "IN_1", role, name, link: `https://bank.example/j/${secret}`, code: role === "customer" ? "482913" : null, uses_allowed: 1, expires_at: "2030-01-01T10:30:00Z" };
}

export function preview(change: Partial<InvitationPreview> = {}): InvitationPreview {
  return {
    role: "customer",
    name: NAMES.customer(),
    invited_by: NAMES.agent(),
    kind: "video",
    language: language.value,
    context: "",
    expires_at: "2030-01-01T10:30:00Z",
    verification: null,
    ...change,
  };
}

/** A customer who came by a link and sits alone in this agent's session. */
export function alone(): OccupiedSession[] {
  const name = NAMES.customer();
  const one = session();
  return [
    {
      session: one.id,
      customer_name: name,
      customer_reference: one.customer_reference,
      reason: one.reason,
      language: language.value,
      created_at: ago(900),
      people: [{ role: "customer", name, connected: true }],
      alone_since: ago(48),
    },
  ];
}

export function colleagues(): Colleague[] {
  return [
    { id: "ST_2", name: zh() ? "陈思远" : "Siyuan Chen", role: "agent", busy: false },
    { id: "ST_3", name: zh() ? "赵敏" : "Min Zhao", role: "supervisor", busy: false },
    { id: "ST_4", name: NAMES.long(), role: "agent", busy: true },
  ];
}

export function fakeDesk(setting: { inside?: OccupiedSession[]; waiting?: WaitingEntry[]; sessions?: SessionView[]; call?: FakeCall; state?: Desk["state"]["value"]; offers?: Offer[]; colleagues?: Desk["colleagues"]; reviews?: Desk["reviews"]; onSite?: OnSite } = {}): FakeDesk {
  const offers = signal(setting.offers ?? []);
  const call = signal<Call | null>(setting.call ?? null);
  const enter = async () => {
    call.value = fakeCall({ me: person("PA_me", "agent", NAMES.agent()), others: [person("PA_c", "customer", NAMES.customer())], consents: [] });
    return call.value;
  };
  return {
    staff: signal({ id: "ST_1", username: "jing.li", name: NAMES.agent(), role: "agent", disabled: false }),
    state: signal(setting.state ?? "live"),
    waiting: signal(setting.waiting ?? waiting()),
    sessions: signal(setting.sessions ?? [session(), session({ id: "SE_91aa30b7", customer_name: zh() ? "赵敏" : "Min Zhao", reason: zh() ? "更换手机号" : "A new phone number" })]),
    inside: signal(setting.inside ?? []),
    call,
    reviews: setting.reviews ?? fakeReviews(),
    onSite: setting.onSite ?? fakeOnSite(),
    offers,
    acceptOffer: enter,
    declineOffer: (id) => void (offers.value = offers.value.filter((one) => one.session.id !== id)),
    colleagues: setting.colleagues ?? (async () => colleagues()),
    refresh: settled,
    create: async (fresh) => session({ id: "SE_new", customer_name: fresh.customerName, reason: fresh.reason, context: fresh.context }),
    enter,
    take: enter,
    update: async (id, change) => session({ id, context: change.context ?? "" }),
    invite: async (_session, role, name) => invitation(role, name),
    media: async () => ({ participants: [] }),
    logout: () => undefined,
  };
}

/** Every way in works at once; the stories of errors show the page's parts directly. */
export function fakeApi(): Api {
  return {
    site: async () => site(),
    inspect: async () => preview(),
    redeem: async () => fakeCall({ consents: [], devices: fakeDevices({ preview: null }) }),
    joinWaiting: async () => fakeCall({ phase: "waiting", others: [], consents: [], queue: { position: 2, estimatedWaitS: 240 }, devices: fakeDevices({ preview: null }) }),
    resumeCall: () => null,
    login: async () => fakeDesk(),
    resumeDesk: async () => null,
  };
}
