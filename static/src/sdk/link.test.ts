import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeSocket } from "./fakes";
import { GIVE_UP_MS, Link } from "./link";

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
