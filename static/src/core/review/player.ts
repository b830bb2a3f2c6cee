/** Plays all lanes of a recording together: one clock, and every element kept to it.
 *
 *  Twenty times a second each lane is asked what it has at the clock's position. While a lane is still loading the clock stands (not
 *  for ever); where a lane has nothing its element rests; else its element is steered. Times are milliseconds. */
import { batch, signal } from "@preact/signals";
import { MasterClock, steer } from "./clock";
import type { Speed } from "./clock";
import type { Cover } from "./source";
import { firstMs, laneHas, within } from "./timeline";
import type { Lane, Timeline } from "./timeline";

export const TICK_MS = 50;
const PATIENCE_MS = 8_000; // how long all wait for one
const SETTLE_MS = 400; // after a jump a drift is not believed
const STILL_MS = 40; // a picture that stands may be so far off
const OPENING_MS = 700; // so long before a lane's first picture that picture stands: nobody presses Play to see who is in a recording
const OPENING_STEP_MS = 50;
const READY = 2; // HAVE_CURRENT_DATA

/** What is steered of an `HTMLMediaElement`. */
export interface Element {
  currentTime: number; // seconds
  playbackRate: number;
  muted: boolean;
  readonly paused: boolean;
  readonly seeking: boolean;
  readonly readyState: number;
  play(): Promise<void>;
  pause(): void;
}

export interface Source {
  cover(ms: number): Cover;
  want(ms: number): void;
  again(): void;
  close(): void;
}

/** Of one lane, for the page. */
export type LaneState = "none" | "loading" | "shown" | "failed";

interface Seat {
  lane: Lane;
  element: Element;
  source: Source;
  engaged: boolean; // its element stands where the clock does
  jumpedAt: number;
  driftMs: number | null;
}

export class Player {
  readonly positionMs = signal(0);
  readonly playing = signal(false);
  /** Something that is needed is still loading. */
  readonly waiting = signal(false);
  readonly speed = signal<Speed>(1);
  readonly muted = signal<ReadonlySet<string>>(new Set()); // participants
  readonly states = signal<ReadonlyMap<string, LaneState>>(new Map());
  /** The browser wants to be touched before it plays a voice. */
  readonly blocked = signal(false);
  private readonly clock: MasterClock;
  private readonly seats = new Map<string, Seat>();
  private waitingSince: number | null = null;
  private impatient = false; // it took too long: go on without, until everything is there once more
  private worst = 0;

  constructor(
    readonly timeline: Timeline,
    private readonly now: () => number,
  ) {
    this.clock = new MasterClock(timeline.durationMs, now);
  }

  attach(lane: Lane, element: Element, source: Source): () => void {
    element.muted = this.muted.peek().has(lane.participant);
    const seat: Seat = { lane, element, source, engaged: false, jumpedAt: -Infinity, driftMs: null };
    this.seats.set(lane.key, seat);
    return () => {
      if (this.seats.get(lane.key) === seat) this.seats.delete(lane.key);
      source.close();
      element.pause();
    };
  }

  play(): void {
    this.blocked.value = false;
    this.impatient = false;
    this.clock.play();
    this.tick();
  }

  pause(): void {
    this.clock.pause();
    this.tick();
  }

  toggle(): void {
    if (this.clock.playing) this.pause();
    else this.play();
  }

  seek(ms: number): void {
    this.clock.seek(ms);
    this.impatient = false;
    this.waitingSince = null;
    for (const seat of this.seats.values()) this.disengage(seat);
    this.tick();
  }

  setSpeed(speed: Speed): void {
    this.clock.setSpeed(speed);
    this.speed.value = speed;
    this.tick();
  }

  setMuted(participant: string, muted: boolean): void {
    const next = new Set(this.muted.peek());
    if (muted) next.add(participant);
    else next.delete(participant);
    this.muted.value = next;
    for (const seat of this.seats.values()) seat.element.muted = next.has(seat.lane.participant);
  }

  /** Lanes that failed are tried once more. */
  again(): void {
    for (const seat of this.seats.values()) seat.source.again();
  }

  /** How far every element that plays is from the clock now, and the worst since it was asked last: for tests and the curious. */
  drift(): { now: Record<string, number>; worstMs: number } {
    const now = Object.fromEntries([...this.seats.values()].flatMap(({ lane, driftMs }) => (driftMs === null ? [] : [[lane.key, driftMs]])));
    const worstMs = this.worst;
    this.worst = 0;
    return { now, worstMs };
  }

  tick(): void {
    const at = this.clock.positionMs;
    if (this.clock.playing && at >= this.timeline.durationMs) this.clock.pause();
    const covers = new Map<Seat, Cover>();
    let wait = false;
    for (const seat of this.seats.values()) {
      seat.source.want(at);
      const cover = seat.source.cover(at);
      covers.set(seat, cover);
      if (cover === "there") this.engage(seat, at);
      else this.disengage(seat);
      if (cover === "hole" && !this.clock.running) standBefore(seat, at);
      if (cover === "coming" || (cover === "there" && !isReady(seat.element))) wait = true;
    }
    this.hold(wait);
    const running = this.clock.running;
    for (const seat of this.seats.values()) this.drive(seat, covers.get(seat) === "there" && running, at);
    batch(() => {
      this.positionMs.value = at;
      this.playing.value = this.clock.playing;
      this.waiting.value = this.clock.held;
      this.show(covers, at);
    });
  }

  close(): void {
    for (const seat of this.seats.values()) {
      seat.source.close();
      seat.element.pause();
    }
    this.seats.clear();
  }

  private hold(wait: boolean): void {
    if (!wait) {
      this.waitingSince = null;
      this.impatient = false;
    } else {
      this.waitingSince ??= this.now();
      if (this.now() - this.waitingSince > PATIENCE_MS) this.impatient = true;
    }
    this.clock.hold(wait && !this.impatient);
  }

  private engage(seat: Seat, at: number): void {
    if (seat.engaged) return;
    seat.engaged = true;
    this.jump(seat, at);
  }

  private disengage(seat: Seat): void {
    seat.engaged = false;
    seat.driftMs = null;
    if (!seat.element.paused) seat.element.pause();
  }

  private jump(seat: Seat, at: number): void {
    if (Math.abs(seat.element.currentTime * 1000 - at) > 1) seat.element.currentTime = at / 1000;
    seat.jumpedAt = this.now();
    seat.driftMs = null;
  }

  private drive(seat: Seat, run: boolean, at: number): void {
    const { element } = seat;
    if (!run) {
      if (!element.paused) element.pause();
      if (seat.engaged && !element.seeking && Math.abs(element.currentTime * 1000 - at) > STILL_MS) this.jump(seat, at);
      seat.driftMs = null;
      return;
    }
    if (element.paused) {
      element.play().catch((error: unknown) => {
        if (error instanceof Error && error.name === "NotAllowedError") this.stopBlocked();
      });
    }
    if (element.seeking || !isReady(element)) return;
    const driftMs = element.currentTime * 1000 - this.clock.positionMs;
    const { jump, rate } = steer(seat.lane.kind, driftMs, this.clock.speed);
    if (Math.abs(element.playbackRate - rate) > 0.001) element.playbackRate = rate;
    if (this.now() - seat.jumpedAt < SETTLE_MS) return;
    seat.driftMs = driftMs;
    this.worst = Math.max(this.worst, Math.abs(driftMs));
    if (jump) this.jump(seat, this.clock.positionMs);
  }

  private stopBlocked(): void {
    this.blocked.value = true;
    this.clock.pause();
    this.playing.value = false;
  }

  private show(covers: ReadonlyMap<Seat, Cover>, at: number): void {
    const paused = within(this.timeline.pauses, at);
    const before = this.states.peek();
    const next = new Map<string, LaneState>();
    for (const [{ lane, element }, cover] of covers) {
      const there = !paused && (laneHas(lane, at) || opens(lane, at));
      const drawn = cover === "there" || element.readyState >= READY; // spans are right to half a second: the last picture stands
      next.set(lane.key, cover === "failed" ? "failed" : !there ? "none" : cover === "coming" ? "loading" : drawn ? "shown" : "none");
    }
    if (next.size !== before.size || [...next].some(([key, state]) => before.get(key) !== state)) this.states.value = next;
  }
}

/** Whether the lane begins just after this moment. */
function opens(lane: Lane, at: number): boolean {
  const begins = lane.tracks[0] === undefined ? -1 : firstMs(lane.tracks[0]);
  return begins > at && begins - at <= OPENING_MS;
}

/** Nothing plays, and the lane begins in a moment: its element shows what comes first. */
function standBefore({ lane, element, source }: Seat, at: number): void {
  if (lane.kind !== "video" || element.seeking || element.readyState >= READY || !opens(lane, at)) return;
  for (let ms = at; ms <= at + OPENING_MS; ms += OPENING_STEP_MS) {
    if (source.cover(ms) !== "there") continue;
    if (Math.abs(element.currentTime * 1000 - ms) > 1) element.currentTime = ms / 1000;
    return;
  }
}

function isReady(element: Element): boolean {
  return !element.seeking && element.readyState >= READY;
}
