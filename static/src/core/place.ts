/** What survives a reload of this tab, and nothing longer: sessionStorage, emptied when the call or the login ends. */

const CALL = "tongping.place";
const DESK = "tongping.desk";

export interface Place {
  token: string;
  expiresAt: string;
  session: string;
  /** Which sources were on: they are switched on again, as far as their consents stand. */
  on: { camera: boolean; microphone: boolean };
}

export interface DeskPlace {
  token: string;
  expiresAt: string;
}

export const callPlace = shelf<Place>(CALL, ["token", "expiresAt", "session", "on"]);
export const deskPlace = shelf<DeskPlace>(DESK, ["token", "expiresAt"]);

interface Shelf<T> {
  keep(value: T): void;
  /** Null when there is none, when it is damaged, or when its token has expired. */
  recall(now?: number): T | null;
  clear(): void;
}

function shelf<T extends { expiresAt: string }>(name: string, fields: readonly (keyof T & string)[]): Shelf<T> {
  return {
    keep(value) {
      try {
        sessionStorage.setItem(name, JSON.stringify(value));
      } catch {
        // storage is forbidden: a reload will have to join again
      }
    },
    recall(now = Date.now()) {
      try {
        const value: unknown = JSON.parse(sessionStorage.getItem(name) ?? "null");
        if (typeof value !== "object" || value === null || !fields.every((field) => field in value)) return null;
        return Date.parse((value as T).expiresAt) > now ? (value as T) : null;
      } catch {
        return null;
      }
    },
    clear() {
      try {
        sessionStorage.removeItem(name);
      } catch {
        // see keep
      }
    },
  };
}
