/** What was referred to a person, at the desk: the queue, one case whole, the decision. */
import { signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import type { ReviewDecision, ReviewDetail, ReviewEntry, ReviewQueue, ReviewVerification, VerificationView } from "../protocol.gen";
import { request, send } from "./http";
import { ApiError } from "./problems";

export interface Reviews {
  readonly queue: ReadonlySignal<readonly ReviewEntry[] | null>; // the one that is due first first; null: not asked yet
  readonly problem: ReadonlySignal<string | null>; // code: why the queue is an old one
  /** Asks for the queue. Never rejects: `problem` says how it went. */
  refresh(): Promise<void>;
  /** Asks again and again while the page is seen; call what it returns to end that. */
  watch(): () => void;
  /** Each look is in the audit. Rejects with `not_in_review` when somebody was faster or its time is over. */
  open(id: string): Promise<ReviewDetail>;
  decide(id: string, decision: ReviewDecision, reason: string): Promise<VerificationView>;
  picture(id: string, attempt: string, name: string, stop: AbortSignal): Promise<Blob>;
  reference(id: string, stop: AbortSignal): Promise<Blob>;
}

export const EVERY_MS = 10_000;
const PICTURE_MS = 20_000;

export class LiveReviews implements Reviews {
  readonly queue = signal<readonly ReviewEntry[] | null>(null);
  readonly problem = signal<string | null>(null);
  private asking: Promise<void> | null = null;

  constructor(private readonly token: () => string) {}

  /** One question at a time: whoever asks meanwhile waits for the same answer. */
  refresh(): Promise<void> {
    this.asking ??= this.ask().finally(() => {
      this.asking = null;
    });
    return this.asking;
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
    document.addEventListener("visibilitychange", seen);
    void again();
    return () => {
      stopped = true;
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
    try {
      this.queue.value = (await request<ReviewQueue>("/reviews", { token: this.token() })).reviews;
      this.problem.value = null;
    } catch (error) {
      this.problem.value = error instanceof ApiError ? error.code : "unknown"; // the queue stays as it was
    }
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
