/** Where nodes of the replayed page are, and which node is at a place. Coordinates: CSS pixels of the replayed window, unless said otherwise. */
import type { Spot } from "../cobrowse.gen";
import type { Picked } from "./messages";

export interface Point {
  x: number;
  y: number;
}

export interface Box extends Point {
  width: number;
  height: number;
}

/** rrweb's numbers of nodes; -1: it knows none. */
export interface Numbers {
  getId(node: Node | null): number;
  getNode(id: number): Node | null;
}

function isElement(node: Node | null): node is Element {
  return node !== null && node.nodeType === 1; // Node.ELEMENT_NODE; instanceof does not hold over frames
}

/** What a box in a frame of the page has to be moved by. */
function shift(of: Document, top: Document): Point {
  let [x, y] = [0, 0];
  for (let doc = of; doc !== top; ) {
    const frame = doc.defaultView?.frameElement;
    if (!frame) break;
    const box = frame.getBoundingClientRect();
    x += box.left + frame.clientLeft;
    y += box.top + frame.clientTop;
    doc = frame.ownerDocument;
  }
  return { x, y };
}

export function boxOf(node: Node | null, top: Document): Box | null {
  const element = isElement(node) ? node : (node?.parentElement ?? null);
  if (element === null || !element.isConnected) return null;
  const box = element.getBoundingClientRect();
  if (box.width === 0 && box.height === 0) return null;
  const by = shift(element.ownerDocument, top);
  return { x: box.left + by.x, y: box.top + by.y, width: box.width, height: box.height };
}

/** The innermost element there, through frames and shadow roots. */
export function elementAt(point: Point, top: Document): Element | null {
  let found: Element | null = null;
  let [root, x, y]: [Document | ShadowRoot, number, number] = [top, point.x, point.y];
  for (let depth = 0; depth < 50; depth += 1) {
    const next: Element | null = root.elementFromPoint(x, y);
    if (next === null || next === found) break;
    found = next;
    const inner: Document | null = "contentDocument" in next ? (next.contentDocument as Document | null) : null;
    if (inner !== null) {
      const box = next.getBoundingClientRect();
      [root, x, y] = [inner, x - box.left - next.clientLeft, y - box.top - next.clientTop];
    } else if (next.shadowRoot !== null) root = next.shadowRoot;
    else break;
  }
  return found;
}

/** One level up, out of shadow roots and frames too. */
export function above(element: Element): Element | null {
  if (element.parentElement !== null) return element.parentElement;
  const root = element.getRootNode();
  if ("host" in root) return root.host as Element;
  return root.nodeType === 9 ? ((root as Document).defaultView?.frameElement ?? null) : null;
}

/** The nearest element upwards that has a number. */
export function known(element: Element | null, numbers: Numbers, top: Document): Element | null {
  for (let now = element; now !== null && inPage(now, top); now = above(now)) if (numbers.getId(now) > 0) return now;
  return null;
}

function inPage(element: Element, top: Document): boolean {
  for (let now: Element | null = element; now !== null; now = above(now)) if (now.ownerDocument === top) return true;
  return false;
}

function part(at: number, from: number, length: number): number {
  return length <= 0 ? 0.5 : Math.round(Math.min(1, Math.max(0, (at - from) / length)) * 10_000) / 10_000;
}

/** Points as spots of one node: the innermost that holds all of them, so that a drawing keeps its shape where the page is laid out otherwise. */
export function spotsOf(points: readonly Point[], numbers: Numbers, top: Document): Spot[] {
  const first = points[0];
  if (first === undefined) return [];
  let [node, box]: [Element | null, Box | null] = [null, null];
  for (let now = known(elementAt(first, top), numbers, top); now !== null; now = known(above(now), numbers, top)) {
    const held = boxOf(now, top);
    if (held === null) continue;
    [node, box] = [now, held];
    if (points.every(({ x, y }) => x >= held.x && x <= held.x + held.width && y >= held.y && y <= held.y + held.height)) break;
  }
  if (node === null || box === null) return [];
  const [id, at] = [numbers.getId(node), box];
  return points.map(({ x, y }) => ({ node: id, x: part(x, at.x, at.width), y: part(y, at.y, at.height) }));
}

/** Where a spot is now; null: its node is gone, or not laid out. */
export function pointOf(spot: Spot, numbers: Numbers, top: Document): Point | null {
  const box = boxOf(numbers.getNode(spot.node), top);
  return box === null ? null : { x: box.x + spot.x * box.width, y: box.y + spot.y * box.height };
}

const FIELDS = "input:not([type=checkbox],[type=radio],[type=submit],[type=button],[type=reset],[type=image],[type=range],[type=color]), textarea, select, [contenteditable]";
const CONTROLS = `${FIELDS}, input, button, a, summary, option, [role=button], [role=link], [role=tab], [role=menuitem], [role=option], [role=checkbox], [role=radio], [role=switch]`;

/** What somebody means who picks there with a tool: the field or the control that it belongs to, else the element itself. */
export function meant(element: Element | null, kind: "field" | "control" | "any"): Element | null {
  for (let now = element; now !== null && kind !== "any"; now = above(now)) {
    if (now.matches(kind === "field" ? FIELDS : CONTROLS)) return now;
    if (now.tagName === "LABEL") {
      const field = (now as HTMLLabelElement).control;
      if (field?.matches(kind === "field" ? FIELDS : CONTROLS)) return field;
    }
  }
  return kind === "field" ? null : element;
}

export function kindOf(element: Element): "field" | "control" | "other" {
  return element.matches(FIELDS) ? "field" : element.matches(CONTROLS) ? "control" : "other";
}

/** Those that can be reached by keys, in the order of the page. */
export function controlsOf(top: Document): Element[] {
  return [...top.querySelectorAll(CONTROLS)].filter((one) => boxOf(one, top) !== null);
}

/** Of those numbers the elements that are in the page, with the words on them. */
export function wrongFields(numbers: readonly number[], known: Numbers, mask: string): Picked[] {
  return numbers.flatMap((node) => {
    const element = known.getNode(node);
    return isElement(element) && element.isConnected ? [{ node, kind: kindOf(element), what: wordsOf(element, mask) }] : [];
  });
}

const MOST_WORDS = 60;

/** The words on an element, as far as they may be read; "" where there are none. */
export function wordsOf(element: Element, mask: string): string {
  const labels = "labels" in element ? [...((element.labels as NodeListOf<Element> | null) ?? [])] : [];
  const said = [element.getAttribute("aria-label"), ...labels.map((label) => label.textContent), element.getAttribute("placeholder"), kindOf(element) === "field" ? null : element.textContent];
  const words = said.map((text) => (text ?? "").replaceAll(mask, "").replace(/\s+/g, " ").trim()).find((text) => text !== "");
  return words === undefined ? "" : words.length > MOST_WORDS ? `${words.slice(0, MOST_WORDS)}…` : words;
}
