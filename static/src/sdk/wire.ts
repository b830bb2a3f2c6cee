/** The frames between the page and the server; server/cobrowse/messages.py says what they mean. */
import type { TabHello, TabMessage, ToTab } from "../cobrowse.gen";

export function readFrame(data: unknown): ToTab | null {
  if (typeof data !== "string") return null;
  try {
    const found: unknown = JSON.parse(data);
    return typeof found === "object" && found !== null && "type" in found && typeof found.type === "string" ? (found as ToTab) : null;
  } catch {
    return null;
  }
}

export type ToServer = Exclude<TabMessage, TabHello>;
