import { beforeEach, describe, expect, it, vi } from "vitest";
import { Keeping } from "./keeping";

/** Channels of one browser: what one says all others hear. */
class Channels {
  private readonly all: BroadcastChannel[] = [];
  make(): BroadcastChannel {
    const channel = { onmessage: null as ((event: { data: unknown }) => void) | null, postMessage: (data: unknown): void => this.all.forEach((one) => one !== (channel as unknown) && one.onmessage?.({ data } as MessageEvent)) };
    this.all.push(channel as unknown as BroadcastChannel);
    return channel as unknown as BroadcastChannel;
  }
}

let channels: Channels;
beforeEach(() => {
  sessionStorage.clear();
  channels = new Channels();
});
const copy = (): Storage => {
  const made = new Map(Object.entries({ ...sessionStorage }));
  return { getItem: (key: string) => made.get(key) ?? null, setItem: (key: string, value: string) => void made.set(key, value), removeItem: (key: string) => void made.delete(key) } as unknown as Storage;
};

describe("what a tab keeps", () => {
  it("a document after the first has the token, the tab's name and the next number", () => {
    const first = new Keeping("pk_x", sessionStorage, null);
    expect([first.token, first.nextPage()]).toEqual(["", 1]);
    first.keep({ token: "T", page: 1 });
    first.leave();
    const second = new Keeping("pk_x", sessionStorage, null);
    expect([second.token, second.tab === first.tab, second.nextPage()]).toEqual(["T", true, 2]);
    expect(new Keeping("pk_other", sessionStorage, null).token).toBe("");
  });

  it("a tab that is duplicated is another one", () => {
    const first = new Keeping("pk_x", sessionStorage, null);
    first.keep({ token: "T", page: 1 });
    const duplicate = new Keeping("pk_x", copy(), null);
    expect([duplicate.token, duplicate.tab === first.tab]).toEqual(["T", false]);
  });

  it("is nothing once the share is over, and what is broken counts as nothing", () => {
    const first = new Keeping("pk_x", sessionStorage, null);
    first.keep({ token: "T", page: 1 });
    first.over();
    first.leave();
    expect(new Keeping("pk_x", sessionStorage, null).token).toBe("");
    for (const broken of ["{", "null", '{"token":1,"page":1}', '{"token":"T","page":0}', '{"token":"","page":1}']) {
      sessionStorage.setItem("tongping:pk_x", broken);
      expect(new Keeping("pk_x", sessionStorage, null).token, broken).toBe("");
    }
  });

  it("does without a browser that keeps anything", () => {
    const broken = { getItem: () => { throw new DOMException("no"); }, setItem: () => { throw new DOMException("no"); }, removeItem: () => undefined } as unknown as Storage;
    const kept = new Keeping("pk_x", broken, null);
    kept.keep({ token: "T", page: 1 });
    expect([kept.token, kept.nextPage()]).toEqual(["T", 2]);
  });
});

describe("tabs of one site", () => {
  it("a second one takes part, with a number of its own, and hears when it is over", () => {
    const first = new Keeping("pk_x", sessionStorage, channels.make());
    first.keep({ token: "T", page: 4 });
    const second = new Keeping("pk_x", copy(), channels.make());
    const other = new Keeping("pk_x", null, channels.make());
    other.onShare = vi.fn();
    other.onOver = vi.fn();
    other.ask();
    expect([other.token, other.nextPage()]).toEqual(["T", 5]);
    expect(other.onShare).toHaveBeenCalledExactlyOnceWith("T");
    expect([second.nextPage(), first.nextPage()]).toEqual([6, 7]);
    first.over();
    expect([other.token, second.token]).toEqual(["", ""]);
    expect(other.onOver).toHaveBeenCalledOnce();
  });

  it("what is said of another share, or is no word of ours, changes nothing", () => {
    const channel = channels.make();
    const first = new Keeping("pk_x", sessionStorage, channels.make());
    first.keep({ token: "T", page: 4 });
    first.onShare = vi.fn();
    for (const word of [{ kind: "share", token: "U", page: 9 }, { kind: "over", token: "U" }, { kind: "share", token: 1, page: 1 }, { kind: "x" }]) channel.postMessage(word);
    expect([first.token, first.nextPage()]).toEqual(["T", 5]);
    expect(first.onShare).not.toHaveBeenCalled();
  });
});
