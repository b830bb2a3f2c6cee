/** What people point at and draw, over the picture. */
import type { Mark, Spot } from "../cobrowse.gen";
import { boxOf, pointOf } from "./geometry";
import type { Box, Numbers, Point } from "./geometry";
import type { Hand } from "./messages";

const SVG = "http://www.w3.org/2000/svg";
const COLOURS = 6;

export interface Drawn {
  marks: readonly Mark[];
  pointers: readonly { viewer: string; at: Spot }[];
  hands: readonly Hand[];
  /** Fields that say that they are wrong. */
  wrong: readonly number[];
}

/** What is being drawn just now, in the replayed window's pixels. */
export interface Draft {
  kind: "box" | "arrow" | "ink";
  points: readonly Point[];
}

function svg(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

function between(one: Point, other: Point): Box {
  return { x: Math.min(one.x, other.x), y: Math.min(one.y, other.y), width: Math.abs(one.x - other.x), height: Math.abs(one.y - other.y) };
}

export class Overlay {
  constructor(private readonly canvas: SVGElement) {}

  draw(now: Drawn, draft: Draft | null, candidate: Element | null, crosshair: Point | null, page: { number: number; numbers: Numbers; document: Document; scale: number } | null): void {
    const shapes: SVGElement[] = [];
    if (page !== null) {
      const place = (spot: Spot): Point | null => scaled(pointOf(spot, page.numbers, page.document), page.scale);
      const box = (node: Node | null): Box | null => scaledBox(boxOf(node, page.document), page.scale);
      const colour = (viewer: string): number => (now.hands.find((hand) => hand.viewer === viewer)?.colour ?? 1) % COLOURS;
      for (const node of now.wrong) {
        const at = box(page.numbers.getNode(node));
        if (at !== null) shapes.push(frame(at, "wrong", 3), sign(at));
      }
      for (const mark of now.marks) {
        if (mark.page !== page.number) continue;
        const points = mark.spots.map(place).filter((point) => point !== null);
        const first = mark.spots[0];
        if (mark.kind === "highlight") {
          const at = first === undefined ? null : box(page.numbers.getNode(first.node));
          if (at !== null) shapes.push(frame(at, `mark c${colour(mark.viewer)} filled`, 4));
        } else if (points.length === mark.spots.length) shapes.push(...shape(mark.kind, points, `mark c${colour(mark.viewer)}`));
      }
      if (draft !== null) shapes.push(...shape(draft.kind, draft.points.map((point) => scaled(point, page.scale) ?? point), "mark c0"));
      const chosen = candidate === null ? null : box(candidate);
      if (chosen !== null) shapes.push(frame(chosen, "candidate", 3));
      for (const { viewer, at } of now.pointers) {
        const point = place(at);
        if (point !== null) shapes.push(pointer(point, now.hands.find((hand) => hand.viewer === viewer)?.name ?? "", colour(viewer)));
      }
      const cross = scaled(crosshair, page.scale);
      if (cross !== null) shapes.push(svg("path", { class: "crosshair", d: `M${cross.x - 14} ${cross.y}h10m8 0h10M${cross.x} ${cross.y - 14}v10m0 8v10` }));
    }
    this.canvas.replaceChildren(...shapes);
  }
}

function scaled(point: Point | null, by: number): Point | null {
  return point === null ? null : { x: point.x * by, y: point.y * by };
}

function scaledBox(box: Box | null, by: number): Box | null {
  return box === null ? null : { x: box.x * by, y: box.y * by, width: box.width * by, height: box.height * by };
}

function frame(box: Box, look: string, wider: number): SVGElement {
  return svg("rect", { class: look, x: box.x - wider, y: box.y - wider, width: box.width + 2 * wider, height: box.height + 2 * wider, rx: 6 });
}

/** Not by its colour alone. */
function sign({ x, y, width }: Box): SVGElement {
  const group = svg("g", { class: "wrong-sign", transform: `translate(${(x + width + 3).toFixed(1)} ${(y - 3).toFixed(1)})` });
  group.append(svg("circle", { r: 8 }), svg("path", { d: "M0 -4.5V1M0 3.4V4" }));
  return group;
}

function shape(kind: "box" | "arrow" | "ink", points: readonly Point[], look: string): SVGElement[] {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return [];
  if (kind === "box") return [frame(between(first, last), look, 0)];
  if (kind === "ink") return [svg("path", { class: look, d: points.map(({ x, y }, at) => `${at === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("") })];
  const angle = Math.atan2(last.y - first.y, last.x - first.x);
  const wing = (turn: number): string => `${(last.x - 14 * Math.cos(angle + turn)).toFixed(1)} ${(last.y - 14 * Math.sin(angle + turn)).toFixed(1)}`;
  return [svg("path", { class: look, d: `M${first.x.toFixed(1)} ${first.y.toFixed(1)}L${last.x.toFixed(1)} ${last.y.toFixed(1)}M${wing(0.45)}L${last.x.toFixed(1)} ${last.y.toFixed(1)}L${wing(-0.45)}` })];
}

function pointer(at: Point, name: string, colour: number): SVGElement {
  const group = svg("g", { class: `pointer c${colour}`, transform: `translate(${at.x.toFixed(1)} ${at.y.toFixed(1)})` });
  const label = svg("text", { x: 14, y: 26 });
  label.textContent = name.length > 24 ? `${name.slice(0, 24)}…` : name;
  group.append(svg("path", { d: "M0 0l5 16 3.2-6.4L15 6.6z" }), label);
  return group;
}
