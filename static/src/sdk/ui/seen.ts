/** "What the agent sees": hatching over everything in view that the masking takes out, found by asking the masking itself. */
import type { SeenPart } from "../help/parts";
import type { Field, Masking } from "../masking";
import { OWN_TAG } from "../recording";
import { el, place } from "./dom";

const LOOK_MS = 300;
/** More than can be seen at once is one area. */
const MOST = 1500;
const FIELDS = new Set(["input", "textarea", "select"]);
const NOTHING_OF = new Set(["img", "picture", "video", "audio", "canvas", "object", "embed", "iframe"]);

/** Written anew, so that the third file has nothing of the masking but what it is handed. */
function isField(element: Element): element is Field {
  return FIELDS.has(element.localName);
}

export interface Area {
  left: number;
  top: number;
  width: number;
  height: number;
}

export class Seen implements SeenPart {
  private areas: HTMLElement[] = [];
  private timer: ReturnType<typeof setInterval> | undefined;
  private readonly onScroll = (): void => this.draw();

  /** `nothing`: whether nothing of the page is shown at all. */
  constructor(
    private readonly layer: HTMLElement,
    private readonly masking: Masking,
    private readonly nothing: () => boolean,
  ) {}

  get on(): boolean {
    return this.timer !== undefined;
  }

  turn(on: boolean): void {
    if (on === this.on) return;
    if (on) {
      this.timer = setInterval(() => this.draw(), LOOK_MS);
      addEventListener("scroll", this.onScroll, { capture: true, passive: true });
      this.draw();
    } else {
      clearInterval(this.timer);
      this.timer = undefined;
      removeEventListener("scroll", this.onScroll, { capture: true });
      for (const area of this.areas) area.remove();
      this.areas = [];
    }
  }

  private draw(): void {
    const found = this.nothing() ? [{ left: 0, top: 0, width: innerWidth, height: innerHeight }] : hiddenAreas(this.masking);
    while (this.areas.length > found.length) this.areas.pop()!.remove();
    found.forEach((area, index) => {
      let box = this.areas[index];
      if (box === undefined) {
        box = el("div", { class: "hidden-area" });
        this.layer.prepend(box);
        this.areas[index] = box;
      }
      const px = (value: number): string => `${Math.round(value)}px`;
      place(box, { left: px(area.left), top: px(area.top), width: px(area.width), height: px(area.height) });
    });
  }
}

/** In the window's own pixels. */
export function hiddenAreas(masking: Masking): Area[] {
  masking.forget();
  const found: Area[] = [];
  const add = (rectangles: Iterable<DOMRect>): void => {
    for (const { left, top, right, bottom, width, height } of rectangles)
      if (found.length < MOST && width > 0 && height > 0 && right > 0 && bottom > 0 && left < innerWidth && top < innerHeight) found.push({ left, top, width, height });
  };
  const waiting: (Element | ShadowRoot)[] = [document.documentElement];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if ("localName" in one) {
      if (one.localName === OWN_TAG || one.localName === "head" || one.localName === "script" || one.localName === "style") continue;
      const pictured = one.localName === "img" && masking.mayPicture(one) && isOwn((one as HTMLImageElement).currentSrc);
      const whole = masking.isBlocked(one) || (NOTHING_OF.has(one.localName) && one.localName !== "picture" && !pictured);
      if (whole || isHiddenField(one, masking)) {
        add([one.getBoundingClientRect()]);
        continue;
      }
      if (one.localName === "svg" && !masking.mayShow(one)) {
        add([one.getBoundingClientRect()]);
        continue;
      }
      if (one.shadowRoot !== null) waiting.push(one.shadowRoot);
      if (isField(one)) continue;
    }
    for (const child of one.childNodes) {
      if (child.nodeType === Node.ELEMENT_NODE) waiting.push(child as Element);
      else if (child.nodeType === Node.TEXT_NODE) {
        const text = child.nodeValue ?? "";
        const holder = "localName" in one ? one : one.host;
        if (text.trim() !== "" && masking.text(text, holder) !== text) add(boxesOf(child));
      }
    }
  }
  masking.forget();
  return found;
}

/** Of what comes from elsewhere nothing is seen. */
function isOwn(address: string): boolean {
  return URL.canParse(address) && /^https?:/.test(address) && new URL(address).origin === location.origin;
}

function isHiddenField(element: Element, masking: Masking): boolean {
  if (!isField(element)) return false;
  const type = (element.getAttribute("type") ?? "").toLowerCase();
  if (type === "checkbox" || type === "radio") return !masking.mayShowValue(element);
  const { value } = element;
  if (value === "") return element.localName !== "select" && (element.getAttribute("placeholder") ?? "") !== "" && !masking.mayShow(element);
  if (element.localName === "select" && ![...(element as HTMLSelectElement).selectedOptions].every((one) => masking.mayShow(one))) return true;
  return masking.value(value, element) !== value;
}

function boxesOf(text: Node): Iterable<DOMRect> {
  const range = document.createRange();
  range.selectNodeContents(text);
  return range.getClientRects();
}
