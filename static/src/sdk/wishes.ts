/** What the customer took back, until the server says that it is so: a line that is cut, or one that only seems to stand, must not lose it. Said first after each
 * greeting, and held here at once, whatever the server still believes. */
import type { Scope, TabState, Viewer } from "../cobrowse.gen";
import type { ToServer } from "./wire";

interface Kept {
  paused: boolean;
  taken: [viewer: string, scope: Scope, rules: string][];
}

export class Wishes {
  private paused = false;
  private readonly taken = new Map<string, Kept["taken"][number]>();

  /** `keep`: for the next document of this tab; `kept`: what the last one kept. */
  constructor(private readonly keep: (text: string) => void = () => undefined, kept = "") {
    try {
      const found = JSON.parse(kept) as Kept;
      this.paused = found.paused;
      for (const one of found.taken) this.taken.set(`${one[0]} ${one[1]}`, one);
    } catch {
      // nothing was kept
    }
  }

  get open(): boolean {
    return this.paused || this.taken.size > 0;
  }

  get messages(): ToServer[] {
    const made: ToServer[] = [...this.taken.values()].map(([viewer, scope, rules]) => ({ type: "tab.consent", viewer, scope, given: false, rules }));
    if (this.paused) made.unshift({ type: "tab.pause", paused: true });
    return made;
  }

  pause(on: boolean): void {
    this.paused = on;
    this.save();
  }

  take(viewer: string, scope: Scope, rules: string): void {
    this.taken.set(`${viewer} ${scope}`, [viewer, scope, rules]);
    this.save();
  }

  /** It was given anew. */
  give(viewer: string, scope: Scope): void {
    this.taken.delete(`${viewer} ${scope}`);
    this.taken.delete(`${viewer} view`);
    this.save();
  }

  /** What the server says is so need not be said again. */
  heard(state: TabState): void {
    if (state.state === "idle" || state.state === "ended") {
      this.clear();
      return;
    }
    if (state.state === "paused") this.paused = false;
    for (const [key, [id, scope]] of this.taken) {
      if (!state.viewers.some((one) => one.id === id && one.granted.includes(scope))) this.taken.delete(key);
    }
    this.save();
  }

  /** The state as the customer wants it. */
  upon(state: TabState): TabState {
    if (!this.open) return state;
    const lacks = (viewer: Viewer, scope: Scope): boolean => this.taken.has(`${viewer.id} ${scope}`) || this.taken.has(`${viewer.id} view`);
    const viewers = state.viewers.map((one) => ({ ...one, granted: one.granted.filter((scope) => !lacks(one, scope)) }));
    return { ...state, viewers, state: this.paused ? "paused" : state.state };
  }

  clear(): void {
    this.paused = false;
    this.taken.clear();
    this.save();
  }

  private save(): void {
    this.keep(this.open ? JSON.stringify({ paused: this.paused, taken: [...this.taken.values()] } satisfies Kept) : "");
  }
}
