/** The one RTCPeerConnection of a call: what is sent, the slots that receive, its repair.
 *
 *  One offer carries everything: microphone, camera, screen (send-only from the start, with or without a track), N voices and M
 *  pictures (receive-only slots) and the channel "pointer". After that nothing is negotiated: sources come and go by
 *  `replaceTrack`, people by the `slots` message. A repair is an ICE restart, or, when that does not help or the media worker is
 *  gone, a new connection. One negotiation at a time. Knows no page and no protocol beyond offer and answer. */
import { signal } from "@preact/signals";
import type { IceServer, MediaLimits, QualityReport, SlotView, Source } from "../protocol.gen";
import { refuses } from "./codecs";
import { configuration, isUp, makeConnection, networkInformation, type Connection } from "./connection";
import { Drawn } from "./drawn";
import type { RemoteTrack, Saver } from "./model";
import { describe } from "./nack";
import { report, sample, worthSending, type Sample } from "./quality";
import { Sending } from "./sending";
import { remoteTracks } from "./slots";
import { spare } from "./spare";
import { speakers } from "./sound";
import { Voices } from "./voices";

const RESTART_MS = 8_000; // an ICE restart that has not connected by then has failed
const ANSWER_MS = 12_000; // no answer by then: try again
const REBUILD_MS = [500, 1_000, 2_000, 4_000, 8_000];
const FAILED_AFTER = 3; // rebuilds without success before the page is told; it is tried on
const STATS_MS = 1_000;

export interface MediaEvents {
  /** Send this offer; false when it cannot be sent now (`resume` is called when it can). */
  offer(sdp: string): boolean;
  quality(report: QualityReport, worthTelling: boolean): void;
  /** Pictures are drawn otherwise than the server was told. */
  drawn(): void;
}

export class Media {
  readonly state = signal<"none" | "connecting" | "connected" | "failed">("none");
  readonly remote = signal<RemoteTrack[]>([]);
  /** False when the relay forwards no video format that this browser has: voices go on. */
  readonly pictures = signal(true);

  private limits: MediaLimits | null = null;
  private built: Connection | null = null;
  readonly drawn = new Drawn(() => this.events.drawn());
  private readonly sending = new Sending(() => this.want("rebuild"));
  private voices = new Voices();
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
  private closed = false;
  private network = networkInformation()?.type;
  private readonly onOnline = (): void => void this.want("restart");
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

  /** Connect; `limits` says how many slots to offer. A second call makes a new connection. Resolves when that has begun, or failed. */
  start(limits: MediaLimits): Promise<void> {
    if (this.closed) return Promise.resolve();
    if (this.limits === null) {
      window.addEventListener("online", this.onOnline);
      networkInformation()?.addEventListener("change", this.onNetwork);
      this.stats = setInterval(() => void this.measure(), STATS_MS);
    }
    this.limits = limits;
    this.outstanding = 0;
    return this.want("rebuild");
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
    built.peer.setRemoteDescription({ type: "answer", sdp: this.voices.take(built, sdp) }).then(
      () => {
        this.pictures.value = !refuses(sdp, "video");
        this.answered(built);
      },
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

  /** The TURN relays from the next connection or ICE restart on; what runs goes on as it does. */
  setIceServers(servers: IceServer[]): void {
    if (this.limits !== null) this.limits = { ...this.limits, ice_servers: servers };
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
    this.sending.set(source, track);
  }

  /** The relay needs only these encodings (rids) of a source now; of a voice, "red" is the one with redundancy. */
  setEncodings(source: Source, rids: readonly string[]): void {
    if (source === "microphone") {
      this.voices.want(rids.includes("red"));
      void this.reorder();
    } else this.sending.want(source, rids);
  }

  setSlots(slots: readonly SlotView[]): void {
    const before = new Map(this.assigned.map((slot) => [slot.mid, slot]));
    const changed = slots.filter(({ mid, participant, source }) => before.get(mid)?.participant !== participant || before.get(mid)?.source !== source);
    this.assigned = slots;
    this.drawn.keep(new Set(slots.flatMap(({ mid, participant }) => (participant === null ? [] : [mid]))), new Set(changed.map(({ mid }) => mid)));
    this.assign();
  }

  /** How tall the page draws what it was given as `stream`; see `Drawn`. */
  setDrawn(stream: MediaStream, height: number): void {
    const mid = [...(this.built?.receivers ?? [])].find(([, one]) => one === stream)?.[0];
    if (mid === undefined || !this.assigned.some((slot) => slot.mid === mid && slot.participant !== null)) return;
    this.drawn.set(mid, height);
  }

  setSaver(saver: Saver): void {
    this.saver = saver;
    this.sending.setSaver(saver);
    this.assign();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    window.removeEventListener("online", this.onOnline);
    networkInformation()?.removeEventListener("change", this.onNetwork);
    clearInterval(this.stats);
    this.drawn.stop();
    this.tear();
    this.assigned = [];
    this.assign();
    this.state.value = "none";
  }

  // ---------------------------------------------------------------- negotiation

  private want(what: "restart" | "rebuild"): Promise<void> {
    if (this.closed || this.limits === null) return Promise.resolve();
    if (what === "rebuild" || this.built === null) this.wanted = "rebuild";
    else if (this.wanted === "nothing") this.wanted = "restart";
    return this.negotiate();
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
      if (this.wanted === "restart") {
        built.peer.setConfiguration(configuration(this.limits));
        built.peer.restartIce();
      }
      if (built.described !== true) await (built.described || describe(built.peer, built.offer));
      built.described = false; // once
      built.offer = null;
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

  private answered(built: Connection): void {
    if (this.built !== built || this.closed) return;
    this.sending.tuneAll();
    this.assign();
    if (built.peer.connectionState === "connected" && isUp(built.peer)) this.connected();
    else this.deadline(RESTART_MS, () => this.failed());
    void this.negotiate();
    void this.reorder();
  }

  /** Our voice with redundancy or without, as it is wanted; not while something is negotiated. */
  private async reorder(): Promise<void> {
    const built = this.built;
    if (built === null || this.busy || this.closed || this.outstanding > 0 || this.wanted !== "nothing" || !this.voices.due) return;
    this.busy = true;
    try {
      await this.voices.tell(built);
      this.sending.tuneAll(); // figures that were being set meanwhile were refused
    } catch {
      this.want("rebuild"); // between two descriptions, and no way back
    } finally {
      this.busy = false;
    }
    void this.negotiate();
    void this.reorder();
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

  private build(limits: MediaLimits): Connection {
    const built = spare.take(limits) ?? makeConnection(limits, this.sending.tracks, (source) => this.sending.first(source));
    const changed = (): void => this.watch(built);
    built.peer.onconnectionstatechange = changed;
    built.peer.oniceconnectionstatechange = changed;
    this.last = null;
    this.voices = new Voices();
    this.sending.use(built);
    return built;
  }

  private watch(built: Connection): void {
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
    this.sending.use(null);
    if (built === null) return;
    built.peer.onconnectionstatechange = built.peer.oniceconnectionstatechange = null;
    built.peer.close();
    speakers.clear();
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
    void this.sending.lift(entries, now.atMs);
    const before = this.last;
    this.last = now;
    if (before === null) return;
    const next = report(before, now);
    this.voices.look(built, entries, next.rtt_ms);
    const worth = worthSending(this.told?.report ?? null, this.told?.atMs ?? 0, next, now.atMs);
    if (worth) this.told = { report: next, atMs: now.atMs };
    this.events.quality(next, worth);
  }
}
