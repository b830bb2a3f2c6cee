/** The picture at its size, and what a pointer or keys do on it. Nothing reaches the replayed page itself: it lies under a sheet of glass. */
import { above, boxOf, controlsOf, elementAt, kindOf, known, meant, spotsOf, wordsOf, wrongFields } from "./geometry";
import type { Box, Numbers, Point } from "./geometry";
import { MASK } from "./hatching";
import { DRAWING, PICKING } from "./messages";
import type { FrameWords, FromFrame, Tool, Zoom } from "./messages";
import { Overlay } from "./overlay";
import type { Draft, Drawn } from "./overlay";

const STEP_PX = 12;
const LEAST_PX = 3; // a drag shorter than that is none
const AGAIN_MS = 400; // what moves by itself in the page takes its marks along
const SOUGHT_MS = 2_500;

interface Shown {
  root: HTMLElement;
  page: number;
  document: () => Document | null;
  numbers: Numbers;
}

function made<T extends keyof HTMLElementTagNameMap>(tag: T, look: string, parent: Node): HTMLElementTagNameMap[T] {
  const element = document.createElement(tag);
  element.className = look;
  parent.appendChild(element);
  return element;
}

export class Surface {
  private readonly scroller: HTMLElement;
  private readonly paper: HTMLElement; // as large as the picture is shown
  private readonly glass: HTMLElement;
  private readonly overlay: Overlay;
  private shown: Shown | null = null;
  private readonly sizes = new Map<HTMLElement, { width: number; height: number }>();
  private wanted: Zoom = "fit";
  private scale = 1;
  private tool: Tool = "none";
  private tellsPointer = false;
  private now: Drawn = { marks: [], pointers: [], hands: [], wrong: [] };
  private draft: Draft | null = null;
  private cross: Point | null = null; // moved by keys
  private reached: Element | null = null; // the control to which N moved it
  private hovered: Element | null = null;
  private due = false;
  private told = false; // that the pointer is somewhere
  private toldWrong = "[]";
  private seeking: ReturnType<typeof setTimeout> | undefined;

  constructor(
    body: HTMLElement,
    private readonly say: (what: FromFrame) => void,
  ) {
    this.scroller = made("div", "scroller", body);
    this.paper = made("div", "paper", this.scroller);
    const canvas = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    canvas.setAttribute("class", "overlay");
    canvas.setAttribute("aria-hidden", "true");
    this.paper.append(canvas);
    this.overlay = new Overlay(canvas);
    this.glass = made("div", "glass", this.paper);
    this.glass.setAttribute("role", "application");
    this.glass.tabIndex = 0;
    this.glass.addEventListener("pointerdown", (event) => this.down(event));
    this.glass.addEventListener("pointermove", (event) => this.moved(event));
    this.glass.addEventListener("pointerup", (event) => this.up(this.pointAt(event)));
    this.glass.addEventListener("pointercancel", () => this.cancel());
    this.glass.addEventListener("pointerleave", () => this.left());
    this.glass.addEventListener("keydown", (event) => this.key(event));
    this.glass.addEventListener("blur", () => this.left());
    new ResizeObserver(() => this.lay()).observe(this.scroller);
    setInterval(() => {
      if (this.now.marks.length + this.now.pointers.length + this.now.wrong.length > 0) this.changed();
    }, AGAIN_MS);
  }

  /** Where a picture can be built, unseen until it is shown. */
  sheet(): HTMLElement {
    const root = made("div", "sheet coming", this.paper);
    this.paper.prepend(root);
    return root;
  }

  show(shown: Shown | null): void {
    this.shown?.root.remove();
    if (this.shown !== null) this.sizes.delete(this.shown.root);
    this.shown = shown;
    shown?.root.classList.remove("coming");
    this.cancel();
    this.hovered = null;
    this.lay();
  }

  size(root: HTMLElement, width: number, height: number): void {
    this.sizes.set(root, { width, height });
    if (this.shown?.root === root) this.lay();
  }

  zoom(zoom: Zoom): void {
    this.wanted = zoom;
    this.lay();
  }

  use(tool: Tool, pointer: boolean): void {
    if (tool !== this.tool) this.cancel();
    this.tool = tool;
    this.hovered = null;
    this.tellsPointer = pointer;
    if (!pointer) this.told = false;
    this.glass.dataset["tool"] = tool;
    this.changed();
  }

  drawn(now: Drawn): void {
    this.now = now;
    this.changed();
  }

  /** Brings a field into view, here alone, and shows it for a moment. The customer's next scroll takes the picture along again. */
  seek(node: number): void {
    const page = this.page();
    const element = page?.numbers.getNode(node);
    if (page === null || element?.nodeType !== 1) return;
    (element as Element).scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
    const box = boxOf(element, page.document);
    if (box !== null) this.reach({ x: box.x + box.width / 2, y: box.y + box.height / 2 });
    this.hovered = element as Element;
    clearTimeout(this.seeking);
    this.seeking = setTimeout(() => {
      if (this.hovered === element) this.hovered = null;
      this.changed();
    }, SOUGHT_MS);
    this.changed();
  }

  call(words: FrameWords): void {
    document.title = words.picture;
    this.glass.setAttribute("aria-label", words.surface);
  }

  /** The page may look otherwise now. */
  changed(): void {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      const page = this.page();
      this.overlay.draw(this.now, this.draft, this.hovered, this.cross, page === null ? null : { ...page, scale: this.scale });
      const fields = page === null ? [] : wrongFields(this.now.wrong, page.numbers, MASK);
      const told = JSON.stringify(fields);
      if (told !== this.toldWrong) this.say({ say: "wrong", fields });
      this.toldWrong = told;
    });
  }

  private page(): { number: number; numbers: Numbers; document: Document } | null {
    const document = this.shown?.document() ?? null;
    return this.shown === null || document === null ? null : { number: this.shown.page, numbers: this.shown.numbers, document };
  }

  private lay(): void {
    const size = this.shown === null ? undefined : this.sizes.get(this.shown.root);
    if (size !== undefined && size.width > 0 && this.shown !== null) {
      this.scroller.classList.toggle("fits", this.wanted === "fit");
      const fits = Math.min(1, this.scroller.clientWidth / size.width);
      this.scale = this.wanted === "fit" ? fits : this.wanted;
      this.paper.style.width = `${Math.floor(size.width * this.scale)}px`;
      this.paper.style.height = `${Math.floor(size.height * this.scale)}px`;
      this.shown.root.style.transform = `scale(${this.scale})`;
      this.say({ say: "scale", scale: this.scale });
    }
    this.paper.classList.toggle("empty", this.shown === null);
    this.changed();
  }

  // ---------------------------------------------------------------- pointer

  private pointAt(event: PointerEvent): Point {
    const box = this.glass.getBoundingClientRect();
    return { x: (event.clientX - box.left) / this.scale, y: (event.clientY - box.top) / this.scale };
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.cross = null;
    if (DRAWING.has(this.tool)) {
      event.preventDefault();
      this.glass.focus({ preventScroll: true });
      this.glass.setPointerCapture(event.pointerId);
    }
    this.press(this.pointAt(event));
  }

  private moved(event: PointerEvent): void {
    this.at(this.pointAt(event));
  }

  private left(): void {
    if (this.draft !== null) return;
    this.hovered = null;
    this.cross = null;
    if (this.told && this.shown !== null) this.say({ say: "point", page: this.shown.page, at: null });
    this.told = false;
    this.changed();
  }

  private at(point: Point): void {
    const page = this.page();
    if (page === null) return;
    if (this.draft !== null) {
      this.draft = { ...this.draft, points: this.draft.kind === "ink" ? [...this.draft.points, point] : [...this.draft.points.slice(0, 1), point] };
    }
    if (PICKING.has(this.tool)) this.hovered = this.candidate(point);
    if (this.tellsPointer) {
      const [spot] = spotsOf([point], page.numbers, page.document);
      if (spot !== undefined) {
        this.told = true;
        this.say({ say: "point", page: page.number, at: spot });
      }
    }
    this.changed();
  }

  private press(point: Point): void {
    if (this.tool === "box" || this.tool === "arrow" || this.tool === "ink") this.draft = { kind: this.tool, points: [point] };
    else if (PICKING.has(this.tool)) this.pick(point);
    this.at(point);
  }

  private up(point: Point): void {
    const [draft, page] = [this.draft, this.page()];
    this.draft = null;
    this.changed();
    if (draft === null || page === null) return;
    const points = [...draft.points, point];
    const far = points.some(({ x, y }) => Math.hypot(x - (points[0]?.x ?? x), y - (points[0]?.y ?? y)) >= LEAST_PX);
    const spots = spotsOf(draft.kind === "ink" ? points : [points[0] ?? point, point], page.numbers, page.document);
    if (far && spots.length >= 2) this.say({ say: "marked", page: page.number, kind: draft.kind, spots });
  }

  private cancel(): void {
    this.draft = null;
    this.changed();
  }

  private candidate(point: Point): Element | null {
    const page = this.page();
    if (page === null) return null;
    const there = elementAt(point, page.document);
    return known(meant(there, this.tool === "fill" ? "field" : this.tool === "click" ? "control" : "any"), page.numbers, page.document);
  }

  private pick(point: Point): void {
    const [page, element] = [this.page(), this.candidate(point)];
    if (page === null || element === null) return;
    const node = page.numbers.getId(element);
    if (this.tool === "highlight") this.say({ say: "marked", page: page.number, kind: "highlight", spots: [{ node, x: 0.5, y: 0.5 }] });
    else this.say({ say: "picked", page: page.number, tool: this.tool, picked: { node, kind: kindOf(element), what: wordsOf(element, MASK) } });
  }

  // ---------------------------------------------------------------- keys

  private key(event: KeyboardEvent): void {
    const step = event.shiftKey ? 5 * STEP_PX : STEP_PX;
    const moves: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const move = moves[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (this.draft !== null) this.cancel();
      else this.say({ say: "escape" });
    } else if (this.tool === "none") return; // then the keys scroll
    else if (move !== undefined) this.moveCross((point) => ({ x: point.x + move[0], y: point.y + move[1] }));
    else if (event.key === "n" || event.key === "N") this.nextControl(event.shiftKey ? -1 : 1);
    else if (event.key === "Enter" || event.key === " ") {
      if (this.draft !== null) this.up(this.crossOr());
      else this.press(this.crossOr());
    } else return;
    event.preventDefault();
  }

  private crossOr(): Point {
    const size = this.shown === null ? undefined : this.sizes.get(this.shown.root);
    return this.cross ?? { x: (size?.width ?? 0) / 2, y: (size?.height ?? 0) / 2 };
  }

  private moveCross(to: (point: Point) => Point): void {
    const size = this.shown === null ? undefined : this.sizes.get(this.shown.root);
    if (size === undefined) return;
    const { x, y } = to(this.crossOr());
    const point = { x: Math.min(size.width, Math.max(0, x)), y: Math.min(size.height, Math.max(0, y)) };
    this.cross = point;
    this.reached = null;
    this.at(point);
    this.reach(point);
  }

  /** Scrolled to, where the picture is larger than the room that it has. */
  private reach(point: Point): void {
    const [left, top] = [point.x * this.scale, point.y * this.scale];
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = this.scroller;
    if (left < scrollLeft || left > scrollLeft + clientWidth || top < scrollTop || top > scrollTop + clientHeight) this.scroller.scrollTo(left - clientWidth / 2, top - clientHeight / 2);
  }

  /** The middle of the next field or button after the cross, in the order of the page. */
  private nextControl(by: 1 | -1): void {
    const page = this.page();
    if (page === null) return;
    const all = controlsOf(page.document).filter((one) => page.numbers.getId(one) > 0 && this.isInPicture(boxOf(one, page.document)));
    const here = this.cross === null ? null : (this.reached ?? elementAt(this.cross, page.document)); // what was reached may lie under something else
    let at = -1;
    for (let now = here; now !== null && at < 0; now = above(now)) at = all.indexOf(now);
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : (at + by + all.length) % all.length];
    const box = next === undefined ? null : boxOf(next, page.document);
    if (next === undefined || box === null) return;
    this.moveCross(() => ({ x: box.x + box.width / 2, y: box.y + box.height / 2 }));
    this.reached = next;
  }

  /** What is scrolled away, or put aside for those who hear the page, the cross cannot stand on. */
  private isInPicture(box: Box | null): boolean {
    const size = this.shown === null ? undefined : this.sizes.get(this.shown.root);
    if (box === null || size === undefined) return false;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    return x >= 0 && y >= 0 && x <= size.width && y <= size.height;
  }
}
