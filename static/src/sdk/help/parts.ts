/** What the third file offers, and what it is given. Types only: the first file has nothing of it until it is loaded. */
import type { SiteAt, Viewer } from "../../cobrowse.gen";
import type { Masking } from "../masking";
import type { Language } from "../words";

export interface CardDeps {
  language: Language;
  /** What stands at the edge; null: nothing. */
  card(element: HTMLElement | null): void;
  /** For those who hear the page. */
  announce(text: string): void;
}

export interface PresenceDeps extends CardDeps {
  site: string;
  url: string;
  visitor: string;
  at(): Omit<SiteAt, "type">;
  /** There is a share for this tab. */
  accepted(token: string): void;
  socket?: (url: string) => WebSocket;
}

export interface CallDeps extends CardDeps {
  viewer: Viewer;
  bank: string;
  seconds: number;
  answer(given: boolean): void;
}

export interface PresencePart {
  start(): void;
  stop(): void;
  /** The customer is at another step. */
  moved(): void;
}

export interface CallPart {
  link(url: string): void;
  close(): void;
}

/** "What the agent sees". */
export interface SeenPart {
  readonly on: boolean;
  turn(on: boolean): void;
}

export interface HelpFile {
  presence(deps: PresenceDeps): PresencePart;
  call(deps: CallDeps): CallPart;
  /** `nothing`: whether nothing of the page is shown at all. */
  seen(layer: HTMLElement, masking: Masking, nothing: () => boolean): SeenPart;
}
