/** Images that rules let be seen, in the recorder's file: of an address only a number leaves, and the picture itself as this browser has it already. Nothing is
 * fetched for it. Of other origins, and of what is no address of the web, there is nothing. */
import type { AssetNeed, AssetPut } from "../cobrowse.gen";
import type { Masking } from "./masking";
import type { Json } from "./scrub";

/** Of one picture. */
export const MOST_BYTES = 512 * 1024;
const MOST_NUMBER = 10_000;
const PART_BYTES = 36_000;
const PAUSE_MS = 50;
/** Bytes that may wait in the socket before them. */
const LITTLE = 64 * 1024;
/** The longer side, and as what: the first that is small enough. */
const WAYS: readonly [number, string][] = [
  [1024, "image/png"],
  [1024, "image/webp"],
  [512, "image/png"],
  [256, "image/png"],
];

export interface ImageDeps {
  masking: Masking;
  page(): number;
  send(message: AssetPut): boolean;
  /** Bytes that wait in the socket. */
  waiting(): number;
}

/** `recording`: whether anything may be sent now. */
export interface Recording {
  readonly recording: boolean;
  node(id: number): Node | null;
}

export class Images {
  private readonly numbers = new Map<string, number>();
  private queue: AssetNeed[] = [];
  private running = false;
  private turn = 0;
  private readonly seen = new WeakSet<Element>();

  constructor(
    private readonly deps: ImageDeps,
    private readonly page: Recording,
  ) {}

  /** What leaves in place of the address. */
  put(made: Json, value: unknown, element: Element): void {
    if (element.localName !== "img") return;
    const url = this.may(element) ? own(value) : null;
    if (url !== null && !this.numbers.has(url) && this.numbers.size < MOST_NUMBER) this.numbers.set(url, this.numbers.size + 1);
    const number = url === null ? undefined : this.numbers.get(url);
    if (number !== undefined) this.seen.add(element);
    if (this.seen.has(element)) made["rr_asset"] = number === undefined ? null : String(number);
  }

  /** Asked for again while it is under way: it begins anew. */
  need(need: AssetNeed): void {
    if (need.page !== this.deps.page()) return;
    this.queue = this.queue.filter(({ asset }) => asset !== need.asset);
    this.queue.push(need);
    if (!this.running) void this.run();
  }

  /** Nothing of them leaves any more. */
  stop(): void {
    this.turn += 1;
    this.queue = [];
  }

  /** Whether the rules let this one be seen, as the page is now. */
  private may(element: Element): boolean {
    const { masking } = this.deps;
    masking.forget();
    return masking.mayPicture(element);
  }

  private async run(): Promise<void> {
    this.running = true;
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) await this.answer(next, this.turn).catch(() => undefined);
    this.running = false;
  }

  private async answer(need: AssetNeed, turn: number): Promise<void> {
    const image = this.image(need);
    if (image !== null && !image.complete) {
      image.addEventListener("load", () => void (turn === this.turn && this.need(need)), { once: true }); // it may be far down the page
      return;
    }
    const bytes = image && (await drawn(image));
    if (!bytes) return;
    const sha256 = [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((one) => one.toString(16).padStart(2, "0")).join("");
    const { page, asset } = need;
    for (let n = 1; bytes.length > (n - 1) * PART_BYTES; n += 1) {
      while (turn === this.turn && !(this.page.recording && this.deps.waiting() <= LITTLE)) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      if (turn !== this.turn || this.image(need) !== image || this.queue.some((one) => one.asset === asset)) return;
      const data = btoa(String.fromCharCode(...bytes.subarray((n - 1) * PART_BYTES, n * PART_BYTES)));
      this.deps.send({ type: "asset.put", page, asset, sha256, n, data, last: bytes.length <= n * PART_BYTES });
    }
  }

  /** The element, if it is there, may be seen and shows what was asked for. */
  private image({ node, asset }: AssetNeed): HTMLImageElement | null {
    const found = this.page.node(node);
    if (!(found instanceof HTMLImageElement) || !found.isConnected || !this.may(found)) return null;
    const url = own(found.src);
    return url !== null && this.numbers.get(url) === asset && (found.currentSrc === "" || own(found.currentSrc) !== null) ? found : null;
  }
}

/** An address of the page's own origin. */
function own(value: unknown): string | null {
  if (typeof value !== "string" || value.trim() === "") return null;
  try {
    const url = new URL(value, document.baseURI);
    return /^https?:$/.test(url.protocol) && url.origin === location.origin ? url.href : null;
  } catch {
    return null;
  }
}

/** What the browser has of it, without anything but its pixels. Throws where they came from elsewhere. */
async function drawn(image: HTMLImageElement): Promise<Uint8Array<ArrayBuffer> | null> {
  const { naturalWidth: width, naturalHeight: height } = image;
  if (width === 0 || height === 0) return null;
  for (const [side, kind] of WAYS) {
    const scale = Math.min(1, side / Math.max(width, height));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, kind, 0.85));
    if (blob !== null && blob.size <= MOST_BYTES) return new Uint8Array(await blob.arrayBuffer());
  }
  return null;
}
