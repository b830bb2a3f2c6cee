import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ClientBody, HandoverOffered, SessionView } from "../protocol.gen";
import { MOST_OFFERS, Offers } from "./handover";

const view = (id: string): SessionView => ({ id }) as SessionView;
const offered = (id: string, part: Partial<HandoverOffered> = {}): HandoverOffered => ({
  type: "handover.offered",
  session: view(id),
  from_name: "Ann",
  warm: true,
  note: "card",
  lost: false,
  expires_at: new Date(Date.now() + 30_000).toISOString(),
  ...part,
});

let sent: ClientBody[];
let up: boolean;

function begin(): Offers {
  return new Offers({
    send: (body) => {
      if (up) sent.push(body);
      return up;
    },
  });
}
const ids = (offers: Offers): string[] => offers.list.value.map(({ session }) => session.id);

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime("2026-01-01T00:00:00Z");
  sent = [];
  up = true;
});
afterEach(() => {
  vi.useRealTimers();
});

describe("offers at a desk", () => {
  it("stand until they run out", () => {
    const offers = begin();
    expect(offers.handle(offered("SE_1"))).toBe(true);
    expect(offers.list.value).toEqual([{ session: view("SE_1"), fromName: "Ann", warm: true, note: "card", lost: false, fromMs: Date.now(), untilMs: Date.now() + 30_000 }]);
    vi.advanceTimersByTime(29_999);
    expect(ids(offers)).toEqual(["SE_1"]);
    vi.advanceTimersByTime(1);
    expect(ids(offers)).toEqual([]);
  });

  it("count by the server's clock, and one that came too late is not shown", () => {
    const offers = begin();
    offers.clock.told(new Date(Date.now() + 60_000).toISOString());
    offers.handle(offered("SE_1"));
    expect(ids(offers)).toEqual([]);
    offers.handle(offered("SE_1", { expires_at: new Date(Date.now() + 90_000).toISOString() }));
    expect(offers.list.value[0]?.untilMs).toBe(Date.now() + 30_000);
  });

  it("are replaced by a newer one of the same conversation, withdrawn, and forgotten with the connection", () => {
    const offers = begin();
    offers.handle(offered("SE_1"));
    offers.handle(offered("SE_2", { lost: true }));
    offers.handle(offered("SE_1", { note: "newer" }));
    expect(offers.list.value.map(({ session, note }) => `${session.id} ${note}`)).toEqual(["SE_2 card", "SE_1 newer"]);
    offers.handle({ type: "handover.withdrawn", session: "SE_2" });
    offers.handle({ type: "handover.withdrawn", session: "SE_unknown" });
    expect(ids(offers)).toEqual(["SE_1"]);
    offers.anew();
    expect(ids(offers)).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    expect(offers.handle({ type: "waiting.list", entries: [] })).toBe(false);
  });

  it("are no more than a desk can look at", () => {
    const offers = begin();
    for (let n = 0; n <= MOST_OFFERS; n += 1) offers.handle(offered(`SE_${n}`));
    expect(ids(offers)).toHaveLength(MOST_OFFERS);
    expect(ids(offers)[0]).toBe("SE_1");
    expect(vi.getTimerCount()).toBe(MOST_OFFERS);
  });

  it("are declined with one word", () => {
    const offers = begin();
    offers.handle(offered("SE_1"));
    offers.decline("SE_1");
    expect(ids(offers)).toEqual([]);
    expect(sent).toEqual([{ type: "handover.answer", session: "SE_1", accepted: false }]);
  });
});

describe("accepting an offer", () => {
  it("gives the place in it", async () => {
    const offers = begin();
    offers.handle(offered("SE_1"));
    const place = offers.accept("SE_1");
    expect(ids(offers)).toEqual(["SE_1"]); // until it is certain
    const taken = { type: "handover.taken", session: view("SE_1"), token: "t" } as const;
    offers.handle(taken);
    await expect(place).resolves.toEqual(taken);
    expect(ids(offers)).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    expect(offers.handle(taken)).toBe(true); // nobody asks any more
  });

  it("fails when somebody else was faster, or it is over", async () => {
    const offers = begin();
    const fails = async (how: () => void, code: string): Promise<void> => {
      offers.handle(offered("SE_1"));
      const place = offers.accept("SE_1");
      const failed = expect(place).rejects.toMatchObject({ code });
      how();
      await failed;
      expect(ids(offers)).toEqual([]);
    };
    await fails(() => offers.refused("conflict", "", { type: "handover.answer", session: "SE_1", accepted: true }), "conflict");
    await fails(() => offers.handle({ type: "handover.withdrawn", session: "SE_1" }), "gone");
    await fails(() => offers.close(), "offline");
  });

  it("fails without a connection, without an answer, and when it is asked twice", async () => {
    const offers = begin();
    up = false;
    await expect(offers.accept("SE_1")).rejects.toMatchObject({ code: "offline" });
    up = true;
    const late = expect(offers.accept("SE_1")).rejects.toMatchObject({ code: "offline" });
    await vi.advanceTimersByTimeAsync(10_000);
    await late;
    const first = expect(offers.accept("SE_1")).rejects.toMatchObject({ code: "conflict" });
    const second = offers.accept("SE_1");
    await first;
    const taken = { type: "handover.taken", session: view("SE_1"), token: "t" } as const;
    offers.handle(taken);
    await expect(second).resolves.toEqual(taken);
  });

  it("is no other message's business", () => {
    const offers = begin();
    offers.handle(offered("SE_1"));
    offers.refused("conflict", "", { type: "waiting.take", session: "SE_1" });
    offers.refused("conflict", "", null);
    expect(ids(offers)).toEqual(["SE_1"]);
  });
});
