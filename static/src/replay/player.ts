/** One picture of the customer's page and what changed in it since, by rrweb's replayer: in a frame without scripts, under a policy that fetches nothing. */
import { Replayer } from "@rrweb/replay";
import { FOCUSED, RULES, hatch, hatchAgain } from "./hatching";
import type { Numbers } from "./geometry";
import type { Pictures } from "./images";

const META = 4;
const FULL = 2;
const INCREMENTAL = 3;
const CUSTOM = 5;
const MUTATION = 0;
const INTERACTION = 2;
const SCROLL = 3;
const VIEWPORT = 4;
const INPUT = 5;
const FOCUS = 5;
const BLUR = 6;

interface Change {
  id: number;
  parentId?: number;
}

/** As far as it is read here; the replayer reads the rest. */
interface Raw {
  type: number;
  timestamp: number;
  delay?: number;
  data: { source?: number; type?: number; id?: number; x?: number; y?: number; width?: number; height?: number; texts?: Change[]; attributes?: Change[]; removes?: Change[] };
}

/** What of rrweb's replayer is used beyond its types: an event takes effect at once, and none is kept. */
interface Casting {
  getCastFn(event: Raw, isSync: boolean): () => void;
}

export interface PlayerEvents {
  /** The picture can be shown: the replayer has built it. */
  drawn(): void;
  sized(width: number, height: number): void;
  /** Something did not fit what was there. */
  lost(): void;
}

export class Player {
  private readonly replayer: Replayer;
  private readonly startedMs = performance.now();
  private readonly baseMs = Date.now();
  private built = false;

  constructor(
    root: HTMLElement,
    private readonly events: PlayerEvents,
    private readonly pictures: Pictures,
    private readonly page: number,
  ) {
    this.replayer = new Replayer([{ type: CUSTOM, timestamp: this.baseMs, data: { tag: "", payload: null } }] as never, {
      root,
      liveMode: true,
      useVirtualDom: false,
      triggerFocus: false, // the focus belongs to whoever looks
      mouseTail: false,
      insertStyleRules: [...RULES],
      logger: { log: () => undefined, warn: () => this.events.lost() },
      plugins: [
        {
          onBuild: (node, { replayer }) => {
            hatch(node as Node, replayer.getMirror().getMeta(node as Node));
            pictures.show(node as Node, page);
          },
        },
      ],
    });
    this.frame.tabIndex = -1;
    this.frame.setAttribute("aria-hidden", "true");
    this.replayer.startLive(this.baseMs);
  }

  /** A whole picture was built. */
  get isBuilt(): boolean {
    return this.built;
  }

  get document(): Document | null {
    return this.replayer.iframe.contentDocument;
  }

  get numbers(): Numbers {
    return this.replayer.getMirror() as Numbers;
  }

  /** Throws on what is no event. */
  take(text: string): void {
    const event = JSON.parse(text) as Raw;
    if (typeof event.data !== "object" || event.data === null) throw new TypeError("no event");
    // When it was is the customer's clock; here it is now.
    event.timestamp = this.baseMs + Math.floor(performance.now() - this.startedMs);
    event.delay = event.timestamp - this.baseMs;
    if (event.type === INCREMENTAL && !this.built) return;
    if (event.type === INCREMENTAL && event.data.source === SCROLL) this.scroll(event);
    else this.cast(event);
    if (event.type === META || (event.type === INCREMENTAL && event.data.source === VIEWPORT)) this.events.sized(event.data.width ?? 0, event.data.height ?? 0);
    if (event.type === FULL) {
      this.built = true;
      this.events.drawn();
    }
  }

  /** Images have come. */
  illustrate(): void {
    const mirror = this.replayer.getMirror();
    for (const id of mirror.getIds()) this.pictures.show(mirror.getNode(id), this.page);
  }

  destroy(): void {
    this.replayer.destroy();
  }

  private get frame(): HTMLIFrameElement {
    return this.replayer.iframe;
  }

  private cast(event: Raw): void {
    (this.replayer as unknown as Casting).getCastFn(event, false)();
    if (event.type !== INCREMENTAL) return;
    const { source, texts = [], attributes = [], removes = [], id } = event.data;
    for (const one of attributes) this.pictures.show(this.numbers.getNode(one.id), this.page);
    if (source === MUTATION) hatchAgain([...texts.map((one) => one.id), ...attributes.map((one) => one.id), ...removes.map((one) => one.parentId ?? 0)], this.numbers);
    else if (source === INPUT && id !== undefined) hatchAgain([id], this.numbers);
    else if (source === INTERACTION && (event.data.type === FOCUS || event.data.type === BLUR)) this.focus(id, event.data.type === FOCUS);
  }

  /** At once: rrweb's own glides, and what is drawn over the page would lag behind. */
  private scroll({ data: { id = 0, x = 0, y = 0 } }: Raw): void {
    const node = this.numbers.getNode(id);
    if (node === null) return;
    const to = { left: x, top: y, behavior: "instant" } as const;
    if (node.nodeType === 9) (node as Document).defaultView?.scrollTo(to);
    else if (node.nodeType === 1) (node as Element).scrollTo(to);
  }

  private focus(id: number | undefined, on: boolean): void {
    const node = id === undefined ? null : this.numbers.getNode(id);
    if (node?.nodeType === 1) (node as Element).toggleAttribute(FOCUSED, on);
  }
}
