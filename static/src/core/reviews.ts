/** What was referred to a person, at the desk: the queue, one case whole, the decision. */
import { batch, signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import type { ReviewDecision, ReviewDetail, ReviewEntry, ReviewQueue, ReviewVerification, VerificationView, WaitingType } from "../protocol.gen";
import { request, send } from "./http";
import { ApiError } from "./problems";

/** What of the queue is shown. `yours`: those that this reviewer may decide, or those that they may not; `soon`: those that are due soon. */
export interface ReviewFilter {
  type: string | null;
  yours: boolean | null;
  soon: boolean;
}

export const EVERYTHING: ReviewFilter = { type: null, yours: null, soon: false };

export interface Reviews {
  readonly queue: ReadonlySignal<readonly ReviewEntry[] | null>; // all kinds, as far as loaded, the one that is due first first; null: not asked yet
  readonly more: ReadonlySignal<boolean>; // others wait behind those of `queue`
  readonly types: ReadonlySignal<readonly WaitingType[]>; // of all that wait
  readonly filter: ReadonlySignal<ReviewFilter>;
  readonly found: ReadonlySignal<readonly ReviewEntry[] | null>; // what the filter leaves, as far as loaded
  readonly foundMore: ReadonlySignal<boolean>;
  readonly problem: ReadonlySignal<string | null>; // code: why the queue is an old one
  /** Asks for the queue. Never rejects: `problem` says how it went. */
  refresh(): Promise<void>;
  /** One page more of what is shown. */
  loadMore(): Promise<void>;
  narrow(filter: ReviewFilter): Promise<void>;
  /** Asks again and again while the page is seen; call what it returns to end that. */
  watch(): () => void;
  /** Each look is in the audit. Rejects with `not_in_review` when somebody was faster or its time is over. */
  open(id: string): Promise<ReviewDetail>;
  decide(id: string, decision: ReviewDecision, reason: string): Promise<VerificationView>;
  picture(id: string, attempt: string, name: string, stop: AbortSignal): Promise<Blob>;
  reference(id: string, stop: AbortSignal): Promise<Blob>;
}

/** The server tells of what changes; this is for what was not told, such as time that is over. */
export const EVERY_MS = 30_000;
export const PAGE = 50;
/** Less than this, and it is marked. */
export const SOON_MS = 10 * 60_000;
const PICTURE_MS = 20_000;

export function isEverything(filter: ReviewFilter): boolean {
  return filter.type === null && filter.yours === null && !filter.soon;
}

/** Whether a case still waits, as far as is known: the queue is in order, and what it would have to name before its end waits no more. */
export function stillWaits(reviews: Reviews, entry: ReviewEntry): boolean {
  const queue = reviews.queue.value;
  if (queue === null || queue.some(({ id }) => id === entry.id)) return true;
  const last = queue.at(-1);
  return reviews.more.value && (last === undefined || Date.parse(entry.review_until) >= Date.parse(last.review_until));
}

/** How many wait in all, also on pages that are not loaded. */
export function allThatWait(types: readonly WaitingType[]): number {
  return types.reduce((sum, { count }) => sum + count, 0);
}

/** How many of what is shown wait behind those that are loaded; null: none do, or the server counts nothing of this kind. */
export function waitBehind(reviews: Reviews): number | null {
  const { type, yours, soon } = reviews.filter.value;
  if (!reviews.foundMore.value || yours !== null || soon) return null;
  const all = allThatWait(reviews.types.value.filter((one) => type === null || one.type === type));
  return Math.max(1, all - (reviews.found.value?.length ?? 0));
}

export class LiveReviews implements Reviews {
  readonly queue = signal<readonly ReviewEntry[] | null>(null);
  readonly more = signal(false);
  readonly types = signal<readonly WaitingType[]>([]);
  readonly filter = signal<ReviewFilter>(EVERYTHING);
  readonly found = signal<readonly ReviewEntry[] | null>(null);
  readonly foundMore = signal(false);
  readonly problem = signal<string | null>(null);
  private asking: Promise<void> | null = null;
  private pages = 1; // of `queue`
  private foundPages = 1;
  private again: (() => void) | null = null; // while it is watched

  constructor(private readonly token: () => string) {}

  /** One question at a time: whoever asks meanwhile waits for the same answer. */
  refresh(): Promise<void> {
    this.asking ??= this.ask().finally(() => {
      this.asking = null;
    });
    return this.asking;
  }

  /** The server says that something has changed, or may have: an answer that is on its way may not know of it. */
  async changed(): Promise<void> {
    await this.asking;
    this.again?.();
  }

  async loadMore(): Promise<void> {
    if (isEverything(this.filter.peek())) this.pages += 1;
    else this.foundPages += 1;
    await this.asking;
    await this.refresh();
  }

  async narrow(filter: ReviewFilter): Promise<void> {
    batch(() => {
      this.filter.value = filter;
      this.foundPages = 1;
      this.found.value = isEverything(filter) ? this.queue.peek() : null;
      this.foundMore.value = isEverything(filter) && this.more.peek();
    });
    await this.asking;
    await this.refresh();
  }

  watch(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const again = async (): Promise<void> => {
      clearTimeout(timer);
      if (document.visibilityState !== "hidden") await this.refresh();
      clearTimeout(timer);
      if (!stopped) timer = setTimeout(() => void again(), EVERY_MS);
    };
    const seen = (): void => {
      if (document.visibilityState !== "hidden") void again();
    };
    const now = (): void => void again();
    this.again = now;
    document.addEventListener("visibilitychange", seen);
    void again();
    return () => {
      stopped = true;
      if (this.again === now) this.again = null;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }

  open(id: string): Promise<ReviewDetail> {
    return request<ReviewDetail>(this.path(id), { token: this.token() });
  }

  async decide(id: string, decision: ReviewDecision, reason: string): Promise<VerificationView> {
    const body: ReviewVerification = { decision, reason };
    try {
      return await request<VerificationView>(`/verifications/${encodeURIComponent(id)}/review`, { method: "POST", token: this.token(), body });
    } finally {
      await this.asking; // asked before the decision: it may not know of it
      await this.refresh(); // also where the answer was lost: the queue says whether it still waits
    }
  }

  picture(id: string, attempt: string, name: string, stop: AbortSignal): Promise<Blob> {
    return this.bytes(`${this.path(id)}/attempts/${encodeURIComponent(attempt)}/pictures/${encodeURIComponent(name)}`, stop);
  }

  reference(id: string, stop: AbortSignal): Promise<Blob> {
    return this.bytes(`${this.path(id)}/reference`, stop);
  }

  private path(id: string): string {
    return `/reviews/${encodeURIComponent(id)}`;
  }

  private async ask(): Promise<void> {
    const filter = this.filter.peek();
    try {
      const all = await this.read(EVERYTHING, this.pages);
      const found = isEverything(filter) ? all : await this.read(filter, this.foundPages);
      batch(() => {
        this.queue.value = all.entries;
        this.more.value = all.more;
        this.types.value = all.types;
        this.problem.value = null;
        if (this.filter.peek() !== filter) return; // another was chosen meanwhile, and asks by itself
        this.found.value = found.entries;
        this.foundMore.value = found.more;
      });
    } catch (error) {
      this.problem.value = error instanceof ApiError ? error.code : "unknown"; // the queue stays as it was
    }
  }

  /** So many pages from the beginning on; what has moved from one to the next in between is there once. */
  private async read(filter: ReviewFilter, pages: number): Promise<{ entries: ReviewEntry[]; more: boolean; types: WaitingType[] }> {
    const entries = new Map<string, ReviewEntry>();
    let next: string | null = null;
    let types: WaitingType[] = [];
    for (let page = 0; page < pages && (page === 0 || next !== null); page += 1) {
      const query = new URLSearchParams({ limit: String(PAGE) });
      if (filter.type !== null) query.set("type", filter.type);
      if (filter.yours !== null) query.set("yours", String(filter.yours));
      if (filter.soon) query.set("due_in_s", String(SOON_MS / 1000));
      if (next !== null) query.set("cursor", next);
      const answer: ReviewQueue = await request<ReviewQueue>(`/reviews?${query.toString()}`, { token: this.token() });
      for (const entry of answer.reviews) entries.set(entry.id, entry);
      ({ next, types } = answer);
    }
    return { entries: [...entries.values()], more: next !== null, types };
  }

  private async bytes(path: string, stop: AbortSignal): Promise<Blob> {
    stop.throwIfAborted();
    const response = await send(path, { token: this.token(), timeoutMs: PICTURE_MS });
    stop.throwIfAborted();
    return response.blob();
  }
}

/** A picture that is shown: `url` of a blob of this page, or the code of why there is none. */
export type Shown = { url: string } | { problem: string };

/** Pictures that are looked at now, fetched a few at a time, never kept: what `close` leaves is nothing. */
export class Album {
  readonly shown = signal<ReadonlyMap<string, Shown>>(new Map());
  private readonly stop = new AbortController();
  private readonly waiting: string[];

  constructor(
    names: readonly string[],
    private readonly load: (name: string, stop: AbortSignal) => Promise<Blob>,
    private readonly atOnce = 4,
  ) {
    this.waiting = [...names];
    for (let n = 0; n < Math.min(this.atOnce, names.length); n += 1) void this.next();
  }

  /** Once more, where it did not come. */
  again(name: string): void {
    const shown = new Map(this.shown.peek());
    shown.delete(name);
    this.shown.value = shown;
    void this.one(name);
  }

  close(): void {
    this.stop.abort();
    this.waiting.length = 0;
    for (const one of this.shown.peek().values()) if ("url" in one) URL.revokeObjectURL(one.url);
    this.shown.value = new Map();
  }

  private async next(): Promise<void> {
    for (let name = this.waiting.shift(); name !== undefined; name = this.waiting.shift()) await this.one(name);
  }

  private async one(name: string): Promise<void> {
    let shown: Shown;
    try {
      const blob = await this.load(name, this.stop.signal);
      if (this.stop.signal.aborted) return;
      shown = { url: URL.createObjectURL(blob) };
    } catch (error) {
      shown = { problem: error instanceof ApiError ? error.code : "unknown" };
    }
    if (!this.stop.signal.aborted) this.shown.value = new Map(this.shown.peek()).set(name, shown);
  }
}

/** One line of the list: `gone` where it waits no more, but stays in its place for a moment. */
export interface Line {
  entry: ReviewEntry;
  gone: boolean;
}

/** The list after the queue has changed. While somebody points at it nothing moves: what is gone stays, marked, and what is new comes below. */
export function lines(before: readonly Line[], queue: readonly ReviewEntry[], held: boolean): Line[] {
  if (!held) return queue.map((entry) => ({ entry, gone: false }));
  const fresh = new Map(queue.map((entry) => [entry.id, entry]));
  const stay = before.map(({ entry }) => ({ entry: fresh.get(entry.id) ?? entry, gone: !fresh.has(entry.id) }));
  const known = new Set(before.map(({ entry }) => entry.id));
  return [...stay, ...queue.filter(({ id }) => !known.has(id)).map((entry) => ({ entry, gone: false }))];
}
