/** The customer's own page, beside the customer: what this session shares, what this viewer may do in it, what came of it. */
import { batch, signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import type { ActKind, ActOutcome, Mark, MarkKind, Scope, Spot, ToViewer, ViewMessage, ViewState, Viewer } from "../cobrowse.gen";
import { MAX_POINTS, MAX_VALUE_CHARS } from "../cobrowse.gen";
import type { ClientBody, CobrowseAttach, CobrowseChanged, CobrowseDetach, ErrorCode, ServerBody } from "../protocol.gen";
import { Assembly } from "./cobrowseAssembly";
import type { PageEvent } from "./cobrowseAssembly";
import { Images } from "./cobrowseImages";
import type { PageImage } from "./cobrowseImages";
import { CoBrowseLine } from "./cobrowseLine";
import { randomKey } from "./http";

/** From the least to the most. */
export const LADDER: readonly Scope[] = ["view", "point", "scroll", "fill", "click"];

/** `over`: nobody shares any more, or this place may not look; `why` in `ended`. */
export type LineState = "off" | "connecting" | "live" | "reconnecting" | "over";

/** How a step of the ladder stands for this viewer. `refused`: the customer said no, or nothing, and has not been asked again. */
export type Standing = "granted" | "asked" | "refused" | "open";

/** Something done or proposed in the page; `outcome` null: nothing was heard of it yet. `what`: the words on the node. */
export interface ActNow {
  act: string;
  kind: ActKind;
  what: string;
  outcome: ActOutcome | null;
}

/** What reads the events of the page, such as a replay. */
export interface PageReader {
  event(event: PageEvent): void;
  image(image: PageImage): void;
  /** Nothing of the page may be seen any more. */
  forget(): void;
}

export interface CoBrowse {
  readonly share: ReadonlySignal<string | null>; // of this session; null: nobody shares
  readonly site: ReadonlySignal<string>; // what the bank calls the site of the page
  readonly attaching: ReadonlySignal<boolean>;
  readonly attachRefused: ReadonlySignal<string | null>; // why the newest code was
  readonly line: ReadonlySignal<LineState>;
  readonly ended: ReadonlySignal<string | null>;
  readonly state: ReadonlySignal<ViewState | null>;
  readonly refused: ReadonlySignal<ReadonlySet<Scope>>;
  readonly pictured: ReadonlySignal<boolean>; // a picture of the page has come, and may be shown
  readonly marks: ReadonlySignal<readonly Mark[]>; // of everybody; one's own have `viewer` ""
  readonly pointers: ReadonlySignal<ReadonlyMap<string, Spot>>; // of the others
  readonly acts: ReadonlySignal<readonly ActNow[]>; // newest first
  readonly roundTrip: ReadonlySignal<{ serverMs: number; tabMs: number | null } | null>;
  /** The customer only shows the page: how far asking them into the conversation has come. */
  readonly called: ReadonlySignal<Called>;
  readonly problem: ReadonlySignal<string | null>; // of the newest wish that was refused
  /** The six digits that the customer reads out. */
  attach(code: string): void;
  detach(): void;
  /** From here on the page's state is known; seeing it takes the customer's yes. */
  look(): void;
  leave(): void;
  ask(scope: Scope): void;
  release(scope: Scope): void;
  resync(): void;
  /** Returns what ends it. What came since the last picture is read at once. */
  read(reader: PageReader): () => void;
  point(page: number, at: Spot | null): void;
  mark(page: number, kind: MarkKind, spots: readonly Spot[]): void;
  undo(): void;
  clear(): void;
  act(page: number, node: number, kind: ActKind, what: string, value?: string): void;
  /** Asks the customer into the conversation. */
  call(): void;
  clearProblem(): void;
}

export type Called = "none" | "asked" | "given" | "refused";

/** The next pointer goes out no sooner. */
export const POINTER_MS = 50;
const KEPT_ACTS = 20;
const UNSEEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu; // what comes with pasted text and would be refused
export const MAX_MARKS = 100; // of one viewer
const KEPT_CHARS = 6 * 1024 * 1024; // of events since the last picture, for a reader that comes later

export function viewerOf(state: ViewState | null): Viewer | undefined {
  return state?.viewers.find(({ id }) => id === state.viewer);
}

export function standing(live: Pick<CoBrowse, "state" | "refused">, scope: Scope): Standing {
  const state = live.state.value;
  if (viewerOf(state)?.granted.includes(scope)) return "granted";
  if (state?.waits_for.includes(scope)) return "asked";
  return live.refused.value.has(scope) ? "refused" : "open";
}

/** A stroke as short as the server takes it, its ends kept. */
export function thinned(spots: readonly Spot[]): Spot[] {
  if (spots.length <= MAX_POINTS) return [...spots];
  return Array.from({ length: MAX_POINTS }, (_, index) => spots[Math.round((index * (spots.length - 1)) / (MAX_POINTS - 1))]).filter((spot) => spot !== undefined);
}

export interface CoBrowseEvents {
  say(body: CobrowseAttach | CobrowseDetach): void;
  /** Of the participant, as it is now. */
  token(): string;
}

export class LiveCoBrowse implements CoBrowse {
  readonly share = signal<string | null>(null);
  readonly site = signal("");
  readonly attaching = signal(false);
  readonly attachRefused = signal<string | null>(null);
  readonly line = signal<LineState>("off");
  readonly ended = signal<string | null>(null);
  readonly state = signal<ViewState | null>(null);
  readonly refused = signal<ReadonlySet<Scope>>(new Set());
  readonly pictured = signal(false);
  readonly marks = signal<readonly Mark[]>([]);
  readonly pointers = signal<ReadonlyMap<string, Spot>>(new Map());
  readonly acts = signal<readonly ActNow[]>([]);
  readonly roundTrip = signal<{ serverMs: number; tabMs: number | null } | null>(null);
  readonly called = signal<Called>("none");
  readonly problem = signal<string | null>(null);

  private wire: CoBrowseLine | null = null;
  private wantsView = false; // whoever types the code wants to look
  private readonly assembly = new Assembly();
  private readonly images = new Images();
  private readonly readers = new Set<PageReader>();
  private kept: PageEvent[] | null = null; // since the last picture; null: too much, or a part is missing
  private keptChars = 0;
  private pointed: { page: number; at: Spot | null } | null = null; // waits to be sent
  private pointing: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly url: string,
    private readonly events: CoBrowseEvents,
  ) {}

  // ---------------------------------------------------------------- from signalling

  /** Whether the message was about this. */
  handle(body: ServerBody): boolean {
    if (body.type !== "cobrowse.changed") return false;
    this.told(body);
    return true;
  }

  /** A whole snapshot: if there is a page, it is told after it. Whoever looks at one hears of its end by its own socket. */
  drawn(): void {
    this.attaching.value = false;
    if (this.wire === null && this.line.peek() !== "over") this.share.value = null;
  }

  /** Whether the refusal needs no other words than those here. */
  turnedDown(code: ErrorCode, body: ClientBody): boolean {
    if (body.type !== "cobrowse.attach") return false;
    this.attaching.value = false;
    this.attachRefused.value = code;
    return true;
  }

  /** The share of this session as the server says it now. */
  private told({ share, site }: CobrowseChanged): void {
    batch(() => {
      const before = this.share.peek();
      this.share.value = share;
      this.site.value = site;
      if (share !== null) {
        if (this.attaching.peek()) this.wantsView = true;
        this.attaching.value = false;
        this.attachRefused.value = null;
      }
      if (before === share) return;
      if (share === null) {
        if (this.wire !== null) this.over("ended");
        return;
      }
      this.hangUp("off");
      this.ended.value = null;
      if (this.wantsView) this.look();
    });
  }

  close(): void {
    this.hangUp("off");
  }

  // ---------------------------------------------------------------- actions

  attach(code: string): void {
    this.attaching.value = true;
    this.attachRefused.value = null;
    this.events.say({ type: "cobrowse.attach", code });
  }

  detach(): void {
    this.events.say({ type: "cobrowse.detach" });
  }

  look(): void {
    const share = this.share.peek();
    if (share === null || this.wire !== null) return;
    this.ended.value = null;
    this.line.value = "connecting";
    this.wire = new CoBrowseLine(this.url, () => ({ type: "view.hello", token: this.events.token(), share }), {
      opened: () => this.opened(),
      frame: (body) => batch(() => this.heard(body)),
      measured: (serverMs, tabMs) => void (this.roundTrip.value = { serverMs, tabMs }),
      cut: () => this.cut(),
      over: (code) => this.over(code),
    });
    this.wire.start();
  }

  leave(): void {
    this.hangUp("off");
  }

  ask(scope: Scope): void {
    if (scope === "view") this.wantsView = false;
    this.problem.value = null;
    this.refused.value = without(this.refused.peek(), scope);
    this.say({ type: "view.ask", scope });
  }

  release(scope: Scope): void {
    this.say({ type: "view.release", scope });
  }

  resync(): void {
    this.say({ type: "view.resync" });
  }

  read(reader: PageReader): () => void {
    if (this.pictured.peek()) {
      if (this.kept === null) this.resync();
      else this.kept.forEach((event) => reader.event(event));
      this.images.all.forEach((image) => reader.image(image));
    }
    this.readers.add(reader);
    return () => this.readers.delete(reader);
  }

  point(page: number, at: Spot | null): void {
    this.pointed = { page, at };
    if (this.pointing === null) this.sendPointer();
  }

  mark(page: number, kind: MarkKind, spots: readonly Spot[]): void {
    const mark: Mark = { type: "mark", id: randomKey(), page, kind, spots: thinned(spots), viewer: "" };
    const own = this.marks.peek().filter(({ viewer }) => viewer === "");
    const oldest = own.length >= MAX_MARKS ? own[0] : undefined;
    if (oldest !== undefined) this.unmark(oldest.id);
    if (this.say(mark)) this.marks.value = [...this.marks.peek(), mark];
  }

  undo(): void {
    const last = this.marks.peek().findLast(({ viewer }) => viewer === "");
    if (last !== undefined) this.unmark(last.id);
  }

  clear(): void {
    if (this.say({ type: "unmark", id: "", viewer: "" })) this.marks.value = this.marks.peek().filter(({ viewer }) => viewer !== "");
  }

  act(page: number, node: number, kind: ActKind, what: string, value = ""): void {
    const act = randomKey();
    const sent = this.say({ type: "act", act, page, node, kind, value: value.slice(0, MAX_VALUE_CHARS).replace(UNSEEN, ""), viewer: "" });
    this.acts.value = [{ act, kind, what, outcome: sent ? null : ("late" as const) }, ...this.acts.peek()].slice(0, KEPT_ACTS);
  }

  call(): void {
    this.problem.value = null;
    if (this.say({ type: "view.call" })) this.called.value = "asked";
  }

  clearProblem(): void {
    this.problem.value = null;
  }

  // ---------------------------------------------------------------- from the socket

  private opened(): void {
    this.assembly.reset();
    this.images.reset();
    batch(() => {
      this.line.value = "live";
      this.marks.value = []; // those of a connection go with it
      this.pointers.value = new Map();
    });
  }

  private heard(body: ToViewer): void {
    switch (body.type) {
      case "view.state":
        this.stated(body);
        break;
      case "view.dom": {
        const taken = this.assembly.take(body);
        if (taken === "lost") {
          this.kept = null;
          this.resync();
        } else if (typeof taken !== "string") this.event(taken);
        break;
      }
      case "view.asset": {
        const image = this.images.take(body);
        if (image !== null) this.readers.forEach((reader) => reader.image(image));
        break;
      }
      case "view.answer":
        this.refused.value = body.given ? without(this.refused.peek(), body.scope) : new Set(this.refused.peek()).add(body.scope);
        break;
      case "view.done":
        this.acts.value = this.acts.peek().map((one) => (one.act === body.act ? { ...one, outcome: body.outcome } : one));
        break;
      case "pointer":
        if (body.viewer !== "" && body.viewer !== this.state.peek()?.viewer) this.pointers.value = pointed(this.pointers.peek(), body.viewer, body.at);
        break;
      case "mark":
        if (body.viewer !== "" && body.viewer !== this.state.peek()?.viewer) this.drew(body);
        break;
      case "unmark":
        this.unmarked(body.id, body.viewer);
        break;
      case "view.called":
        this.called.value = body.given ? "given" : "refused";
        break;
      case "problem":
        if (this.called.peek() === "asked") this.called.value = "none"; // it may be that which was refused
        this.problem.value = body.code;
        break;
      case "view.pong":
      case "bye":
        break; // the line's own
    }
  }

  private stated(state: ViewState): void {
    const before = this.state.peek();
    this.state.value = state;
    const granted = viewerOf(state)?.granted ?? [];
    this.refused.value = new Set([...this.refused.peek()].filter((scope) => !granted.includes(scope)));
    if (before !== null && before.page !== state.page) {
      this.marks.value = this.marks.peek().filter(({ page }) => page === state.page);
      this.pointers.value = new Map();
    }
    const here = new Set(state.viewers.map(({ id }) => id));
    if ([...this.pointers.peek().keys()].some((id) => !here.has(id))) this.pointers.value = new Map([...this.pointers.peek()].filter(([id]) => here.has(id)));
    if (this.marks.peek().some(({ viewer }) => viewer !== "" && !here.has(viewer))) this.marks.value = this.marks.peek().filter(({ viewer }) => viewer === "" || here.has(viewer));
    if (!granted.includes("view") || state.hidden || state.state === "ended") this.forget();
    if (!granted.includes("point") && this.marks.peek().some(({ viewer }) => viewer === "")) this.marks.value = this.marks.peek().filter(({ viewer }) => viewer !== "");
    if (this.wantsView && !granted.includes("view") && !state.waits_for.includes("view")) this.ask("view");
    else if (granted.includes("view")) this.wantsView = false;
    if (!state.apart) this.called.value = "none";
    if (state.state === "ended") this.over("ended");
  }

  private event(event: PageEvent): void {
    if (event.begins) {
      this.kept = [];
      this.keptChars = 0;
      this.pictured.value = true;
    }
    if (this.kept !== null) {
      this.keptChars += event.text.length;
      if (this.keptChars > KEPT_CHARS) this.kept = null;
      else this.kept.push(event);
    }
    this.readers.forEach((reader) => reader.event(event));
  }

  /** Of another viewer: the oldest go where there are too many. */
  private drew(mark: Mark): void {
    const others = this.marks.peek().filter(({ id, viewer }) => id !== mark.id || viewer !== mark.viewer);
    const theirs = others.filter(({ viewer }) => viewer === mark.viewer);
    const tooMany = new Set(theirs.slice(0, Math.max(0, theirs.length - MAX_MARKS + 1)));
    this.marks.value = [...others.filter((one) => !tooMany.has(one)), mark];
  }

  private unmarked(id: string, viewer: string): void {
    const own = viewer === "" || viewer === this.state.peek()?.viewer ? "" : viewer;
    this.marks.value = this.marks.peek().filter((mark) => mark.viewer !== own || (id !== "" && mark.id !== id));
  }

  /** The connection, not the share: what was drawn stays on the screen until it is known what holds. */
  private cut(): void {
    batch(() => {
      this.line.value = "reconnecting";
      this.roundTrip.value = null;
      this.acts.value = this.acts.peek().map((one) => (one.outcome === null ? { ...one, outcome: "late" as const } : one));
    });
    this.stopPointing();
  }

  private over(code: string): void {
    this.hangUp("over");
    this.ended.value = code;
  }

  private hangUp(line: LineState): void {
    const wire = this.wire;
    this.wire = null;
    wire?.stop();
    this.stopPointing();
    batch(() => {
      this.line.value = line;
      this.state.value = null;
      this.refused.value = new Set();
      this.marks.value = [];
      this.pointers.value = new Map();
      this.roundTrip.value = null;
      this.problem.value = null;
      this.called.value = "none";
      this.forget();
    });
  }

  // ---------------------------------------------------------------- within

  private forget(): void {
    this.kept = null;
    this.keptChars = 0;
    this.images.forget();
    if (!this.pictured.peek()) return;
    this.pictured.value = false;
    this.assembly.reset();
    this.readers.forEach((reader) => reader.forget());
  }

  private unmark(id: string): void {
    if (this.say({ type: "unmark", id, viewer: "" })) this.marks.value = this.marks.peek().filter((mark) => mark.id !== id || mark.viewer !== "");
  }

  private sendPointer(): void {
    const wanted = this.pointed;
    this.pointed = null;
    this.pointing = null;
    if (wanted === null || !this.say({ type: "pointer", page: wanted.page, at: wanted.at, viewer: "" })) return;
    this.pointing = setTimeout(() => this.sendPointer(), POINTER_MS);
  }

  private stopPointing(): void {
    if (this.pointing !== null) clearTimeout(this.pointing);
    this.pointing = null;
    this.pointed = null;
  }

  private say(body: ViewMessage): boolean {
    return this.wire?.send(body) ?? false;
  }
}

function without<T>(set: ReadonlySet<T>, one: T): ReadonlySet<T> {
  return new Set([...set].filter((other) => other !== one));
}

function pointed(before: ReadonlyMap<string, Spot>, viewer: string, at: Spot | null): ReadonlyMap<string, Spot> {
  const now = new Map(before);
  if (at === null) now.delete(viewer);
  else now.set(viewer, at);
  return now;
}
