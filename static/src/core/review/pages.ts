/** A shared page out of a recording: its lines are read a little ahead of the player's position, and each takes effect at its time. */
import { batch, signal } from "@preact/signals";
import type { ActKind, ActOutcome, Mark, Pointer, Scope, ShareState, Spot, Unmark, ViewAsset, ViewDom } from "../../cobrowse.gen";
import type { PageReader } from "../cobrowse";
import { Assembly } from "../cobrowseAssembly";
import { Images } from "../cobrowseImages";
import { ApiError } from "../problems";
import { at as spanAt } from "./timeline";
import type { PageTrack } from "./timeline";

/** As the recorder wrote them: `server/cobrowse/kept.py`. */
export interface KeptState {
  type: "kept.state";
  state: ShareState;
  shown: boolean;
  hidden: boolean;
  front: boolean;
  page: number;
  name: string;
  step: string;
  errors: number;
  viewers: { id: string; role: string; granted: Scope[] }[];
}

export interface KeptAct {
  type: "kept.act";
  viewer: string;
  page: number;
  node: number;
  kind: ActKind;
  outcome: ActOutcome;
}

interface KeptBegin {
  type: "kept.begin";
  state: KeptState | null;
  marks: Mark[];
}

type KeptLine = KeptState | KeptAct | KeptBegin | { type: "kept.paused" } | ViewDom | ViewAsset | Mark | Unmark | Pointer;

interface Entry {
  atMs: number;
  line: KeptLine;
}

/** What stands in the page's place, or that it is seen. */
export type PageStanding = "none" | "loading" | "seen" | "hidden" | "paused" | "away" | "failed";

export type OpenPage = (track: string, fromMs: number, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;

const AHEAD_MS = 20_000; // so much is read before it is needed
const JUMP_MS = 30_000; // farther ahead it is quicker to begin anew at a picture
const BACK_MS = 250; // a clock that is steered may step back so far
const AGAIN_MS = 2_000;
const TRIES = 3;
const STAYS: ReadonlySet<string> = new Set(["not_found", "gone", "conflict", "unsupported_media_type", "not_allowed"]); // asking again does not help
const ACT_MS = 4_000; // so long an act is told

export class PagePlayback {
  readonly standing = signal<PageStanding>("none");
  readonly state = signal<KeptState | null>(null);
  readonly marks = signal<readonly Mark[]>([]);
  readonly pointers = signal<ReadonlyMap<string, Spot>>(new Map());
  /** The newest thing that somebody did in the page, for a moment. */
  readonly act = signal<KeptAct | null>(null);
  /** Up to this second everything is in effect; -1: nothing is. */
  readonly second = signal(-1);
  private reader: PageReader | null = null;
  private readonly assembly = new Assembly();
  private readonly images = new Images();
  private ahead: Entry[] = [];
  private stop: AbortController | null = null;
  private loadedMs = -1; // read up to there
  private doneMs = -1; // in effect up to there
  private wantedMs = 0;
  private ended = false; // the stream, and not by us
  private failures = 0;
  private againAt = 0;
  private actUntil = 0;
  private pictured = false;
  private wake: (() => void) | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly track: PageTrack,
    private readonly open: OpenPage,
    private readonly now: () => number,
  ) {}

  /** Returns what ends it. */
  read(reader: PageReader): () => void {
    this.reader = reader;
    this.restart(this.wantedMs);
    return () => {
      this.reader = null;
      this.close();
    };
  }

  /** The player is there. */
  seek(ms: number): void {
    this.wantedMs = ms;
    if (this.reader === null) return;
    const shown = spanAt(this.track.spans, ms) !== undefined;
    const needed = shown || this.pictured;
    if (ms < this.doneMs - BACK_MS || (needed && !this.ended && this.stop !== null && ms > this.loadedMs + JUMP_MS && this.loadedMs >= 0)) this.restart(ms);
    else if (needed && this.stop === null && this.loadedMs < ms && this.now() >= this.againAt && this.failures < TRIES) this.restart(ms);
    this.advance();
    this.wake?.();
  }

  again(): void {
    this.failures = 0;
    this.againAt = 0;
    this.restart(this.wantedMs);
  }

  close(): void {
    clearTimeout(this.timer);
    this.stop?.abort();
    this.stop = null;
    this.wake?.();
  }

  private restart(ms: number): void {
    this.close();
    this.ahead = [];
    this.loadedMs = this.doneMs = -1;
    this.ended = false;
    this.act.value = null;
    if (this.track.spans.length === 0 || ms < (this.track.spans[0]?.fromMs ?? 0)) {
      batch(() => this.forget());
      this.standing.value = "none";
      if (this.track.spans.length === 0) return;
    }
    const stop = (this.stop = new AbortController());
    this.load(ms, stop).then(
      () => this.over(stop, null),
      (error: unknown) => this.over(stop, error),
    );
    this.standing.value = this.judge(ms); // a clock that stands does not ask
    this.second.value = -1;
  }

  private over(stop: AbortController, error: unknown): void {
    if (this.stop !== stop) return;
    this.stop = null;
    if (error === null) {
      this.ended = true;
      this.loadedMs = Infinity;
      this.failures = 0;
    } else {
      this.failures = error instanceof ApiError && STAYS.has(error.code) ? TRIES : this.failures + 1;
      this.againAt = this.now() + AGAIN_MS;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.seek(this.wantedMs), AGAIN_MS + 1); // a clock that stands asks no more
    }
    this.advance();
  }

  private async load(fromMs: number, stop: AbortController): Promise<void> {
    const stream = (await this.open(this.track.id, fromMs, stop.signal)).getReader();
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for (;;) {
        while (!stop.signal.aborted && this.loadedMs > this.wantedMs + AHEAD_MS) await new Promise<void>((resolve) => (this.wake = resolve));
        if (stop.signal.aborted) return;
        const { done, value } = await stream.read();
        if (stop.signal.aborted) return;
        const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
        rest = lines.pop() ?? "";
        for (const text of lines) this.take(text);
        if (done) return;
        this.advance();
      }
    } finally {
      void stream.cancel().catch(() => undefined);
    }
  }

  private take(text: string): void {
    const { at_us: us, line } = JSON.parse(text) as { at_us: number; line: KeptLine };
    const atMs = us / 1000;
    this.ahead.push({ atMs, line });
    this.loadedMs = Math.max(this.loadedMs, atMs);
    this.failures = 0;
  }

  /** All that is due takes effect. */
  private advance(): void {
    const ms = this.wantedMs;
    const due = this.ahead.findIndex(({ atMs }) => atMs > ms);
    const now = this.ahead.splice(0, due < 0 ? this.ahead.length : due);
    batch(() => {
      for (const entry of now) this.apply(entry);
      if (this.act.peek() !== null && ms >= this.actUntil) this.act.value = null;
      this.standing.value = this.judge(ms);
    });
    if (this.loadedMs >= 0) this.doneMs = Math.max(this.doneMs, Math.min(ms, this.loadedMs));
    this.second.value = Math.floor(this.doneMs / 1000);
  }

  private judge(ms: number): PageStanding {
    const behind = this.loadedMs < ms; // what is drawn is of another time
    if (behind && this.stop === null && !this.ended && this.failures >= TRIES) return "failed";
    if (behind && this.reader !== null && (this.pictured || spanAt(this.track.spans, ms) !== undefined)) return "loading";
    if (this.pictured) return "seen";
    const state = this.state.peek();
    if (state === null || state.state === "ended") return "none";
    if (state.hidden) return "hidden";
    if (state.state === "paused") return "paused";
    return state.front ? "none" : "away";
  }

  private apply({ atMs, line }: Entry): void {
    switch (line.type) {
      case "kept.begin":
        this.assembly.reset();
        this.images.reset();
        this.pointers.value = new Map();
        this.state.value = line.state;
        this.marks.value = line.marks;
        break;
      case "kept.state":
        this.stated(line);
        break;
      case "kept.paused":
        this.state.value = null;
        this.forget();
        break;
      case "kept.act":
        this.act.value = line;
        this.actUntil = atMs + ACT_MS;
        break;
      case "view.dom": {
        const taken = this.assembly.take(line);
        if (typeof taken === "string") break;
        if (taken.begins) this.pictured = true;
        if (this.pictured) this.reader?.event(taken);
        break;
      }
      case "view.asset": {
        const image = this.images.take(line);
        if (image !== null && this.pictured) this.reader?.image(image);
        break;
      }
      case "mark":
        this.marks.value = [...this.marks.peek().filter(({ id, viewer }) => id !== line.id || viewer !== line.viewer), line];
        break;
      case "unmark":
        this.marks.value = this.marks.peek().filter(({ id, viewer }) => viewer !== line.viewer || (line.id !== "" && id !== line.id));
        break;
      case "pointer": {
        const next = new Map(this.pointers.peek());
        if (line.at === null) next.delete(line.viewer);
        else next.set(line.viewer, line.at);
        this.pointers.value = next;
        break;
      }
    }
  }

  private stated(state: KeptState): void {
    this.state.value = state;
    if (!state.shown) this.forget();
    else if (this.marks.peek().some(({ page }) => page !== state.page)) this.marks.value = this.marks.peek().filter(({ page }) => page === state.page);
  }

  private forget(): void {
    this.assembly.reset();
    this.images.forget();
    this.marks.value = [];
    this.pointers.value = new Map();
    this.act.value = null;
    if (this.pictured) this.reader?.forget();
    this.pictured = false;
  }
}
