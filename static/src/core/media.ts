/** The one RTCPeerConnection of a call: what is sent, the slots that receive, its repair.
 *
 *  One offer carries everything: microphone, camera, screen (send-only from the start, with or without a track), N voices and M
 *  pictures (receive-only slots) and the channel "pointer". After that nothing is negotiated: sources come and go by
 *  `replaceTrack`, people by the `slots` message. A repair is an ICE restart, or, when that does not help or the media worker is
 *  gone, a new connection. One negotiation at a time. Knows no page and no protocol beyond offer and answer. */
import { signal } from "@preact/signals";
import type { MediaLimits, QualityReport, SlotView, Source } from "../protocol.gen";
import { preferred } from "./codecs";
import type { RemoteTrack, Saver } from "./model";
import { report, sample, undersized, worthSending, type Sample } from "./quality";
import { remoteTracks } from "./slots";
import { speakers } from "./sound";

export const SOURCES: readonly Source[] = ["microphone", "camera", "screen"]; // the order of the offer says which is which

const RESTART_MS = 8_000; // an ICE restart that has not connected by then has failed
const ANSWER_MS = 12_000; // no answer by then: try again
const REBUILD_MS = [500, 1_000, 2_000, 4_000, 8_000];
const FAILED_AFTER = 3; // rebuilds without success before the page is told; it is tried on
const STATS_MS = 1_000;
const LIFTS = 3; // per connection: a path that is narrow after all settles the matter
const LIFT_EVERY_MS = 10_000;

const CAMERA_BPS: Readonly<Record<Saver, number>> = { full: 1_500_000, saver: 250_000, audio: 250_000 };
const SCREEN_BPS: Readonly<Record<Saver, number>> = { full: 2_500_000, saver: 600_000, audio: 600_000 };

export interface MediaEvents {
  /** Send this offer; false when it cannot be sent now (`resume` is called when it can). */
  offer(sdp: string): boolean;
  quality(report: QualityReport, worthTelling: boolean): void;
}

interface Built {
  peer: RTCPeerConnection;
  senders: Record<Source, RTCRtpTransceiver>;
  receivers: Map<string, MediaStream>;
  slots: { transceiver: RTCRtpTransceiver; stream: MediaStream }[];
  pointer: RTCDataChannel;
}

export class Media {
  readonly state = signal<"none" | "connecting" | "connected" | "failed">("none");
  readonly remote = signal<RemoteTrack[]>([]);

  private limits: MediaLimits | null = null;
  private built: Built | null = null;
  private readonly tracks: Record<Source, MediaStreamTrack | null> = { microphone: null, camera: null, screen: null };
  private assigned: readonly SlotView[] = [];
  private saver: Saver = "full";
  private wanted: "nothing" | "restart" | "rebuild" = "nothing";
  private outstanding = 0; // offers whose answer has not come
  private busy = false;
  private failures = 0;
  private repair: ReturnType<typeof setTimeout> | undefined; // deadline or back-off of the running repair
  private stats: ReturnType<typeof setInterval> | undefined;
  private last: Sample | null = null;
  private told: { report: QualityReport; atMs: number } | null = null;
  private lifts = { left: LIFTS, afterMs: 0 };
  private closed = false;
  private network = networkInformation()?.type;
  private readonly onOnline = (): void => this.want("restart");
  private readonly onNetwork = (): void => {
    const type = networkInformation()?.type; // the event also tells new estimates of speed
    if (type !== this.network) this.want("restart");
    this.network = type;
  };

  constructor(private readonly events: MediaEvents) {}

  /** The channel for pointers; null while there is no connection. */
  get pointer(): RTCDataChannel | null {
    return this.built?.pointer ?? null;
  }

  /** Connect; `limits` says how many slots to offer. A second call makes a new connection. */
  start(limits: MediaLimits): void {
    if (this.closed) return;
    if (this.limits === null) {
      window.addEventListener("online", this.onOnline);
      networkInformation()?.addEventListener("change", this.onNetwork);
      this.stats = setInterval(() => void this.measure(), STATS_MS);
    }
    this.limits = limits;
    this.outstanding = 0;
    this.want("rebuild");
  }

  /** Signalling is back (resumed): whatever could not be said before is said now. */
  resume(): void {
    if (this.built === null) return;
    const state = this.built.peer.connectionState;
    if (state === "disconnected" || state === "failed") this.want("restart");
    else void this.negotiate();
  }

  /** An answer came: to the oldest offer that has none. */
  answer(sdp: string): void {
    if (this.outstanding === 0) return;
    this.outstanding -= 1;
    const built = this.built;
    if (this.outstanding > 0 || built === null || built.peer.signalingState !== "have-local-offer") return;
    built.peer.setRemoteDescription({ type: "answer", sdp }).then(
      () => this.answered(built),
      () => this.want("rebuild"),
    );
  }

  /** The server could not answer the oldest offer. `again` false: it never will (the offer itself is refused). */
  refused(again: boolean): void {
    if (this.outstanding === 0) return;
    this.outstanding -= 1;
    if (this.outstanding > 0) return;
    if (again) this.failed();
    else this.giveUp();
  }

  /** The media worker is gone. */
  lost(): void {
    this.want("rebuild");
  }

  /** The page asks for another try. */
  retry(): void {
    if (this.limits === null || this.state.peek() === "connected") return;
    this.failures = 0;
    this.want("rebuild");
  }

  /** What is sent as `source` from now on; null sends nothing. No negotiation. */
  setTrack(source: Source, track: MediaStreamTrack | null): void {
    if (this.tracks[source] === track) return;
    this.tracks[source] = track;
    // A face may lose sharpness, never fluency; a screen the other way round. Chromium's own choice ("balanced") falls to 10
    // frames a second in the first moments of a call and stays there; what was set before there was a track is forgotten.
    if (track !== null && source !== "microphone") track.contentHint = source === "screen" ? "detail" : "motion";
    const built = this.built;
    if (built === null) return;
    built.senders[source].sender.replaceTrack(track).then(
      () => {
        if (this.built === built) void this.tune(built);
      },
      () => {
        if (this.built === built) this.want("rebuild");
      },
    );
  }

  setSlots(slots: readonly SlotView[]): void {
    this.assigned = slots;
    this.assign();
  }

  setSaver(saver: Saver): void {
    this.saver = saver;
    if (this.built !== null) void this.tune(this.built);
    this.assign();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    window.removeEventListener("online", this.onOnline);
    networkInformation()?.removeEventListener("change", this.onNetwork);
    clearInterval(this.stats);
    this.tear();
    this.assigned = [];
    this.assign();
    this.state.value = "none";
  }

  // ---------------------------------------------------------------- negotiation

  private want(what: "restart" | "rebuild"): void {
    if (this.closed || this.limits === null) return;
    if (what === "rebuild" || this.built === null) this.wanted = "rebuild";
    else if (this.wanted === "nothing") this.wanted = "restart";
    void this.negotiate();
  }

  /** Carries out what is wanted, one thing at a time. */
  private async negotiate(): Promise<void> {
    if (this.busy || this.closed || this.limits === null || this.wanted === "nothing") return;
    if (this.outstanding > 0 && this.wanted === "restart") return; // an answer is on its way; then again
    this.busy = true;
    try {
      if (this.wanted === "rebuild") {
        this.tear();
        this.built = this.build(this.limits);
      }
      const built = this.built;
      if (built === null) return;
      if (this.wanted === "restart") built.peer.restartIce();
      await built.peer.setLocalDescription(await built.peer.createOffer());
      for (const { transceiver, stream } of built.slots) {
        if (transceiver.mid !== null) built.receivers.set(transceiver.mid, stream);
      }
      const sdp = built.peer.localDescription?.sdp;
      if (this.closed || sdp === undefined || this.built !== built) return;
      if (!this.events.offer(sdp)) return; // no signalling: `wanted` stands, `resume` comes back to it
      this.wanted = "nothing";
      this.outstanding += 1;
      if (this.state.peek() !== "failed") this.state.value = "connecting";
      this.deadline(ANSWER_MS, () => this.failed());
    } catch {
      this.failed();
    } finally {
      this.busy = false;
    }
  }

  private answered(built: Built): void {
    if (this.built !== built || this.closed) return;
    void this.tune(built);
    this.assign();
    if (built.peer.connectionState === "connected" && isUp(built.peer)) this.connected();
    else this.deadline(RESTART_MS, () => this.failed());
    void this.negotiate();
  }

  private connected(): void {
    clearTimeout(this.repair);
    this.failures = 0;
    this.state.value = "connected";
  }

  /** The present connection is of no use: another, a little later each time. */
  private failed(): void {
    if (this.closed) return;
    const wait = REBUILD_MS[Math.min(this.failures, REBUILD_MS.length - 1)] ?? 8_000;
    this.failures += 1;
    if (this.failures >= FAILED_AFTER) this.outstanding = 0; // every offer is answered or refused; this server forgot one
    this.state.value = this.failures >= FAILED_AFTER ? "failed" : "connecting";
    this.deadline(wait, () => this.want("rebuild"));
  }

  private giveUp(): void {
    clearTimeout(this.repair);
    this.tear();
    this.state.value = "failed";
  }

  private deadline(ms: number, then: () => void): void {
    clearTimeout(this.repair);
    this.repair = setTimeout(then, ms);
  }

  // ---------------------------------------------------------------- the connection

  private build(limits: MediaLimits): Built {
    const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
    const send = (source: Source): RTCRtpTransceiver => {
      const kind = source === "microphone" ? "audio" : "video";
      const bps = source === "camera" ? CAMERA_BPS[this.saver] : SCREEN_BPS[this.saver];
      const sendEncodings = kind === "audio" ? [{ maxBitrate: 40_000 }] : [{ maxBitrate: bps }];
      const track = this.tracks[source];
      const transceiver = peer.addTransceiver(track ?? kind, { direction: "sendonly", sendEncodings });
      prefer(transceiver, kind, RTCRtpSender.getCapabilities(kind));
      return transceiver;
    };
    const senders = { microphone: send("microphone"), camera: send("camera"), screen: send("screen") };
    const slots: Built["slots"] = [];
    const receive = (kind: "audio" | "video"): void => {
      const transceiver = peer.addTransceiver(kind, { direction: "recvonly" });
      prefer(transceiver, kind, RTCRtpReceiver.getCapabilities(kind));
      slots.push({ transceiver, stream: new MediaStream([transceiver.receiver.track]) });
    };
    for (let index = 0; index < limits.audio_slots; index += 1) receive("audio");
    for (let index = 0; index < limits.video_slots; index += 1) receive("video");
    const pointer = peer.createDataChannel("pointer", { ordered: false, maxRetransmits: 0 });
    const built: Built = { peer, senders, receivers: new Map(), slots, pointer };
    const changed = (): void => this.watch(built);
    peer.onconnectionstatechange = changed;
    peer.oniceconnectionstatechange = changed;
    this.last = null;
    this.lifts = { left: LIFTS, afterMs: 0 };
    return built;
  }

  private watch(built: Built): void {
    if (this.built !== built || this.closed) return;
    const { connectionState, iceConnectionState } = built.peer;
    if (connectionState === "connected" && isUp(built.peer)) {
      if (this.outstanding === 0) this.connected();
    } else if (connectionState === "failed" || connectionState === "closed") {
      this.failed(); // the restart had its time
    } else if (iceConnectionState === "disconnected" || iceConnectionState === "failed") {
      if (this.state.peek() === "connected") this.state.value = "connecting";
      this.want("restart");
    }
  }

  private tear(): void {
    clearTimeout(this.repair);
    const built = this.built;
    this.built = null;
    if (built === null) return;
    built.peer.onconnectionstatechange = built.peer.oniceconnectionstatechange = null;
    built.peer.close();
    speakers.clear();
  }

  /** What the sender may spend, and what it gives up first: a screen its frame rate, a face its size. Browsers keep to the frame
   *  rate only when told: a busy phone otherwise sends a face at a few frames a second. */
  private async tune({ senders }: Built): Promise<void> {
    const set = async (source: "camera" | "screen", change: (encoding: RTCRtpEncodingParameters) => void): Promise<void> => {
      const parameters = senders[source].sender.getParameters();
      const encoding = parameters.encodings[0];
      if (encoding === undefined) return;
      change(encoding);
      Object.assign(parameters, { degradationPreference: source === "screen" ? "maintain-resolution" : "maintain-framerate" });
      await senders[source].sender.setParameters(parameters).catch(() => undefined); // a browser's refusal costs quality only
    };
    const thrifty = this.saver !== "full";
    await set("camera", (encoding) => {
      encoding.maxBitrate = CAMERA_BPS[this.saver];
      encoding.scaleResolutionDownBy = thrifty ? 2 : 1;
      encoding.maxFramerate = thrifty ? 12 : 30;
    });
    await set("screen", (encoding) => {
      encoding.maxBitrate = SCREEN_BPS[this.saver];
      encoding.maxFramerate = thrifty ? 5 : 15;
    });
  }

  // ---------------------------------------------------------------- what arrives

  private assign(): void {
    const receivers = this.built?.receivers ?? new Map<string, MediaStream>();
    const all = remoteTracks(this.assigned, receivers, this.remote.peek());
    // Every voice slot plays from its first use on, also while it is empty: no word is lost when somebody takes it.
    for (const { source, stream } of all) if (source === "microphone") speakers.play(stream.id, stream);
    this.remote.value = this.saver === "audio" ? all.filter(({ source }) => source === "microphone") : all;
  }

  private async measure(): Promise<void> {
    const built = this.built;
    if (built === null || this.state.peek() !== "connected") return;
    const stats = await built.peer.getStats().catch(() => null);
    if (stats === null || this.built !== built || this.closed) return;
    const entries: Record<string, unknown>[] = [];
    stats.forEach((stat: Record<string, unknown>) => entries.push(stat));
    const now = sample(entries, performance.now());
    void this.lift(built, entries, now.atMs);
    const before = this.last;
    this.last = now;
    if (before === null) return;
    const next = report(before, now);
    const worth = worthSending(this.told?.report ?? null, this.told?.atMs ?? 0, next, now.atMs);
    if (worth) this.told = { report: next, atMs: now.atMs };
    this.events.quality(next, worth);
  }

  /** Lets the encoder start over at its full size; see `undersized`. A tenth of a second of standstill, no negotiation. */
  private async lift(built: Built, stats: Record<string, unknown>[], nowMs: number): Promise<void> {
    const { mid, sender } = built.senders.camera;
    const track = this.tracks.camera;
    if (mid === null || track === null || this.saver !== "full" || this.lifts.left === 0 || nowMs < this.lifts.afterMs) return;
    if (!undersized(stats, mid, track.getSettings().width ?? 0, CAMERA_BPS.full)) return;
    this.lifts = { left: this.lifts.left - 1, afterMs: nowMs + LIFT_EVERY_MS };
    await sender.replaceTrack(null).catch(() => undefined);
    await sender.replaceTrack(this.tracks.camera).catch(() => undefined); // what is wanted now: it may have been taken away
  }
}

function isUp(peer: RTCPeerConnection): boolean {
  return peer.iceConnectionState === "connected" || peer.iceConnectionState === "completed";
}

function prefer(transceiver: RTCRtpTransceiver, kind: "audio" | "video", capabilities: RTCRtpCapabilities | null): void {
  const codecs = preferred(kind, capabilities?.codecs ?? []);
  if (codecs.length === 0) return;
  try {
    transceiver.setCodecPreferences(codecs);
  } catch {
    // an older browser: it offers everything it has
  }
}

/** Wi-Fi or mobile, where the browser says so. */
function networkInformation(): (EventTarget & { type?: string }) | null {
  const connection: unknown = "connection" in navigator ? navigator.connection : null;
  return connection instanceof EventTarget ? connection : null;
}
