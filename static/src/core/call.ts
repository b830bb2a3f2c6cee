/** One place in one session: `Call` over signalling, media and devices. Pages read its signals and call its actions. */
import { batch, effect, signal, untracked } from "@preact/signals";
import type {
  ClientBody,
  CloseCode,
  ConsentDecision,
  ConsentScope,
  ConsentView,
  ErrorCode,
  FileLimits,
  FileView,
  IdentifyCustomer,
  MediaLimits,
  NetworkTest,
  NetworkTestStarted,
  ParticipantId,
  ParticipantView,
  Proof,
  ServerBody,
  SessionView,
  Snapshot,
  Source,
  SupervisionMode,
  Welcome,
} from "../protocol.gen";
import { MAX_CHAT_CHARS } from "../protocol.gen";
import { LiveCoBrowse } from "./cobrowse";
import { viewUrl } from "./cobrowseLine";
import { SOURCES } from "./connection";
import type { BrowserDevices } from "./devices";
import { randomKey, request, send as ask, upload } from "./http";
import { Lines } from "./lines";
import { Media } from "./media";
import { PENDING } from "./model";
import { LivePdf } from "./pdf";
import { fetchPdf, uploadPdf } from "./pdfFiles";
import { LivePeople } from "./people";
import type { Call, CallPhase, NetworkInfo, QualityInfo, Saver } from "./model";
import { testWays, type WayResult } from "./network";
import { callPlace, type Place } from "./place";
import { ApiError, deviceProblem } from "./problems";
import { LiveRecording } from "./recording";
import { SignalSocket } from "./socket";
import { speakers } from "./sound";
import { Uploads } from "./uploads";
import { LiveVerification } from "./verification";

const PICTURES: Readonly<Record<Saver, number>> = { full: 64, saver: 2, audio: 0 }; // a screen and a face where it must be little

export { PENDING };

/** Errors about these are nobody's news: they say again what the page knows, or come again anyway. */
const QUIET: ReadonlySet<ClientBody["type"]> = new Set(["quality.report", "chat.read", "track.state", "leave"]);

export class LiveCall implements Call {
  readonly phase = signal<CallPhase>("connecting");
  readonly endedBecause = signal<CloseCode | null>(null);
  readonly session = signal<SessionView | null>(null);
  readonly me = signal<ParticipantView | null>(null);
  readonly grants = signal<ReadonlySet<string>>(new Set());
  readonly others = signal<ParticipantView[]>([]);
  readonly speaking = signal<ReadonlySet<ParticipantId>>(new Set());
  readonly consents = signal<ReadonlyMap<ConsentScope, ConsentDecision>>(new Map());
  private readonly lines = new Lines();
  readonly chat = this.lines.chat;
  readonly unread = this.lines.unread;
  readonly seen = signal<ReadonlyMap<ParticipantId, number>>(new Map());
  readonly uploads;
  readonly quality = signal<ReadonlyMap<ParticipantId, QualityInfo>>(new Map());
  readonly network = signal<NetworkInfo | null>(null);
  readonly asked = signal<{ by: ParticipantId; source: Source } | null>(null);
  readonly whispers = signal<{ by: ParticipantId; to: ParticipantId } | null>(null);
  readonly queue = signal<{ position: number; estimatedWaitS: number | null } | null>(null);
  readonly screen = signal<"off" | "on" | "paused">("off");
  readonly soundBlocked = speakers.blocked;
  readonly screenPreview = signal<MediaStream | null>(null);
  readonly saver = signal<Saver>("full");
  readonly failure = signal<string | null>(null);
  readonly people = new LivePeople({
    send: (body) => this.send(body),
    me: () => this.me.peek(),
    name: (id) => [this.me.peek(), ...this.others.peek(), ...this.people.waiting.peek()].find((one) => one?.id === id)?.name ?? "",
    admitted: (snapshot) => this.admitted(snapshot),
    grants: (grants) => void (this.grants.value = new Set(grants)),
  });
  readonly recording = new LiveRecording((body) => this.send(body), this.people.clock);
  readonly verification = new LiveVerification((body) => this.send(body));
  readonly cobrowse = new LiveCoBrowse(viewUrl(location), { say: (body) => this.send(body), token: () => this.place.token });
  readonly pdf = new LivePdf({
    say: (body) => this.send(body),
    me: () => this.me.peek()?.id ?? null,
    upload: (file, progress) => uploadPdf(this.place.session, file, () => this.place.token, progress),
    fetch: (pdf, what) => fetchPdf(this.place.session, pdf, what, this.place.token),
  });
  readonly mediaState;
  readonly pictures;
  readonly remote;

  private readonly media: Media;
  private readonly files = new Uploads({
    send: async (file, key, progress) => {
      if (file.size === 0) throw new ApiError("empty", "");
      if (this.limits !== null && file.size > this.limits.files.max_bytes) throw new ApiError("too_large", "");
      const path = `/sessions/${encodeURIComponent(this.place.session)}/files`;
      return upload<FileView>(path, file, () => this.place.token, progress, key);
    },
    stored: (file) => this.post("", file),
  });
  private readonly socket: SignalSocket;
  private readonly given = new Set<ConsentScope>(); // said by the page, not yet on record
  private readonly toGive = new Map<ConsentScope, ClientBody>(); // said before there was a connection
  private readonly told = new Map<Source, boolean>(); // what the server knows of one's own sources
  private limits: { media: MediaLimits; files: FileLimits } | null = null;
  private screenWording = "screen"; // of the newest question
  private mediaStarted = false;
  private restore: Place["on"] | null; // after a reload: what to switch on again
  private readonly objectUrls = new Map<string, Promise<string>>();
  private readonly disposers: (() => void)[] = [];

  constructor(
    signalUrl: string,
    private place: Place,
    readonly devices: BrowserDevices,
    readonly resumed: boolean,
    early: WebSocket | null = null,
  ) {
    this.restore = resumed ? place.on : null;
    this.media = new Media({
      offer: (sdp) => this.socket.state === "open" && this.socket.send({ type: "media.offer", sdp }),
      quality: (report, worthTelling) => {
        const me = this.me.peek();
        if (me !== null) this.rate(me.id, { level: report.level, rttMs: report.rtt_ms, lossPermille: report.loss_permille });
        if (worthTelling) this.socket.send(report);
      },
      drawn: () => this.sayReceive(),
    });
    this.uploads = this.files.list;
    this.mediaState = this.media.state;
    this.pictures = this.media.pictures;
    this.remote = this.media.remote;
    this.socket = new SignalSocket(signalUrl, place.token, {
      welcome: (welcome) => this.welcomed(welcome),
      message: (body) => batch(() => this.handle(body)),
      refused: (code, _detail, body) => this.refused(code, body),
      cut: () => {
        if (this.phase.peek() !== "ended" && this.phase.peek() !== "connecting") this.phase.value = "reconnecting";
      },
      ended: (code) => this.finish(code),
    }, early);
    callPlace.keep(place);
    this.disposers.push(effect(() => this.attach()));
    this.disposers.push(effect(() => this.rememberDevices(this.devices.cameraOn.value, this.devices.microphoneOn.value)));
    this.socket.start();
  }

  // ---------------------------------------------------------------- actions

  decide(scope: ConsentScope, decision: ConsentDecision, wording: string): void {
    const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
    if (scope === "screen") this.screenWording = wording;
    if (scope === "recording") this.recording.decided();
    if (decision === "given") this.given.add(scope); // no media before the server has it on record
    else this.given.delete(scope);
    const body: ClientBody = { type: "consent.set", scope, decision, wording, language };
    this.toGive.delete(scope);
    // Each is two writes to disk: the offer, which needs none of them, goes first.
    if (decision === "given" && this.phase.peek() === "connecting") this.toGive.set(scope, body);
    else this.send(body);
    if (decision === "given") return;
    this.setConsent(scope, decision); // takes effect here at once, whatever the network does
    if (scope === "screen") this.letScreenGo();
  }

  setMicrophone(on: boolean): Promise<void> {
    return this.devices.setMicrophone(on);
  }

  setCamera(on: boolean): Promise<void> {
    if (on && this.saver.peek() === "audio") this.setSaver("saver");
    return this.devices.setCamera(on);
  }

  async shareScreen(): Promise<boolean> {
    if (this.consents.peek().get("screen") !== "given" && !this.given.has("screen")) {
      this.failure.value = "not_allowed";
      return false;
    }
    try {
      if (navigator.mediaDevices?.getDisplayMedia === undefined) throw new DOMException("", "NotSupportedError");
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: false });
      const track = stream.getVideoTracks()[0];
      if (track === undefined || this.phase.peek() === "ended") {
        stream.getTracks().forEach((one) => one.stop());
        return false;
      }
      this.letScreenGo(); // an earlier one
      track.onended = () => this.stopScreen(); // the browser's own "stop sharing"
      batch(() => {
        this.screenPreview.value = stream;
        this.screen.value = "on";
      });
      return true;
    } catch (error) {
      const problem = deviceProblem(error);
      if (problem !== "denied" && problem !== "busy") this.failure.value = `screen_${problem}`;
      if (this.screen.peek() === "off") this.takeScreenBack();
      return false; // closing the browser's dialogue is no failure
    }
  }

  pauseScreen(paused: boolean): void {
    if (this.screen.peek() !== "off") this.screen.value = paused ? "paused" : "on";
  }

  stopScreen(): void {
    this.takeScreenBack();
    this.letScreenGo();
  }

  /** The consent was "until you press Stop": the gate shuts, and the others can tell a stop from a pause. */
  private takeScreenBack(): void {
    if (this.given.has("screen") || this.consents.peek().get("screen") === "given") this.decide("screen", "withdrawn", this.screenWording);
  }

  private letScreenGo(): void {
    const stream = this.screenPreview.peek();
    batch(() => {
      this.screen.value = "off";
      this.screenPreview.value = null;
    });
    stream?.getTracks().forEach((track) => {
      track.onended = null;
      track.stop();
    });
  }

  setSaver(saver: Saver): void {
    this.saver.value = saver;
    this.media.setSaver(saver);
    this.sayReceive();
    if (saver === "audio") void this.devices.setCamera(false);
  }

  drawn(stream: MediaStream, height: number): void {
    this.media.setDrawn(stream, height);
  }

  /** What the saver leaves of the others' pictures is not only hidden: it is not sent here; nor larger than it is drawn. */
  private sayReceive(): void {
    if (this.limits === null) return;
    const video = Math.min(PICTURES[this.saver.peek()], this.limits.media.video_slots);
    this.send({ type: "receive.set", video, sizes: this.media.drawn.sizes() });
  }

  say(text: string): void {
    const trimmed = text.trim();
    if (trimmed === "") return;
    for (let from = 0; from < trimmed.length; from += MAX_CHAT_CHARS) this.post(trimmed.slice(from, from + MAX_CHAT_CHARS), null);
  }

  async sendFile(file: File): Promise<void> {
    const sent = this.files.add(file);
    if (sent === false) this.failure.value = "too_many";
    else await sent;
  }

  retryUpload(key: string): void {
    void this.files.retry(key);
  }

  dismissUpload(key: string): void {
    this.files.dismiss(key);
  }

  async testNetwork(tell: (result: WayResult) => void): Promise<void> {
    const path = `/sessions/${encodeURIComponent(this.place.session)}/network-tests`;
    const offer = async (sdp: string): Promise<string> => {
      const body: NetworkTest = { sdp };
      return (await request<NetworkTestStarted>(path, { method: "POST", token: this.place.token, body, creates: true })).sdp;
    };
    await testWays(this.limits?.media.ice_servers ?? [], offer, tell);
  }

  async identify(id: string, methods: readonly Proof[], note: string): Promise<void> {
    const body: IdentifyCustomer = { methods: [...methods], note };
    await request(`/verifications/${encodeURIComponent(id)}/identification`, { method: "POST", token: this.place.token, body });
  }

  fileUrl(fileId: string): Promise<string> {
    const known = this.objectUrls.get(fileId);
    if (known !== undefined) return known;
    const path = `/sessions/${encodeURIComponent(this.place.session)}/files/${encodeURIComponent(fileId)}`;
    const url = ask(path, { token: this.place.token })
      .then((response) => response.blob())
      .then((blob) => URL.createObjectURL(blob));
    this.objectUrls.set(fileId, url);
    url.catch(() => this.objectUrls.delete(fileId)); // the next click tries again
    return url;
  }

  markRead(): void {
    const message = this.lines.read();
    if (message !== null) this.send({ type: "chat.read", message });
  }

  ask(participant: ParticipantId, source: Source): void {
    this.send({ type: "ask", participant, source });
  }

  answerAsk(): void {
    this.asked.value = null;
  }

  remove(participant: ParticipantId): void {
    this.send({ type: "participant.remove", participant });
  }

  hold(participant: ParticipantId, held: boolean): void {
    this.send({ type: "participant.hold", participant, held });
  }

  mute(participant: ParticipantId, muted: boolean): void {
    this.send({ type: "participant.mute", participant, muted });
  }

  supervise(mode: SupervisionMode, to: ParticipantId | null = null): void {
    this.send({ type: "supervise", mode, to });
  }

  endSession(reason: string): void {
    this.send({ type: "session.end", reason });
  }

  leave(): void {
    this.socket.send({ type: "leave" });
    this.socket.stop();
  }

  retry(): void {
    this.socket.kick();
    this.media.retry();
  }

  clearFailure(): void {
    this.failure.value = null;
  }

  // ---------------------------------------------------------------- from the server

  private welcomed(welcome: Welcome): void {
    this.people.clock.told(welcome.server_time);
    batch(() => {
      if (welcome.snapshot !== null) this.draw(welcome.snapshot);
      this.settlePhase();
    });
    if (this.phase.peek() === "ended") return;
    if (welcome.snapshot === null) this.media.resume();
    else if (this.mediaStarted && this.limits !== null) void this.media.start(this.limits.media); // the server knows nothing of the old one
    const offered = this.startMedia();
    if (welcome.snapshot !== null) {
      this.sayReceive();
      if (this.screen.peek() === "off" && !this.given.has("screen")) this.takeScreenBack(); // it went with the page that was loaded again
    }
    void offered.then(() => {
      this.toGive.forEach((body) => this.send(body));
      this.toGive.clear();
    });
    this.attach();
  }

  private draw(snapshot: Snapshot): void {
    const first = this.session.peek() === null || this.me.peek()?.waits === true;
    this.limits = { media: snapshot.media, files: snapshot.files };
    this.session.value = snapshot.session;
    this.me.value = snapshot.you;
    this.grants.value = new Set(snapshot.grants);
    this.others.value = this.people.drawn(snapshot.participants);
    this.whispers.value = null;
    this.recording.told(snapshot.recording, snapshot.you.id);
    this.verification.drawn(snapshot.consents);
    this.cobrowse.drawn();
    this.pdf.drawn();
    this.told.clear(); // the server starts with all of them off
    const own = snapshot.consents.filter(({ participant }) => participant === snapshot.you.id);
    // A withdrawal that is still on its way stands, whatever the record says until it arrives.
    const withdrawn = [...this.consents.peek()].filter(([scope, decision]) => decision !== "given" && !this.given.has(scope));
    this.consents.value = new Map([...own.map(({ scope, decision }): [ConsentScope, ConsentDecision] => [scope, decision]), ...withdrawn]);
    this.lines.drawn(snapshot.chat, snapshot.you.id, first);
    this.speaking.value = new Set();
    const restore = this.restore;
    this.restore = null;
    if (restore !== null) {
      const may = (source: "camera" | "microphone"): boolean => restore[source] && this.consents.peek().get(source) === "given";
      const want = { camera: may("camera"), microphone: may("microphone") };
      if (want.camera || want.microphone) void this.devices.start(want);
    }
  }

  /** Let in from the waiting room: everything is new here. */
  private admitted(snapshot: Snapshot): void {
    this.draw(snapshot);
    this.settlePhase();
    void this.startMedia();
    this.sayReceive();
  }

  private handle(body: ServerBody): void {
    const me = this.me.peek()?.id;
    if (this.people.handle(body) || this.recording.handle(body, me) || this.cobrowse.handle(body) || this.pdf.handle(body) || this.verification.handle(body, me)) return;
    switch (body.type) {
      case "media.answer":
        this.media.answer(body.sdp);
        break;
      case "ice.servers":
        if (this.limits !== null) this.limits = { ...this.limits, media: { ...this.limits.media, ice_servers: body.servers } };
        this.media.setIceServers(body.servers);
        break;
      case "media.lost":
        this.media.lost();
        break;
      case "slots":
        this.media.setSlots(body.slots);
        break;
      case "speaking":
        this.speaking.value = new Set(body.participants);
        break;
      case "participant.changed":
        this.participantChanged(body.participant);
        break;
      case "participant.left":
        this.people.gone(body.participant, body.reason);
        this.participantLeft(body.participant);
        break;
      case "consent.changed":
        this.consentChanged(body.consent);
        break;
      case "chat.message":
        this.lines.posted(body.message, body.message.participant === this.me.peek()?.id);
        break;
      case "chat.seen":
        this.seen.value = new Map(this.seen.peek()).set(body.participant, body.number);
        break;
      case "asked":
        this.asked.value = { by: body.by, source: body.source };
        break;
      case "whispers":
        this.whispers.value = body.to === null ? null : { by: body.by, to: body.to };
        break;
      case "quality":
        this.rate(body.participant, { level: body.level, rttMs: body.rtt_ms, lossPermille: body.loss_permille });
        break;
      case "encodings":
        this.media.setEncodings(body.source, body.active);
        break;
      case "network":
        this.network.value = { downKbps: body.down_kbps, rttMs: body.rtt_ms, lossPermille: body.loss_permille, limit: body.limit, held: body.held };
        break;
      case "session.changed":
        this.people.session(body.session);
        this.session.value = body.session;
        if (this.phase.peek() !== "ended") this.settlePhase();
        void this.startMedia();
        break;
      case "queue.position":
        this.queue.value = { position: body.position, estimatedWaitS: body.estimated_wait_s };
        break;
      case "token.renewed":
        this.place = { ...this.place, token: body.token, expiresAt: body.expires_at };
        callPlace.keep(this.place);
        break;
      case "waiting.list":
      case "waiting.taken":
      case "reviews.changed":
      case "error":
        break; // desks' own, and told by `refused`
    }
  }

  private participantChanged(participant: ParticipantView): void {
    if (participant.id === this.me.peek()?.id) {
      this.people.mine(this.me.peek(), participant);
      this.me.value = participant;
      return;
    }
    if (this.people.outside(participant)) return;
    const others = this.others.peek();
    const index = others.findIndex(({ id }) => id === participant.id);
    this.others.value = index === -1 ? [...others, participant] : others.with(index, participant);
  }

  private participantLeft(participant: ParticipantId): void {
    this.others.value = this.others.peek().filter(({ id }) => id !== participant);
    const quality = new Map(this.quality.peek());
    if (quality.delete(participant)) this.quality.value = quality;
    if (this.asked.peek()?.by === participant) this.asked.value = null;
    if (this.whispers.peek()?.by === participant) this.whispers.value = null;
  }

  private consentChanged(consent: ConsentView): void {
    if (consent.participant !== this.me.peek()?.id) return;
    if (consent.decision === "given" && !this.given.delete(consent.scope)) return; // taken back since it was sent
    this.setConsent(consent.scope, consent.decision);
  }

  private refused(code: ErrorCode, body: ClientBody | null): void {
    if (body === null || QUIET.has(body.type) || this.verification.turnedDown(code, body) || this.cobrowse.turnedDown(code, body) || this.pdf.turnedDown(code, body)) return;
    if (body.type === "media.offer") {
      this.media.refused(code !== "sdp_refused" && code !== "not_allowed" && code !== "invalid");
      return;
    }
    if (body.type === "consent.set") this.given.delete(body.scope);
    if (body.type === "consent.set" && body.scope === "recording") this.recording.undecided();
    if (body.type === "chat.send") this.lines.refused(body.client_id);
    this.failure.value = code;
  }

  // ---------------------------------------------------------------- within

  private send(body: ClientBody): void {
    if (!this.socket.send(body) && this.phase.peek() !== "ended") this.failure.value = "too_many";
  }

  private post(text: string, file: FileView | null): void {
    const client_id = randomKey();
    if (this.socket.send({ type: "chat.send", client_id, text, file: file?.id ?? null })) this.lines.written(client_id, text, file, this.me.peek());
    else this.failure.value = "too_many";
  }

  private settlePhase(): void {
    const status = this.session.peek()?.status;
    if (status === "ended") this.socket.stop();
    else this.phase.value = status === "waiting" ? "waiting" : "live";
    if (status !== "waiting") this.queue.value = null;
  }

  /** Resolves when the offer has gone, or could not. */
  private async startMedia(): Promise<void> {
    if (this.mediaStarted || this.limits === null || this.phase.peek() !== "live") return;
    this.mediaStarted = true;
    await this.media.start(this.limits.media);
  }

  private setConsent(scope: ConsentScope, decision: ConsentDecision): void {
    this.consents.value = new Map(this.consents.peek()).set(scope, decision);
  }

  private rate(participant: ParticipantId, info: QualityInfo): void {
    this.quality.value = new Map(this.quality.peek()).set(participant, info);
  }

  /** Attaches to the connection what may be sent now, detaches what may not, and tells the others. */
  private attach(): void {
    const consents = this.consents.value;
    const grants = this.grants.value;
    const live = (this.phase.value === "live" || this.phase.value === "reconnecting") && this.me.value?.waits !== true;
    const screen = this.screen.value === "on" ? (this.screenPreview.value?.getVideoTracks()[0] ?? null) : null;
    const tracks = { camera: this.devices.cameraTrack.value, microphone: this.devices.microphoneTrack.value, screen };
    const heard = this.devices.microphoneOn.value;
    untracked(() => {
      for (const source of SOURCES) {
        const may = live && consents.get(source) === "given" && grants.has(`publish.${source}`);
        const track = may ? tracks[source] : null;
        this.media.setTrack(source, track);
        const on = track !== null && (source !== "microphone" || heard);
        if (!live || on === (this.told.get(source) ?? false)) continue;
        if (this.socket.send({ type: "track.state", source, on })) this.told.set(source, on);
      }
    });
  }

  private rememberDevices(camera: boolean, microphone: boolean): void {
    if (untracked(() => this.phase.value) === "ended" || this.restore !== null) return;
    this.place = { ...this.place, on: { camera, microphone } };
    callPlace.keep(this.place);
  }

  private finish(code: CloseCode): void {
    if (this.phase.peek() === "ended") return;
    this.disposers.forEach((dispose) => dispose());
    this.people.close();
    this.cobrowse.close();
    this.pdf.end();
    callPlace.clear();
    this.letScreenGo();
    this.media.close();
    this.devices.stop();
    for (const url of this.objectUrls.values()) url.then((made) => URL.revokeObjectURL(made), () => undefined);
    batch(() => {
      const over = this.session.peek()?.status === "ended";
      this.endedBecause.value = code === "left" && over ? "session_ended" : code;
      this.phase.value = "ended";
    });
  }
}
