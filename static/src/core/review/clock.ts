/** The one clock that every track of a recording is played by, and how an element is brought back to it. Pure; times are milliseconds. */

export const SPEEDS = [1, 1.5, 2] as const;
export type Speed = (typeof SPEEDS)[number];

/** Runs between nought and the end; `now` is any steady clock. While `held`, something that is needed has not come: it stands still
 *  and goes on by itself. */
export class MasterClock {
  private at = 0; // the position at `since`
  private since = 0;
  private wanted = false;
  private waits = false;
  private rate: Speed = 1;

  constructor(
    readonly endMs: number,
    private readonly now: () => number,
  ) {}

  get positionMs(): number {
    if (!this.running) return this.at;
    return Math.min(this.endMs, this.at + (this.now() - this.since) * this.rate);
  }

  get playing(): boolean {
    return this.wanted;
  }

  get held(): boolean {
    return this.waits;
  }

  get running(): boolean {
    return this.wanted && !this.waits;
  }

  get speed(): Speed {
    return this.rate;
  }

  play(): void {
    const from = this.positionMs;
    this.settle(from >= this.endMs ? 0 : from); // from the end it begins anew
    this.wanted = true;
  }

  pause(): void {
    this.settle(this.positionMs);
    this.wanted = false;
  }

  hold(held: boolean): void {
    if (held === this.waits) return;
    this.settle(this.positionMs);
    this.waits = held;
  }

  seek(ms: number): void {
    this.settle(Math.min(this.endMs, Math.max(0, ms)));
  }

  setSpeed(speed: Speed): void {
    this.settle(this.positionMs);
    this.rate = speed;
  }

  private settle(ms: number): void {
    this.at = ms;
    this.since = this.now();
  }
}

export interface Steering {
  /** So far off that only a jump helps. */
  jump: boolean;
  rate: number;
}

/** Below this nobody sees or hears it, and nothing is done. */
export const CLOSE_MS = 12;
const LIMITS = {
  /** A voice: beyond a few percent it is heard; to jump costs nothing, every frame stands for itself. */
  audio: { jumpMs: 90, most: 0.06, overMs: 600 },
  /** A picture: nobody sees its rate; a jump decodes everything since the last key frame. */
  video: { jumpMs: 700, most: 0.5, overMs: 500 },
} as const;

/** What to do about an element that is `driftMs` ahead of the clock (behind: negative), so that it is right again soon. */
export function steer(kind: "audio" | "video", driftMs: number, speed: number): Steering {
  const { jumpMs, most, overMs } = LIMITS[kind];
  const off = Math.abs(driftMs);
  if (off > jumpMs * speed) return { jump: true, rate: speed };
  if (off <= CLOSE_MS) return { jump: false, rate: speed };
  const change = Math.max(-most, Math.min(most, -driftMs / overMs));
  return { jump: false, rate: speed * (1 + change) };
}
