/** Puts the chunks of a shared page's images together, and keeps those of the page at hand. Pure. */
import type { ViewAsset } from "../cobrowse.gen";

/** What elements of `page` with `data-asset` of this number show. `data`: Base64. */
export interface PageImage {
  page: number;
  asset: number;
  data: string;
}

/** As the server draws them; all else is nothing that it says. */
export const IMAGE_KIND = "image/webp";
export const MAX_IMAGE_CHARS = 1024 * 1024;
const MOST = 64;

export class Images {
  private page = 0;
  private parts: { asset: number; data: string[] } | null = null;
  private readonly known = new Map<number, PageImage>();

  get all(): PageImage[] {
    return [...this.known.values()];
  }

  /** The image, when it is whole. */
  take({ page, asset, kind, n, data, last }: ViewAsset): PageImage | null {
    if (page !== this.page) {
      this.forget();
      this.page = page;
    }
    if (n === 1) this.parts = { asset, data: [] };
    const { parts } = this;
    if (parts === null || parts.asset !== asset || parts.data.length !== n - 1 || kind !== IMAGE_KIND) {
      this.parts = null;
      return null;
    }
    parts.data.push(data);
    const whole = parts.data.join("");
    if (whole.length > MAX_IMAGE_CHARS || last) this.parts = null;
    if (!last || whole.length > MAX_IMAGE_CHARS || (this.known.size >= MOST && !this.known.has(asset))) return null;
    const made = { page, asset, data: whole };
    this.known.set(asset, made);
    return made;
  }

  /** Another connection: what was half there begins anew. */
  reset(): void {
    this.parts = null;
  }

  forget(): void {
    this.parts = null;
    this.known.clear();
  }
}
