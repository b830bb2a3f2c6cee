/** What the pages see of a session. `core/` implements it over the socket and WebRTC; stories and tests fake it.
 *  Pages read signals and call actions; they never touch sockets, RTCPeerConnection or fetch. */
import type { ReadonlySignal, Signal } from "@preact/signals";
import type {
  ChatMessageView,
  CloseCode,
  ConsentDecision,
  ConsentScope,
  Handover,
  InvitationCreated,
  InvitationPreview,
  Language,
  LeaveReason,
  Login,
  MediaCounters,
  OccupiedSession,
  NetworkLimit,
  ParticipantId,
  ParticipantView,
  Proof,
  QualityLevel,
  RecordingChanged,
  RecordingWanted,
  Role,
  SessionView,
  SupervisionMode,
  Site,
  Source,
  StaffId,
  StaffView,
  UpdateSession,
  WaitingEntry,
} from "../protocol.gen";
import type { CoBrowse } from "./cobrowse";
import type { Pdf } from "./pdf";
import type { WayResult } from "./network";
import type { OnSite } from "./onSite";
import type { Reviews } from "./reviews";
import type { Verification } from "./verification";

/** Why a device cannot be used, in the user's terms; the page has words and a picture for each. */
export type DeviceProblem = "denied" | "none" | "busy" | "insecure" | "unsupported" | "failed";

export interface DeviceChoice {
  id: string;
  label: string;
}

/** Cameras, microphones, speakers: before the call and in it. On/off and choice are separate things. */
export interface Devices {
  readonly cameras: ReadonlySignal<DeviceChoice[]>;
  readonly microphones: ReadonlySignal<DeviceChoice[]>;
  readonly speakers: ReadonlySignal<DeviceChoice[]>; // empty where the browser cannot choose
  readonly camera: ReadonlySignal<string | null>;
  readonly microphone: ReadonlySignal<string | null>;
  readonly speaker: ReadonlySignal<string | null>;
  readonly cameraOn: ReadonlySignal<boolean>;
  readonly microphoneOn: ReadonlySignal<boolean>;
  readonly cameraProblem: ReadonlySignal<DeviceProblem | null>;
  readonly microphoneProblem: ReadonlySignal<DeviceProblem | null>;
  readonly preview: ReadonlySignal<MediaStream | null>; // own camera picture
  readonly facing: ReadonlySignal<"user" | "environment" | null>; // which way the camera looks, where the browser says so
  readonly level: ReadonlySignal<number>; // microphone level 0…1, about 20 times a second
  readonly recording: ReadonlySignal<"idle" | "recording" | "playing">;
  /** Ask for permission and start; resolves when the browser has answered, problems are in the signals. */
  start(want: { camera: boolean; microphone: boolean }): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  setMicrophone(on: boolean): Promise<void>;
  chooseCamera(id: string): Promise<void>;
  chooseMicrophone(id: string): Promise<void>;
  /** The camera on the other side, or else the next one, for now: what was chosen stays chosen. */
  turnCamera(): Promise<void>;
  chooseSpeaker(id: string): Promise<void>;
  /** Record 3 s of the microphone, then play it back. */
  recordAndPlay(): Promise<void>;
  /** A short tone through the chosen speaker. */
  testSpeaker(): Promise<void>;
  stop(): void;
}

/** One picture or voice that arrives: a slot's stream and whose it is. */
export interface RemoteTrack {
  participant: ParticipantId;
  source: Source;
  stream: MediaStream;
  /** The picture is not sent for now: this page's network cannot carry it. It comes back by itself. */
  held: boolean;
}

export interface QualityInfo {
  level: QualityLevel;
  rttMs: number;
  lossPermille: number;
}

/** How the relay sees the way to this page. `limit`: why less is sent than was asked for; `held`: pictures that are not sent for now. */
export interface NetworkInfo {
  downKbps: number;
  rttMs: number | null;
  lossPermille: number;
  limit: NetworkLimit;
  held: number;
}

/** `connecting` first time, `reconnecting` after a cut (place kept), `ended` is final and has a reason. */
export type CallPhase = "connecting" | "waiting" | "live" | "reconnecting" | "ended";

/** A line of one's own that the server has not confirmed yet stands last in `chat`, with this before its `client_id` as id. */
export const PENDING = "pending:";

export interface FileUpload {
  key: string;
  name: string;
  progress: number; // 0…1
  error: string | null; // problem code
}

/** What somebody who is no customer can be here. */
export type StaffRole = Exclude<Role, "customer" | "service">;

/** How the hand-over of this conversation stands; names as they were when it was told. */
export interface HandoverNow {
  state: Handover["state"];
  warm: boolean;
  from: ParticipantId;
  fromName: string;
  to: ParticipantId | null;
  toName: string;
}

/** Who may come in, who leads, who takes over. */
export interface CallPeople {
  readonly waiting: ReadonlySignal<ParticipantView[]>; // in the waiting room; those are not among `others`
  readonly handover: ReadonlySignal<HandoverNow | null>;
  /** The agent's connection is gone; their place is kept until then, in milliseconds of this machine's clock. */
  readonly lost: ReadonlySignal<{ untilMs: number } | null>;
  readonly back: ReadonlySignal<boolean>; // the agent is back, just now
  readonly requeued: ReadonlySignal<boolean>; // the agent did not come back and nobody took over: waiting again, at the front
  readonly left: ReadonlySignal<{ participant: ParticipantId; name: string; reason: LeaveReason } | null>; // who left last
  lock(locked: boolean): void;
  waitingRoom(on: boolean): void;
  admit(participant: ParticipantId, admitted: boolean): void;
  setRole(participant: ParticipantId, role: StaffRole): void;
  /** `to` null: whoever is free. `name`: of whom it is offered to, for as long as the server does not say. */
  handOver(to: StaffId | null, warm: boolean, note: string, name?: string): void;
  cancelHandover(): void;
  completeHandover(): void;
  /** What is over has been read. */
  putAway(): void;
}

/** What is recorded, and what an agent does about that. One's own consent is decided like any other. */
export interface Recording {
  readonly view: ReadonlySignal<RecordingChanged>;
  readonly answered: ReadonlySignal<boolean>; // by this page, and the server has not said yet that it knows
  readonly startedMs: ReadonlySignal<number | null>; // of this machine's clock
  wish(state: RecordingWanted): void;
  mark(item: string, done: boolean, note?: string): void;
}

/** Which people are shown how; the page's own choice, not the server's. */
export type Layout = "speaker" | "grid";
export type Saver = "full" | "saver" | "audio";

export interface Call {
  /** The page was loaded again during this call: what was switched on comes back by itself. */
  readonly resumed: boolean;
  readonly phase: ReadonlySignal<CallPhase>;
  readonly endedBecause: ReadonlySignal<CloseCode | null>;
  readonly session: ReadonlySignal<SessionView | null>;
  readonly me: ReadonlySignal<ParticipantView | null>;
  readonly grants: ReadonlySignal<ReadonlySet<string>>;
  readonly others: ReadonlySignal<ParticipantView[]>;
  readonly remote: ReadonlySignal<RemoteTrack[]>;
  readonly speaking: ReadonlySignal<ReadonlySet<ParticipantId>>;
  readonly consents: ReadonlySignal<ReadonlyMap<ConsentScope, ConsentDecision>>; // one's own
  readonly chat: ReadonlySignal<ChatMessageView[]>;
  readonly unread: ReadonlySignal<number>;
  readonly seen: ReadonlySignal<ReadonlyMap<ParticipantId, number>>;
  readonly uploads: ReadonlySignal<FileUpload[]>;
  readonly quality: ReadonlySignal<ReadonlyMap<ParticipantId, QualityInfo>>; // includes oneself
  readonly network: ReadonlySignal<NetworkInfo | null>; // null until the relay has said something
  /** A whisper that one hears or says oneself. */
  readonly whispers: ReadonlySignal<{ by: ParticipantId; to: ParticipantId } | null>;
  readonly asked: ReadonlySignal<{ by: ParticipantId; source: Source } | null>;
  readonly queue: ReadonlySignal<{ position: number; estimatedWaitS: number | null } | null>;
  readonly mediaState: ReadonlySignal<"none" | "connecting" | "connected" | "failed">;
  readonly pictures: ReadonlySignal<boolean>; // false: this browser has none of the relay's video formats; voices go on
  readonly screen: ReadonlySignal<"off" | "on" | "paused">;
  readonly soundBlocked: ReadonlySignal<boolean>; // a voice waits for the user to touch the page; the page plays no voice itself
  readonly screenPreview: ReadonlySignal<MediaStream | null>;
  readonly saver: ReadonlySignal<Saver>;
  readonly failure: ReadonlySignal<string | null>; // code of the last message that was refused; cleared by clearFailure
  readonly devices: Devices;
  readonly people: CallPeople;
  readonly recording: Recording;
  readonly verification: Verification;
  readonly cobrowse: CoBrowse;
  readonly pdf: Pdf;

  decide(scope: ConsentScope, decision: ConsentDecision, wording: string): void;
  setMicrophone(on: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  /** Asks the browser for a screen or window, after the consent `screen`; false when the user cancelled. */
  shareScreen(): Promise<boolean>;
  pauseScreen(paused: boolean): void;
  stopScreen(): void;
  setSaver(saver: Saver): void;
  /** The picture of a remote stream is drawn so tall now, in device pixels; 0: it is not seen. */
  drawn(stream: MediaStream, height: number): void;
  say(text: string): void;
  sendFile(file: File): Promise<void>;
  /** One that failed: again in its place, or put away. */
  retryUpload(key: string): void;
  dismissUpload(key: string): void;
  fileUrl(fileId: string): Promise<string>; // object URL, fetched with the token
  markRead(): void;
  ask(participant: ParticipantId, source: Source): void;
  /** Try each way to the relay; tells each result as it comes. Rejects when the server cannot be asked. */
  testNetwork(tell: (result: WayResult) => void): Promise<void>;
  /** Staff know who a customer of this session is without a check of their face: the case goes to review. Rejects with an ApiProblem. */
  identify(id: string, methods: readonly Proof[], note: string): Promise<void>;
  answerAsk(): void; // puts the question away
  remove(participant: ParticipantId): void;
  /** Somebody else: on hold or taken back, muted or not. */
  hold(participant: ParticipantId, held: boolean): void;
  mute(participant: ParticipantId, muted: boolean): void;
  /** A supervisor's own: `to` is whom a whisper is for. */
  supervise(mode: SupervisionMode, to?: ParticipantId | null): void;
  endSession(reason: string): void;
  leave(): void;
  retry(): void;
  clearFailure(): void;
}

/** A problem a page can show: `code` from the server's problem details, or `offline`. */
export interface ApiProblem {
  code: string;
  detail: string;
  retryAfterS: number | null;
}

/** Actions reject with an `ApiProblem`. */
export interface Api {
  site(): Promise<Site>;
  inspect(by: { secret: string } | { code: string }): Promise<InvitationPreview>;
  redeem(by: { secret: string } | { code: string }, name: string): Promise<Call>;
  joinWaiting(name: string, reason: string, language: Language): Promise<Call>;
  /** The call that this tab was in before it was reloaded, or null. */
  resumeCall(): Call | null;
  login(username: string, password: string): Promise<Desk>;
  /** The desk that this tab was signed in to before it was reloaded, or null. */
  resumeDesk(): Promise<Desk | null>;
}

export interface NewSession {
  customerName: string;
  customerReference: string;
  reason: string;
  context: string;
  language: Language;
}

/** A conversation that this desk is asked to take over. `lost`: its agent is gone and the customer alone. */
export interface Offer {
  session: SessionView;
  fromName: string;
  warm: boolean;
  note: string;
  lost: boolean;
  fromMs: number;
  untilMs: number;
}

/** To whom a conversation could be handed over. */
export interface Colleague {
  id: StaffId;
  name: string;
  role: Role;
  busy: boolean;
}

/** The signed-in member of staff, outside and inside sessions. */
export interface Desk {
  readonly staff: ReadonlySignal<StaffView>;
  readonly state: ReadonlySignal<"connecting" | "live" | "reconnecting" | "ended">;
  readonly waiting: ReadonlySignal<WaitingEntry[]>;
  readonly sessions: ReadonlySignal<SessionView[]>; // open ones, newest first
  readonly inside: ReadonlySignal<OccupiedSession[]>; // open ones that somebody is in, customers alone first
  readonly offers: ReadonlySignal<Offer[]>; // oldest first
  readonly call: Signal<Call | null>;
  readonly onSite: OnSite; // customers on the bank's pages
  readonly reviews: Reviews; // verifications that a person decides
  refresh(): Promise<void>;
  create(session: NewSession): Promise<SessionView>;
  enter(session: string): Promise<Call>;
  take(session: string): Promise<Call>; // a waiting customer; rejects with `conflict` when somebody else was faster
  /** Take over what a colleague offers; rejects with `conflict` or `gone` when it is no longer to be had. */
  acceptOffer(session: string): Promise<Call>;
  declineOffer(session: string): void;
  /** To whom this could be handed over now. */
  colleagues(): Promise<Colleague[]>;
  /** What was learnt meanwhile; those in the session are told. */
  update(session: string, change: UpdateSession): Promise<SessionView>;
  invite(session: string, role: Role, name: string): Promise<InvitationCreated>;
  /** What the relay has counted of it; for those with the grant `session.read` in it. */
  media(session: string): Promise<MediaCounters>;
  logout(): void;
}

export type { Login };
