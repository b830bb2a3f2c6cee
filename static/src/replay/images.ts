/** Images of the customer's page as the server drew them: blobs of this frame's own, which nothing is fetched for. */
import { IMAGE_KIND } from "../core/cobrowseImages";

/** As the server writes it; no attribute of this name is let through from the page itself. */
const NUMBER = "data-asset";

/** Of the newest page alone. */
export class Pictures {
  private page = 0;
  private readonly urls = new Map<number, string>();

  take(page: number, asset: number, data: string): void {
    if (page !== this.page) this.forget();
    this.page = page;
    const before = this.urls.get(asset);
    if (before !== undefined) URL.revokeObjectURL(before);
    const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
    this.urls.set(asset, URL.createObjectURL(new Blob([bytes], { type: IMAGE_KIND })));
  }

  forget(): void {
    this.urls.forEach((url) => URL.revokeObjectURL(url));
    this.urls.clear();
  }

  /** Puts the image where it belongs, if it has come. */
  show(node: Node | null, page: number): void {
    if (node?.nodeType !== 1 || (node as Element).localName !== "img") return;
    const image = node as HTMLImageElement;
    const url = page === this.page ? this.urls.get(Number(image.getAttribute(NUMBER))) : undefined;
    if (url !== undefined && image.hasAttribute(NUMBER)) image.src = url;
    else if (image.src.startsWith("blob:")) image.removeAttribute("src");
  }
}
