/** What the recorder made of the page, before it leaves: the recorder masks words and fields, but not what attributes say. Made anew here by the same masking,
 * so that nothing hangs on one option of the recorder. Formats: rrweb 2 (`@rrweb/types`). */
import type { Images } from "./images";
import { ENTERED, isKept, WORDS } from "./kept";
import { isElement, isField, type Masking } from "./masking";
import { MASK } from "./net";
import { Level } from "./rules";
import { above } from "./selectors";

export type Json = Record<string, unknown>;
export interface Mirror {
  getNode(id: number): Node | null;
  getId(node: Node | null): number;
}

const META = 4;
export const FULL = 2;
const INCREMENTAL = 3;
const ELEMENT = 2;
const TEXT = 3;
const COMMENT = 5;
enum Source {
  Mutation = 0,
  MouseMove = 1,
  MouseInteraction = 2,
  Scroll = 3,
  Viewport = 4,
  Input = 5,
  TouchMove = 6,
  StyleRule = 8,
  Drag = 12,
  StyleDeclaration = 13,
  Adopted = 15,
}
const AS_IT_IS = new Set<unknown>([Source.Viewport, Source.StyleRule, Source.StyleDeclaration, Source.Adopted]);

/** The words of what is chosen as they leave, "" for nothing: the value of an option never leaves, and without one its words stand for it. */
function chosen(list: Element, masking: Masking): string {
  const { options, selectedIndex } = list as HTMLSelectElement;
  const option = options[selectedIndex];
  const words = (option?.text ?? "").replace(/\s+/g, " ").trim();
  return words === "" || (option && masking.mayShowValue(option)) ? masking.value(words, list) : MASK;
}

export class Scrub {
  /** Numbers of what was left out. */
  private readonly left = new Set<unknown>();

  /** `own`: the name of the element in which the script's own page stands: it is left out, with all that is in it. */
  constructor(
    private readonly masking: Masking,
    private readonly mirror: Mirror,
    private readonly own: string,
    private readonly images?: Pick<Images, "put">,
  ) {}

  /** The event as it may leave, or null. Changes what it is given. */
  event(event: Json): Json | null {
    const data = event["data"] as Json;
    switch (event["type"]) {
      case META:
        data["href"] = String(data["href"]).replace(/[?#].*$/s, "");
        return event;
      case FULL: {
        const node = data["node"] as Json;
        this.tree(node);
        return event;
      }
      case INCREMENTAL:
        return this.change(data) ? event : null;
      default:
        return null;
    }
  }

  private change(data: Json): boolean {
    switch (data["source"]) {
      case Source.Mutation:
        return this.mutation(data);
      case Source.MouseMove:
      case Source.TouchMove:
      case Source.Drag: {
        const positions = (data["positions"] as Json[]).filter((one) => this.isPointedAt(one["id"]));
        data["positions"] = positions;
        return positions.length > 0;
      }
      case Source.MouseInteraction:
        return this.isPointedAt(data["id"]);
      case Source.Scroll:
        return !this.isOwn(this.node(data["id"]));
      case Source.Input:
        return this.input(data);
      default:
        return AS_IT_IS.has(data["source"]);
    }
  }

  private mutation(data: Json): boolean {
    const list = (name: string): Json[] => (data[name] as Json[] | undefined) ?? [];
    const adds = list("adds").filter((one) => !this.isOwn(this.node(one["parentId"])) && this.tree(one["node"] as Json));
    for (const one of adds) if (this.isOwn(this.node(one["nextId"]))) one["nextId"] = null;
    const removes = list("removes").filter((one) => !this.left.has(one["id"]));
    const texts = list("texts").filter((one) => {
      const node = this.node(one["id"]);
      if (this.isOwn(node)) return false;
      one["value"] = this.words(one["value"], node);
      return true;
    });
    const attributes = list("attributes").filter((one) => {
      const element = this.node(one["id"]);
      if (!isElement(element) || this.isOwn(element)) return false;
      one["attributes"] = this.attributes(one["attributes"] as Json, element);
      return Object.keys(one["attributes"] as Json).length > 0;
    });
    Object.assign(data, { adds, removes, texts, attributes });
    return adds.length + removes.length + texts.length + attributes.length > 0;
  }

  private input(data: Json): boolean {
    const element = this.node(data["id"]);
    if (!isField(element) || this.isOwn(element)) return false;
    const type = (element.getAttribute("type") ?? "").toLowerCase();
    const reads = this.masking.mayShowValue(element);
    if (type === "checkbox" || type === "radio") {
      data["text"] = MASK;
      if (!reads) data["isChecked"] = false;
    } else {
      data["text"] = element.localName === "select" ? chosen(element, this.masking) : this.masking.value(String(data["text"] ?? ""), element);
    }
    return true;
  }

  /** A node and all below it; false where it does not leave. Without recursion, as pages may nest as they like. */
  private tree(top: Json): boolean {
    if (this.isOwn(this.node(top["id"]))) {
      this.left.add(top["id"]);
      return false;
    }
    if (!this.made(top)) return false;
    const waiting = [top];
    for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
      const below = one["childNodes"];
      if (!Array.isArray(below)) continue;
      one["childNodes"] = below.filter((child: Json) => this.made(child));
      waiting.push(...(one["childNodes"] as Json[]));
    }
    return true;
  }

  private made(given: Json): boolean {
    if (given["rootId"] === this.mirror.getId(document)) delete given["rootId"]; // the recorder leaves it out in its first picture only
    const node = this.node(given["id"]);
    if (given["type"] === COMMENT) return false;
    if (given["type"] === TEXT) {
      const style = node?.parentElement?.localName === "style";
      if (!style) given["textContent"] = this.words(given["textContent"], node);
      return true;
    }
    if (given["type"] !== ELEMENT) return true;
    if (!isElement(node)) return false;
    if (node.localName === this.own) {
      this.left.add(given["id"]);
      return false;
    }
    const level = this.masking.level(node);
    if (level === Level.Gone) return false;
    const attributes = this.attributes(given["attributes"] as Json, node);
    if (node.localName === "option" && (node as HTMLOptionElement).selected && this.masking.mayShowValue(node)) attributes["selected"] = true; // the recorder leaves it out
    given["attributes"] = attributes;
    if (level === Level.Blocked) given["childNodes"] = [];
    return true;
  }

  private words(text: unknown, node: Node | null): string {
    const parent = node === null ? null : node.parentElement;
    const root = node?.parentNode;
    const host = parent === null && root !== null && root !== undefined && "host" in root ? (root as ShadowRoot).host : null;
    return this.masking.text(String(text ?? ""), parent ?? host);
  }

  private attributes(given: Json, element: Element): Json {
    const made: Json = {};
    this.masking.isSensitive(element); // to know it later, when nothing says so any more
    const shown = this.masking.mayShow(element);
    const svg = element.namespaceURI === "http://www.w3.org/2000/svg";
    for (const [name, value] of Object.entries(given)) {
      const lower = name.toLowerCase();
      if (lower === "src") this.images?.put(made, value, element);
      if (ENTERED.has(lower)) {
        const entered = this.entered(lower, value, element);
        if (entered !== undefined) made[name] = entered;
      } else if (WORDS.has(lower)) {
        made[name] = value === null ? null : this.masking.text(String(value), element);
      } else if (lower === "href" && element.localName === "a") {
        made[name] = value === null ? null : "#";
      } else if (svg && shown && (lower === "href" || lower === "xlink:href")) {
        if (typeof value === "string" && value.startsWith("#")) made[name] = value;
      } else if (isKept(lower, svg, shown, this.masking.page.names)) {
        made[name] = value;
      }
    }
    return made;
  }

  private entered(name: string, value: unknown, element: Element): unknown {
    if (name !== "value") return this.masking.mayShowValue(element) ? value : undefined;
    if (!isField(element) && element.localName !== "button") return undefined; // of an option: no browser shows it
    const type = (element.getAttribute("type") ?? "").toLowerCase();
    if (type === "checkbox" || type === "radio") return undefined;
    if (element.localName === "select") return chosen(element, this.masking);
    return typeof value === "string" ? this.masking.value(value, element) : undefined;
  }

  /** The pointer would tell what is typed on a keypad. */
  private isPointedAt(id: unknown): boolean {
    const node = this.node(id);
    const element = isElement(node) ? node : (node?.parentElement ?? null);
    if (element === null) return node !== null && this.masking.page.known;
    return this.masking.page.known && !this.isOwn(element) && this.masking.level(element) > Level.Sealed;
  }

  private isOwn(node: Node | null): boolean {
    for (let up = isElement(node) ? node : (node?.parentElement ?? null); up !== null; up = above(up)) {
      if (up.localName === this.own) return true;
    }
    return false;
  }

  private node(id: unknown): Node | null {
    return typeof id === "number" ? this.mirror.getNode(id) : null;
  }
}
