/** How tall each picture is drawn on this page, told to the relay when it matters: it sends no more than is seen. */
import type { SlotSize } from "../protocol.gen";

const SETTLES_MS = 300; // a window being pulled larger is told once
const MATTERS = 0.15; // of what was told
const MOST = 8640; // device pixels, as the protocol has it

/** A slot that is not named is taken as tall: whoever comes into it is seen at once, before this page has drawn them. */
export class Drawn {
  private readonly heights = new Map<string, number>();
  private told = new Map<string, number>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** `tell`: the heights are others than were told; `sizes` has them. */
  constructor(private readonly tell: () => void) {}

  /** The picture in slot `mid` is so tall, in device pixels; 0: it is not seen. What comes into sight is told at once. */
  set(mid: string, height: number): void {
    this.heights.set(mid, Math.min(MOST, Math.max(0, Math.round(height))));
    if (!this.differs(mid)) return;
    const appears = this.told.get(mid) === 0 && height > 0;
    if (appears) clearTimeout(this.timer);
    else if (this.timer !== undefined) return;
    this.timer = setTimeout(() => this.due(), appears ? 0 : SETTLES_MS);
  }

  /** Only these slots show somebody, and `changed` somebody else than before: nothing is known of how they are drawn. */
  keep(shown: ReadonlySet<string>, changed: ReadonlySet<string>): void {
    for (const mid of [...this.heights.keys()]) if (!shown.has(mid) || changed.has(mid)) this.heights.delete(mid);
    const hidden = [...this.told].some(([mid, height]) => height === 0 && !this.heights.has(mid));
    if (hidden) this.due(); // or the next one there would not be sent
  }

  /** The whole of what is known, to be told now. */
  sizes(): SlotSize[] {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.told = new Map(this.heights);
    return [...this.told].map(([mid, height]) => ({ mid, height }));
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private due(): void {
    this.timer = undefined;
    const news = [...this.heights.keys()].some((mid) => this.differs(mid)) || [...this.told.keys()].some((mid) => !this.heights.has(mid));
    if (news) this.tell();
  }

  private differs(mid: string): boolean {
    const before = this.told.get(mid);
    const now = this.heights.get(mid) ?? 0;
    if (before === undefined || before === 0 || now === 0) return before !== now;
    return Math.abs(now - before) > MATTERS * before;
  }
}

/** The height of the picture itself, in device pixels: `cover` cuts off what does not fit, `contain` leaves room. */
export function pictureHeight(box: { width: number; height: number }, picture: { width: number; height: number }, fit: "cover" | "contain", ratio: number): number {
  if (box.width <= 0 || box.height <= 0) return 0;
  if (picture.width <= 0 || picture.height <= 0) return box.height * ratio;
  const byWidth = (box.width * picture.height) / picture.width;
  return ratio * (fit === "cover" ? Math.max(box.height, byWidth) : Math.min(box.height, byWidth));
}
