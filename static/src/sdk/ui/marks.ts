/** Pointers and marks of those who look, over the page: tied to its elements, so they stay where they belong when the page moves. */
import type { Mark, Pointer, Spot, Unmark, Viewer } from "../../cobrowse.gen";
import { apartFrom } from "../clean";
import { el, place, svg } from "./dom";
import { OF_VIEWERS } from "./styles";

/** A pointer that does not move is put away. */
const STILL_MS = 8_000;
const TOLD_MS = 2_500;
const MOST_MARKS = 200;

interface Point {
  x: number;
  y: number;
}
interface Hand {
  at: Spot;
  arrow: SVGElement;
  name: HTMLElement;
  movedAt: number;
}
interface Told {
  element: Element;
  box: HTMLElement;
  until: number;
}

export interface MarksDeps {
  layer: HTMLElement;
  node(id: number): Node | null;
  page(): number;
  viewer(id: string): Viewer | null;
}

export class Marks {
  private readonly drawing = svg("svg", { width: "100%", height: "100%" });
  private readonly hands = new Map<string, Hand>();
  private readonly marks = new Map<string, { mark: Mark; shape: SVGElement; at: string }>();
  private told: Told[] = [];
  private readonly colours = new Map<string, string>();
  private frame = 0;
  /** Of this frame, by node: pages of many marks are asked once for each. */
  private boxes = new Map<number, DOMRect | null>();

  constructor(private readonly deps: MarksDeps) {
    deps.layer.append(this.drawing);
  }

  point({ viewer, page, at }: Pointer): void {
    const who = this.deps.viewer(viewer);
    if (at === null || page !== this.deps.page() || !who?.granted.includes("point")) {
      this.putAway(viewer);
      return;
    }
    let hand = this.hands.get(viewer);
    if (hand === undefined) {
      const arrow = svg("g", { class: "pointer" }, svg("path", { d: "M0 0v20l5-4 3 8 4-2-3-7h7z" }));
      const name = el("div", { class: "name", dir: "auto" }, who.name);
      this.colour(viewer, arrow, name);
      this.drawing.append(arrow);
      this.deps.layer.append(name);
      hand = { at, arrow, name, movedAt: 0 };
      this.hands.set(viewer, hand);
    }
    hand.at = at;
    hand.movedAt = performance.now();
    this.run();
  }

  mark(mark: Mark): void {
    const who = this.deps.viewer(mark.viewer);
    if (mark.page !== this.deps.page() || !who?.granted.includes("point")) return;
    if (mark.spots.length === 0 || mark.spots.some(({ node }) => node !== mark.spots[0]!.node)) return; // drawn within one element
    const key = `${mark.viewer} ${mark.id}`;
    this.marks.get(key)?.shape.remove();
    this.marks.delete(key);
    if (this.marks.size >= MOST_MARKS) return;
    const highlight = mark.kind === "highlight" || mark.kind === "box";
    const shape = highlight ? svg("rect", { class: mark.kind === "highlight" ? "highlight" : "mark", rx: "6" }) : svg("path", { class: "mark" });
    this.colour(mark.viewer, shape);
    this.drawing.append(shape);
    this.marks.set(key, { mark, shape, at: "" });
    this.run();
  }

  unmark({ viewer, id }: Unmark): void {
    for (const [key, { mark, shape }] of this.marks) {
      if (mark.viewer !== viewer || (id !== "" && mark.id !== id)) continue;
      shape.remove();
      this.marks.delete(key);
    }
  }

  /** Where somebody did something, for a moment. */
  tell(viewer: Viewer, element: Element, words: string): void {
    const box = el("div", { class: "told" }, el("div", { class: "name", dir: "auto" }, ...apartFrom(words, [viewer.name])));
    this.colour(viewer.id, box);
    this.deps.layer.append(box);
    this.told.push({ element, box, until: performance.now() + TOLD_MS });
    this.run();
  }

  /** What those drew who may not any more. */
  changed(): void {
    const may = (id: string): boolean => this.deps.viewer(id)?.granted.includes("point") === true;
    for (const id of [...this.hands.keys()]) if (!may(id)) this.putAway(id);
    for (const { mark } of [...this.marks.values()]) if (!may(mark.viewer)) this.unmark({ type: "unmark", viewer: mark.viewer, id: "" });
  }

  clear(): void {
    for (const id of [...this.hands.keys()]) this.putAway(id);
    for (const { shape } of this.marks.values()) shape.remove();
    this.marks.clear();
    for (const { box } of this.told) box.remove();
    this.told = [];
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }

  private putAway(id: string): void {
    const hand = this.hands.get(id);
    hand?.arrow.remove();
    hand?.name.remove();
    this.hands.delete(id);
  }

  private colour(viewer: string, ...elements: (HTMLElement | SVGElement)[]): void {
    const known = this.colours.get(viewer) ?? OF_VIEWERS[this.colours.size % OF_VIEWERS.length]!;
    this.colours.set(viewer, known);
    for (const one of elements) place(one, { "--of": known });
  }

  private run(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.frame = 0;
    this.boxes = new Map();
    const now = performance.now();
    for (const [id, hand] of [...this.hands]) {
      const at = now - hand.movedAt < STILL_MS ? this.where(hand.at) : null;
      if (at === null) this.putAway(id);
      else {
        hand.arrow.setAttribute("transform", `translate(${at.x} ${at.y})`);
        place(hand.name, { transform: `translate(${at.x + 16}px, ${at.y + 20}px)` });
      }
    }
    for (const one of this.marks.values()) {
      const box = this.box(one.mark.spots[0]!.node);
      const at = box === null ? "-" : `${box.left} ${box.top} ${box.width} ${box.height}`;
      if (at === one.at) continue; // it has not moved
      one.at = at;
      this.shape(one.mark, one.shape);
    }
    this.told = this.told.filter(({ element, box, until }) => {
      const rectangle = element.getBoundingClientRect();
      if (now > until || !element.isConnected) {
        box.remove();
        return false;
      }
      const px = (value: number): string => `${value}px`;
      place(box, { left: px(rectangle.left - 4), top: px(rectangle.top - 4), width: px(rectangle.width + 8), height: px(rectangle.height + 8) });
      box.classList.toggle("low", rectangle.top < 40);
      return true;
    });
    if (this.hands.size + this.marks.size + this.told.length > 0) this.run();
  }

  private shape(mark: Mark, shape: SVGElement): void {
    const points = mark.spots.map((spot) => this.where(spot));
    const box = mark.kind === "highlight" ? this.box(mark.spots[0]!.node) : null;
    const there = mark.kind === "highlight" ? box !== null : points.every((point) => point !== null) && points.length >= 2;
    shape.toggleAttribute("hidden", !there);
    place(shape, { display: there ? "inline" : "none" });
    if (!there) return;
    const set = (values: Record<string, number>): void => {
      for (const [name, value] of Object.entries(values)) shape.setAttribute(name, String(value));
    };
    const all = points as Point[];
    if (box !== null) set({ x: box.left - 3, y: box.top - 3, width: box.width + 6, height: box.height + 6 });
    else if (mark.kind === "box") {
      const [a, b] = [all[0]!, all[1]!];
      set({ x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), width: Math.abs(a.x - b.x), height: Math.abs(a.y - b.y) });
    } else shape.setAttribute("d", mark.kind === "arrow" ? arrow(all[0]!, all[1]!) : `M${all.map(({ x, y }) => `${x} ${y}`).join("L")}`);
  }

  private where(spot: Spot): Point | null {
    const box = this.box(spot.node);
    return box === null ? null : { x: box.left + box.width * spot.x, y: box.top + box.height * spot.y };
  }

  private box(id: number): DOMRect | null {
    const known = this.boxes.get(id);
    if (known !== undefined) return known;
    const found = this.measured(id);
    this.boxes.set(id, found);
    return found;
  }

  /** In this window, also of what stands in a frame. */
  private measured(id: number): DOMRect | null {
    const node = this.deps.node(id);
    const element = node?.nodeType === Node.ELEMENT_NODE ? (node as Element) : (node?.parentElement ?? null);
    if (element === null || !element.isConnected) return null;
    let { left, top, width, height } = element.getBoundingClientRect();
    for (let view = element.ownerDocument.defaultView; view !== null && view !== window; view = view.parent as Window & typeof globalThis) {
      const frame = view.frameElement?.getBoundingClientRect();
      if (frame === undefined) return null;
      left += frame.left;
      top += frame.top;
    }
    return new DOMRect(left, top, width, height);
  }
}

const HEAD = 16;

function arrow(from: Point, to: Point): string {
  const angle = Math.atan2(to.y - from.y, to.x - from.x);
  const side = (turn: number): string => `${to.x - HEAD * Math.cos(angle + turn)} ${to.y - HEAD * Math.sin(angle + turn)}`;
  return `M${from.x} ${from.y}L${to.x} ${to.y}M${side(0.45)}L${to.x} ${to.y}L${side(-0.45)}`;
}
