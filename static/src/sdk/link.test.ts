import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { TabDom } from "../cobrowse.gen";
import { FakeSocket } from "./fakes";
import { GIVE_UP_MS, Link, MOST_AHEAD } from "./link";

let heard: string[];
let link: Link;
const last = (): FakeSocket => FakeSocket.all.at(-1)!;

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  heard = [];
  link = new Link(
    "wss://x",
    () => ({ type: "tab.hello", site: "pk_x", token: "T", tab: "t", page: 1 }),
    { message: ({ type }) => void heard.push(type), cut: () => void heard.push("cut"), over: (code) => void heard.push(`over ${code}`) },
    FakeSocket.make,
  );
  link.start();
});
afterEach(() => {
  link.close();
  vi.useRealTimers();
});

describe("the line", () => {
  it("greets first and sends nothing before", () => {
    expect(link.send({ type: "tab.front" })).toBe(false);
    last().opens();
    expect(last().sent).toEqual([{ type: "tab.hello", site: "pk_x", token: "T", tab: "t", page: 1 }]);
    expect(link.send({ type: "tab.front" })).toBe(true);
    last().says({ type: "picture.want" });
    last().says("no frame");
    last().says({ type: 5 });
    expect(heard).toEqual(["picture.want"]);
  });

  describe("with a page behind", () => {
    const dom = (n: number, text = "x".repeat(48 * 1024)): TabDom => ({ type: "tab.dom", page: 1, n, text, last: true });
    const types = (): string[] => last().sent.map(({ type }) => type);
    /** As a browser on a slow line: it holds what it was given until `takes`. */
    const slow = (): FakeSocket => {
      const socket = last();
      const send = socket.send.bind(socket);
      socket.send = (text) => {
        send(text);
        socket.bufferedAmount += text.length;
      };
      socket.opens();
      socket.bufferedAmount = 0;
      return socket;
    };
    const takes = (socket: FakeSocket): void => {
      socket.bufferedAmount = 0;
      vi.advanceTimersByTime(20);
    };

    it("says what the customer takes back before all of the page that waits, and holds little in the socket", () => {
      const socket = slow();
      for (let n = 1; n <= 20; n += 1) {
        expect(link.send(dom(n))).toBe(true);
        expect(socket.bufferedAmount).toBeLessThanOrEqual(MOST_AHEAD);
      }
      link.send({ type: "tab.step", step: "two", errors: 0, dwell_s: 0 });
      link.send({ type: "tab.pause", paused: true });
      link.send({ type: "tab.take" });
      expect(types()).toEqual(["tab.hello", "tab.dom", "tab.pause", "tab.take"]);
      expect(link.waiting).toBeGreaterThan(19 * 48 * 1024);
      for (let times = 0; times < 20; times += 1) takes(socket);
      expect(socket.of("tab.dom").map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
      expect(types().at(-1)).toBe("tab.step");
      socket.bufferedAmount = 0;
      expect(link.waiting).toBe(0);
    });

    it("says nothing of the page after a stop, nor on another line", () => {
      const first = slow();
      for (let n = 1; n <= 5; n += 1) link.send(dom(n));
      first.drops();
      vi.advanceTimersByTime(1000);
      expect(link.waiting).toBe(0);
      const second = slow();
      expect(second.sent).toHaveLength(1);
      for (let n = 1; n <= 5; n += 1) link.send(dom(n));
      link.part({ type: "tab.stop" });
      for (let times = 0; times < 5; times += 1) takes(second);
      expect(types()).toEqual(["tab.hello", "tab.dom", "tab.stop"]);
      expect(first.of("tab.dom")).toHaveLength(1);
    });

    it("lets a chunk go that is larger, alone, and all at once where nobody sees the page", () => {
      const socket = slow();
      for (const n of [1, 2]) link.send(dom(n, "x".repeat(2 * MOST_AHEAD)));
      expect(socket.of("tab.dom")).toHaveLength(1);
      takes(socket);
      expect(socket.of("tab.dom")).toHaveLength(2);
      const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
      for (const n of [3, 4, 5]) link.send(dom(n));
      expect(socket.of("tab.dom")).toHaveLength(5);
      hidden.mockRestore();
    });
  });

  it("comes back after a cut, greets again, and says once that it is cut", () => {
    last().opens();
    last().says({ type: "picture.want" });
    last().drops();
    expect(link.send({ type: "tab.front" })).toBe(false);
    for (let times = 0; times < 3; times += 1) {
      vi.advanceTimersByTime(9000);
      last().drops();
    }
    expect(FakeSocket.all.length).toBeGreaterThan(3);
    vi.advanceTimersByTime(9000);
    last().opens();
    expect(last().sent).toHaveLength(1);
    last().says({ type: "picture.want" });
    expect(heard).toEqual(["picture.want", "cut", "picture.want"]);
  });

  it("gives up after a minute", () => {
    last().opens();
    last().says({ type: "picture.want" });
    last().drops();
    for (let at = 0; at < GIVE_UP_MS; at += 1000) {
      vi.advanceTimersByTime(1000);
      if (last().readyState !== WebSocket.CLOSED) last().drops();
    }
    vi.advanceTimersByTime(GIVE_UP_MS);
    expect(heard.at(-1)).toBe("over unreachable");
    const tried = FakeSocket.all.length;
    vi.advanceTimersByTime(GIVE_UP_MS);
    expect(FakeSocket.all).toHaveLength(tried);
  });

  it("is over when the server says so, and comes back when it says that", () => {
    last().opens();
    last().says({ type: "bye", code: "restarting", again: true });
    vi.advanceTimersByTime(1000);
    expect(FakeSocket.all).toHaveLength(2);
    last().opens();
    last().says({ type: "bye", code: "ended", again: false });
    vi.advanceTimersByTime(GIVE_UP_MS);
    expect(FakeSocket.all).toHaveLength(2);
    expect(heard.at(-1)).toBe("over ended");
  });

  it("a socket that was left says nothing any more", () => {
    const first = last();
    first.opens();
    first.drops();
    vi.advanceTimersByTime(1000);
    first.says({ type: "picture.want" });
    expect(heard).not.toContain("picture.want");
  });
});
