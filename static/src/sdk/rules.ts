/** The bank's rules for its pages, as the server sends them; server/cobrowse/rules.py says the same, and decides. Here they say what need not be masked at all
 * before it leaves, so that nothing else does. */
import type { PageRules } from "../cobrowse.gen";
import { attributesOf, matches, readSelector, type Selector } from "./selectors";

/** What of an element may be seen; the less, the lower. */
export enum Level {
  Gone,
  Blocked,
  Sealed,
  Masked,
  Shown,
}

const KINDS = ["show", "values", "mask", "block", "click", "images"] as const;
type Kind = (typeof KINDS)[number];

export class Page {
  private readonly lists: Partial<Record<Kind, Selector[]>> = {};

  /** `known`: whether a rule names this page; on others everything is masked. A selector that cannot be read hides the whole page. */
  constructor(
    readonly name: string,
    readonly pause: boolean,
    readonly known: boolean,
    rules: Partial<Pick<PageRules, Kind>>,
  ) {
    const { mask = [], block = [] } = rules;
    const unread = [...mask, ...block].some((one) => readSelector(one) === null);
    for (const kind of unread ? [] : KINDS) this.lists[kind] = (rules[kind] ?? []).map(readSelector).filter((one) => one !== null);
    this.blocked = unread ? [] : block;
    this.names = new Set(Object.values(this.lists).flat().flatMap(attributesOf));
  }

  /** The selectors of what stands there as a box, for the recorder. */
  readonly blocked: readonly string[];
  /** The attributes that the rules look at: the server needs them, to judge for itself. */
  readonly names: ReadonlySet<string>;

  level(element: Element, aboveIt: Level): Level {
    if (aboveIt <= Level.Blocked) return Level.Gone;
    if (this.fits("block", element)) return Level.Blocked;
    if (aboveIt === Level.Sealed || this.fits("mask", element)) return Level.Sealed;
    if (aboveIt === Level.Shown || this.fits("show", element)) return Level.Shown;
    return Level.Masked;
  }

  /** Whether a rule names it: `click` as what somebody else may press, `values` as what may be read, `images` as what may be seen. */
  fits(kind: Kind, element: Element): boolean {
    return (this.lists[kind] ?? []).some((one) => matches(one, element));
  }
}

export const UNKNOWN_PAGE = new Page("", false, false, {});

export class Rules {
  private readonly pages: { origin: string; parts: string[]; rest: boolean; page: Page }[];

  constructor(pages: readonly PageRules[]) {
    this.pages = pages.flatMap((one) => {
      const pattern = split(one.url.replace(/\*\*$/, ""));
      if (pattern === null) return [];
      const rest = one.url.endsWith("/**");
      return [{ origin: pattern.origin, parts: rest ? pattern.parts.slice(0, -1) : pattern.parts, rest, page: new Page(one.name, one.pause, true, one) }];
    });
  }

  /** The first that fits. */
  page(url: string): Page {
    const at = split(url);
    if (at === null) return UNKNOWN_PAGE;
    const found = this.pages.find(
      ({ origin, parts, rest }) =>
        origin === at.origin &&
        at.parts.length >= parts.length &&
        (rest || at.parts.length === parts.length) &&
        parts.every((part, index) => part === "*" || part === at.parts[index]),
    );
    return found?.page ?? UNKNOWN_PAGE;
  }
}

function split(url: string): { origin: string; parts: string[] } | null {
  const found = /^(https?:\/\/[^/?#]+)([^?#]*)/i.exec(url);
  if (found === null) return null;
  try {
    return { origin: new URL(found[1]!).origin, parts: found[2]!.replace(/^\//, "").split("/") };
  } catch {
    return null;
  }
}
