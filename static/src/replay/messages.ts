/** What the page of the workbench and the frame with the replay say to each other, over one `MessagePort`. */
import type { Mark, MarkKind, Spot } from "../cobrowse.gen";

/** What the pointer does in the picture; `none`: nothing. */
export type Tool = "none" | "point" | MarkKind | "scroll" | "fill" | "click";
export const PICKING: ReadonlySet<Tool> = new Set(["highlight", "scroll", "fill", "click"]);
export const DRAWING: ReadonlySet<Tool> = new Set(["box", "arrow", "ink"]);

/** `fit`: as wide as there is room, never larger than it is. */
export type Zoom = "fit" | number;

/** Of the one who points or draws: `colour` 0 is one's own. */
export interface Hand {
  viewer: string;
  name: string;
  colour: number;
}

export interface FrameWords {
  picture: string;
  surface: string;
}

/** To the frame. `pointer`: where one's own pointer is, is said. `wrong`: fields in error; `show`: brings one into view. */
export type ToFrame =
  | { do: "event"; text: string; page: number; begins: boolean }
  | { do: "image"; page: number; asset: number; data: string }
  | { do: "forget" }
  | { do: "zoom"; zoom: Zoom }
  | { do: "tool"; tool: Tool; pointer: boolean }
  | { do: "drawn"; marks: readonly Mark[]; pointers: readonly { viewer: string; at: Spot }[]; hands: readonly Hand[]; wrong: readonly number[] }
  | { do: "show"; node: number }
  | { do: "words"; words: FrameWords; language: string; dir: string };

/** A node that was picked. `kind`: what it is in the customer's page; `what`: the words on it. */
export interface Picked {
  node: number;
  kind: "field" | "control" | "other";
  what: string;
}

/** From the frame. `lost`: an event did not fit; a new picture is needed. `wrong`: those of the fields in error that are in the picture. */
export type FromFrame =
  | { say: "ready" }
  | { say: "drawn"; page: number }
  | { say: "lost" }
  | { say: "scale"; scale: number }
  | { say: "point"; page: number; at: Spot | null }
  | { say: "marked"; page: number; kind: MarkKind; spots: readonly Spot[] }
  | { say: "picked"; page: number; tool: Tool; picked: Picked }
  | { say: "wrong"; fields: readonly Picked[] }
  | { say: "escape" };

/** The one message that is no port's: it brings the port. */
export const HELLO = "tongping.replay";
