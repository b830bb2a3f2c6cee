/** The third file, loaded where the site tells who is on it, when somebody wants to talk, or to see what the agent sees: handed to the script that asked for it and to nobody else. */
import { CallCard } from "./help/call";
import { Presence } from "./help/presence";
import type { HelpFile } from "./help/parts";
import { Seen } from "./ui/seen";

const asked = document.currentScript as (HTMLScriptElement & { tongping?: (given: HelpFile) => void }) | null;
asked?.tongping?.({ presence: (deps) => new Presence(deps), call: (deps) => new CallCard(deps), seen: (layer, masking, nothing) => new Seen(layer, masking, nothing) });
