/** The second file, loaded once somebody may look: the recorder, handed to the script that asked for it and to nobody else. */
import { record } from "@rrweb/record";

const asked = document.currentScript as (HTMLScriptElement & { tongping?: (given: typeof record) => void }) | null;
asked?.tongping?.(record);
