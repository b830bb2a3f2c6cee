/** The part of CSS selectors that rule packs may use, as server/cobrowse/selectors.py reads them: type, #id, .class, [name], [name=value], a blank or ">".
 * Own code rather than `Element.matches`: it looks up through shadow roots as the server does. What cannot be read matches nothing. */

interface Compound {
  tag: string;
  id: string;
  classes: string[];
  attributes: [name: string, value: string | null][];
}

/** `last`: the element itself; `before`: what stands above it, nearest first, each with whether it is the parent. */
export interface Selector {
  last: Compound;
  before: [direct: boolean, compound: Compound][];
}

const NAME = "-?[A-Za-z_\\u00a0-\\u{10ffff}][\\p{L}\\p{N}_\\u00a0-\\u{10ffff}-]*";
const SIMPLE = new RegExp(
  `(?<any>\\*)|(?<tag>${NAME})|#(?<id>${NAME})|\\.(?<class>${NAME})` +
    `|\\[\\s*(?<attribute>${NAME})\\s*(?:=\\s*(?:"(?<double>[^"\\\\]*)"|'(?<single>[^'\\\\]*)'|(?<bare>${NAME}))\\s*)?\\]`,
  "uy",
);
const BETWEEN = /\s*(>)\s*|\s+/y;

export function readSelector(text: string): Selector | null {
  const source = text.trim();
  const parts: [boolean, Compound][] = [];
  let direct = false;
  let at = 0;
  for (;;) {
    const found = compound(source, at);
    if (found === null) return null;
    parts.push([direct, found.compound]);
    at = found.end;
    if (at === source.length) break;
    BETWEEN.lastIndex = at;
    const between = BETWEEN.exec(source);
    if (between === null) return null;
    direct = between[1] !== undefined;
    at = BETWEEN.lastIndex;
  }
  const [, last] = parts[parts.length - 1]!;
  const before: Selector["before"] = [];
  for (let index = parts.length - 1; index > 0; index -= 1) before.push([parts[index]![0], parts[index - 1]![1]]);
  return { last, before };
}

function compound(source: string, from: number): { compound: Compound; end: number } | null {
  const made: Compound = { tag: "", id: "", classes: [], attributes: [] };
  let end = from;
  for (;;) {
    SIMPLE.lastIndex = end;
    const groups = SIMPLE.exec(source)?.groups;
    if (groups === undefined) break;
    if ((groups["any"] !== undefined || groups["tag"] !== undefined) && end !== from) return null;
    if (groups["tag"] !== undefined) made.tag = groups["tag"].toLowerCase();
    if (groups["id"] !== undefined) made.id = groups["id"];
    if (groups["class"] !== undefined) made.classes.push(groups["class"]);
    if (groups["attribute"] !== undefined)
      made.attributes.push([groups["attribute"].toLowerCase(), groups["double"] ?? groups["single"] ?? groups["bare"] ?? null]);
    end = SIMPLE.lastIndex;
  }
  return end === from ? null : { compound: made, end };
}

function fits(one: Compound, element: Element): boolean {
  if (one.tag !== "" && one.tag !== element.localName.toLowerCase()) return false;
  if (one.id !== "" && element.getAttribute("id") !== one.id) return false;
  if (!one.classes.every((name) => element.classList.contains(name))) return false;
  return one.attributes.every(([name, value]) => element.hasAttribute(name) && (value === null || element.getAttribute(name) === value));
}

/** The element above, also out of a shadow root; null at the top of a document. */
export function above(element: Element): Element | null {
  const parent = element.parentNode;
  if (parent === null || parent.nodeType === Node.ELEMENT_NODE) return parent as Element | null;
  return parent.nodeType === Node.DOCUMENT_FRAGMENT_NODE && "host" in parent ? (parent as ShadowRoot).host : null;
}

export function matches(selector: Selector, element: Element): boolean {
  return fits(selector.last, element) && fitsAbove(selector, element, 0);
}

function fitsAbove(selector: Selector, element: Element, index: number): boolean {
  const wanted = selector.before[index];
  if (wanted === undefined) return true;
  const [direct, one] = wanted;
  for (let up = above(element); up !== null; up = above(up)) {
    if (fits(one, up) && fitsAbove(selector, up, index + 1)) return true;
    if (direct) return false;
  }
  return false;
}

/** The attributes that it looks at. */
export function attributesOf(selector: Selector): string[] {
  return [selector.last, ...selector.before.map(([, one]) => one)].flatMap((one) => one.attributes.map(([name]) => name));
}
