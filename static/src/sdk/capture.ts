/** When the page is recorded, and how what is recorded goes to the server: only while pictures are wanted, in chunks, and no more than the line takes. */
import { type AssetPut, CHUNK_CHARS, type TabDom } from "../cobrowse.gen";
import type { Images } from "./images";
import type { Masking } from "./masking";
import { OWN_TAG, type Record_ } from "./recording";
import type { Rules } from "./rules";
import { FULL, type Json, Scrub } from "./scrub";

/** What waits in the socket: beyond the first nothing more is recorded, under the second a new picture is taken. Bytes. */
export const TOO_MUCH = 1024 * 1024;
export const LITTLE = 64 * 1024;
const LOOK_MS = 250;
/** A picture waits so long at most for a moment in which the customer does not type. */
const PATIENCE_MS = 2000;
const QUIET_MS = 400;

export interface CaptureDeps {
  load(): Promise<Record_>;
  masking: Masking;
  rules(): Rules;
  page(): number;
  send(message: TabDom | AssetPut): boolean;
  /** Bytes that wait in the socket. */
  waiting(): number;
  /** A whole picture was sent. */
  drawn(): void;
  /** The recorder cannot be had. */
  failed(): void;
  address(): string;
}

export class Capture {
  private record: Record_ | null = null;
  images: Images | undefined;
  private halt: (() => void) | null = null;
  private scrub: Scrub | null = null;
  private wanted = false;
  private address = "";
  private n = 0;
  private planned: ReturnType<typeof setTimeout> | undefined;
  private looking: ReturnType<typeof setInterval> | undefined;
  private typedAt = -Infinity;
  private since = 0;
  private readonly onKey = (): void => void (this.typedAt = performance.now());

  constructor(private readonly deps: CaptureDeps) {}

  get recording(): boolean {
    return this.halt !== null;
  }

  /** A picture is wanted, and all changes after it. */
  want(): void {
    if (!this.wanted) {
      this.wanted = true;
      document.addEventListener("keydown", this.onKey, { capture: true, passive: true });
      this.looking = setInterval(() => this.look(), LOOK_MS);
    }
    this.end(); // what comes next is the picture
    this.plan();
  }

  /** Nothing of this address is recorded; another one is noticed. */
  hush(): void {
    this.end();
  }

  /** Nothing is wanted any more. */
  stop(): void {
    this.wanted = false;
    clearTimeout(this.planned);
    this.planned = undefined;
    clearInterval(this.looking);
    document.removeEventListener("keydown", this.onKey, { capture: true });
    this.images?.stop();
    this.end();
  }

  /** Another connection: its events are counted anew. */
  reset(): void {
    this.stop();
    this.n = 0;
  }

  /** 0 or less: it is not in the picture. */
  number(node: Node): number {
    return this.halt === null ? 0 : this.record!.mirror.getId(node);
  }

  node(id: number): Node | null {
    return this.record?.mirror.getNode(id) ?? null;
  }

  private end(): void {
    this.halt?.();
    this.halt = null;
  }

  private plan(): void {
    if (this.planned !== undefined) return;
    this.since = performance.now();
    this.planned = setTimeout(() => void this.begin(), 0);
  }

  private async begin(): Promise<void> {
    try {
      this.record ??= await this.deps.load();
    } catch {
      this.planned = undefined;
      if (this.wanted) this.deps.failed();
      return;
    }
    this.images ??= this.record.images?.(this.deps, this);
    if (!this.wanted) return;
    const now = performance.now();
    const busy = this.deps.waiting() > LITTLE || (now - this.typedAt < QUIET_MS && now - this.since < PATIENCE_MS);
    if (busy) {
      this.planned = setTimeout(() => void this.begin(), LOOK_MS);
      return;
    }
    whenIdle(() => {
      this.planned = undefined;
      if (this.wanted && this.record !== null) this.draw(this.record);
    });
  }

  /** Recording begins anew each time: what may be seen may have changed since. */
  private draw(record: Record_): void {
    this.end();
    this.address = this.deps.address();
    const { masking } = this.deps;
    masking.begin(this.deps.rules().page(this.address));
    if (masking.page.pause) {
      this.send({ type: 4, data: { href: this.address.replace(/[?#].*$/s, ""), width: innerWidth, height: innerHeight }, timestamp: Date.now() });
      return;
    }
    this.scrub = new Scrub(masking, record.mirror, OWN_TAG, this.images);
    let over = false;
    this.halt = () => (over = true);
    const halt = record({ ...record.options(masking, OWN_TAG), emit: (event) => void (over || this.emit(event as unknown as Json)) });
    const ended = (): boolean => over;
    if (ended()) halt?.(); // by its first picture already
    else
      this.halt = () => {
        over = true;
        halt?.();
      };
  }

  private emit(event: Json): void {
    if (this.moved()) return;
    this.deps.masking.forget();
    const made = this.scrub?.event(event) ?? null;
    this.deps.masking.forget();
    if (made === null) return;
    this.send(made);
    if (made["type"] === FULL) this.deps.drawn();
    if (this.deps.waiting() > TOO_MUCH) {
      this.end();
      this.plan();
    }
  }

  private send(event: Json): void {
    const text = JSON.stringify(event);
    this.n += 1;
    for (let from = 0; from < text.length; ) {
      let to = Math.min(from + CHUNK_CHARS, text.length);
      if (to < text.length && /[\ud800-\udbff]/.test(text[to - 1]!)) to -= 1;
      const message: TabDom = { type: "tab.dom", page: this.deps.page(), n: this.n, text: text.slice(from, to), last: to === text.length };
      if (!this.deps.send(message)) return;
      from = to;
    }
  }

  /** The page has another address without being another document (history.pushState): other rules may hold, so nothing leaves before a new picture. */
  private moved(): boolean {
    if (this.deps.address().replace(/[?#].*$/s, "") === this.address.replace(/[?#].*$/s, "")) return false;
    this.end();
    this.plan();
    return true;
  }

  private look(): void {
    if (this.planned === undefined && this.address !== "") this.moved();
  }
}

function whenIdle(run: () => void): void {
  if ("requestIdleCallback" in window) window.requestIdleCallback(run, { timeout: 1000 });
  else setTimeout(run, 0);
}
