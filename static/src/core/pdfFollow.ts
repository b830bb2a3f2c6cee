/** Who leads: whoever scrolled last. One's own scrolling is not pulled away from under the hand. Time comes in, wishes go out. */
import type { Place } from "./pdfPlaces";

/** For so long after one's own last scroll the others are not followed. */
export const OWN_MS = 1_500;
/** One's own place is told no more often. */
export const TELL_MS = 120;

export class Follow {
  private ownUntil = -Infinity;
  private toldAt = -Infinity;
  private told: Place | null = null;
  private own: Place | null = null; // waits to be told
  private theirs: Place | null = null; // waits to be gone to

  /** When `tick` wants to be called next, or null. */
  get deadline(): number | null {
    const times = [this.own === null ? null : this.toldAt + TELL_MS, this.theirs === null ? null : this.ownUntil].filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** One scrolled: this is to be told now, or null. */
  scrolled(now: number, place: Place): Place | null {
    this.ownUntil = now + OWN_MS;
    this.theirs = null;
    this.own = same(place, this.told) ? null : place;
    return this.tell(now);
  }

  /** Somebody else scrolled: where to go now, or null. */
  looked(now: number, place: Place): Place | null {
    this.told = null; // one's own place is news again, even the same
    if (now < this.ownUntil) {
      this.theirs = place;
      return null;
    }
    this.own = null;
    return place;
  }

  tick(now: number): { tell: Place | null; go: Place | null } {
    const tell = this.tell(now);
    if (this.theirs === null || now < this.ownUntil) return { tell, go: null };
    const go = this.theirs;
    this.theirs = null;
    return { tell, go };
  }

  private tell(now: number): Place | null {
    if (this.own === null || now < this.toldAt + TELL_MS) return null;
    const place = this.own;
    this.own = null;
    this.theirs = null; // said before: one leads oneself
    this.told = place;
    this.toldAt = now;
    return place;
  }
}

function same(one: Place, other: Place | null): boolean {
  return other !== null && one.page === other.page && Math.abs(one.y - other.y) < 0.001;
}
