import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CALM_MS } from "../ui/dom";
import { EVERY_MS, Presence } from "./presence";

class Socket {
  static all: Socket[] = [];
  readyState = 0;
  sent: Record<string, unknown>[] = [];
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  constructor() {
    Socket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {
    this.readyState = 3;
  }
  opens(): void {
    this.readyState = 1;
    this.onopen?.();
  }
  says(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

const OFFER = { type: "site.offer", offer: "VI_o", name: "Li Wen", seconds: 60, bank_zh: "海川银行", bank_en: "Haichuan Bank" };
let shown: HTMLElement | null = null;
let accepted: string[] = [];
let step = "amount";
let presence: Presence;
const socket = (): Socket => Socket.all.at(-1)!;
const press = (words: string, trusted = true): void => {
  const found = [...(shown?.querySelectorAll("button") ?? [])].find((one) => one.textContent === words)!;
  const event = new MouseEvent("click", { bubbles: true });
  Object.defineProperty(event, "isTrusted", { value: trusted });
  found.dispatchEvent(event);
};
const answers = (): unknown[] => socket().sent.filter(({ type }) => type === "site.answer");

beforeEach(() => {
  vi.useFakeTimers();
  [Socket.all, shown, accepted, step] = [[], null, [], "amount"];
  presence = new Presence({
    site: "pk_x", url: "wss://x", visitor: "a".repeat(32), language: "en", at: () => ({ url: "https://b/x", step, errors: 1, dwell_s: Math.floor(performance.now()) }),
    accepted: (token) => void accepted.push(token), card: (element) => void (shown = element), announce: () => undefined, socket: () => new Socket() as unknown as WebSocket,
  });
  presence.start();
  socket().opens();
});
afterEach(() => {
  presence.stop();
  vi.useRealTimers();
});

describe("on the site", () => {
  it("says where the customer is, once for each place", async () => {
    expect(socket().sent.map(({ type }) => type)).toEqual(["site.hello", "site.at"]);
    await vi.advanceTimersByTimeAsync(2 * EVERY_MS);
    expect(socket().sent).toHaveLength(2);
    step = "recipient";
    presence.moved();
    expect(socket().sent.at(-1)).toMatchObject({ type: "site.at", step: "recipient", errors: 1 });
  });

  it("an offer is answered by the customer's own press alone, not by one that was on its way", async () => {
    socket().says(OFFER);
    expect(shown?.textContent).toContain("Li\u00a0Wen of Haichuan Bank offers to help");
    press("Yes, please");
    await vi.advanceTimersByTimeAsync(CALM_MS);
    press("Yes, please", false);
    expect(answers()).toEqual([]);
    press("Yes, please");
    expect(answers()).toEqual([{ type: "site.answer", offer: "VI_o", given: true }]);
    socket().says({ type: "site.accepted", token: "T" });
    expect([accepted, shown]).toEqual([["T"], null]);
  });

  it("a no puts it away, and so does its end", async () => {
    socket().says(OFFER);
    await vi.advanceTimersByTimeAsync(CALM_MS);
    press("No, thanks");
    expect([answers(), shown]).toEqual([[{ type: "site.answer", offer: "VI_o", given: false }], null]);
    socket().says({ ...OFFER, offer: "VI_p" });
    expect(shown).not.toBeNull();
    socket().says({ type: "site.withdrawn", late: false });
    expect(shown).toBeNull();
  });

  it("a name cannot turn the words round", () => {
    socket().says({ ...OFFER, name: "\u202eLi" });
    expect(shown?.querySelector("bdi")?.textContent).toBe("Li");
  });

  it("comes back when the line drops, unless it was told not to", async () => {
    socket().onclose?.();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(Socket.all).toHaveLength(2);
    socket().opens();
    socket().says({ type: "bye", code: "too_many", again: false });
    socket().onclose?.();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(Socket.all).toHaveLength(2);
  });
});
