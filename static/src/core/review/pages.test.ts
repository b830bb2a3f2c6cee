import { describe, expect, it } from "vitest";
import { ApiError } from "../problems";
import { PagePlayback } from "./pages";
import type { KeptState } from "./pages";
import type { PageTrack } from "./timeline";

const TRACK: PageTrack = { id: "page-SH_1", participant: "PA_c", spans: [{ fromMs: 1_000, toMs: 4_000 }, { fromMs: 6_000, toMs: 9_000 }] };
const state = (change: Partial<KeptState> = {}): KeptState => ({ type: "kept.state", state: "sharing", shown: true, hidden: false, front: true, page: 1, name: "transfer", step: "", errors: 0, viewers: [], ...change });
const dom = (n: number, text: string, picture = false) => ({ type: "view.dom", page: 1, n, text: JSON.stringify(text), last: true, picture });
const mark = (id: string) => ({ type: "mark", id, page: 1, kind: "highlight", spots: [{ node: 5, x: 0.5, y: 0.5 }], viewer: "PA_a" });

type Told = [number, object];
const STORY: Told[] = [
  [900, state({ shown: false, page: 0 })],
  [1_000, { type: "kept.begin", state: state(), marks: [] }],
  [1_000, dom(1, "meta", true)],
  [1_001, dom(2, "picture")],
  [2_000, dom(3, "change one")],
  [2_500, mark("m1")],
  [2_600, { type: "pointer", page: 1, at: { node: 5, x: 0, y: 0 }, viewer: "PA_a" }],
  [3_000, dom(4, "change two")],
  [3_200, { type: "kept.act", viewer: "PA_a", page: 1, node: 7, kind: "fill", outcome: "done" }],
  [4_000, { type: "kept.paused" }],
  [6_000, { type: "kept.begin", state: state(), marks: [mark("m2")] }],
  [6_000, dom(1, "meta again", true)],
  [6_001, dom(2, "picture again")],
  [7_000, dom(3, "change three")],
  [9_000, state({ shown: false, state: "paused", page: 0 })],
];

/** A server that begins at the last picture before the time. */
function bench(atMs = 0, story: readonly Told[] = STORY) {
  const opened: number[] = [];
  const seen: string[] = [];
  let fails = 0;
  let failure = new Error("offline");
  let nowMs = 0;
  const open = async (_track: string, fromMs: number): Promise<ReadableStream<Uint8Array>> => {
    opened.push(fromMs);
    if (fails > 0) {
      fails -= 1;
      throw failure;
    }
    const first = story.findLastIndex(([ms, line]) => ms <= fromMs && "marks" in line);
    const text = story
      .slice(Math.max(0, first))
      .map(([ms, line]) => `${JSON.stringify({ at_us: ms * 1000, begins: "marks" in line, line })}\n`)
      .join("");
    const bytes = new TextEncoder().encode(text);
    return new ReadableStream({
      start(to) {
        for (let place = 0; place < bytes.length; place += 97) to.enqueue(bytes.slice(place, place + 97)); // lines come in pieces
        to.close();
      },
    });
  };
  let answer: Promise<void> = Promise.resolve();
  const slow = () => {
    let go = (): void => undefined;
    answer = new Promise((resolve) => (go = resolve));
    return go;
  };
  const opening: typeof open = async (track, fromMs) => {
    const stream = await open(track, fromMs);
    await answer;
    return stream;
  };
  const page = new PagePlayback(TRACK, opening, () => nowMs);
  page.seek(atMs);
  const stop = page.read({ event: ({ text, begins }) => seen.push(begins ? `> ${JSON.parse(text)}` : (JSON.parse(text) as string)), image: ({ asset, data }) => seen.push(`image ${asset} ${data}`), forget: () => seen.push("forget") });
  const settle = async () => {
    for (let turn = 0; turn < 500; turn += 1) await Promise.resolve();
  };
  const to = async (ms: number) => {
    page.seek(ms);
    await settle();
  };
  return { page, seen, opened, to, stop, slow, fail: (times: number, why = failure) => {
      fails = times;
      failure = why;
    }, later: (ms: number) => (nowMs += ms) };
}

describe("a shared page out of a recording", () => {
  it("shows each change at its time", async () => {
    const { page, seen, opened, to } = bench();
    await to(0);
    expect(page.standing.value).toBe("none");
    await to(1_500);
    expect(seen).toEqual(["> meta", "picture"]);
    expect(page.standing.value).toBe("seen");
    await to(2_700);
    expect(seen.at(-1)).toBe("change one");
    expect(page.marks.value.map(({ id }) => id)).toEqual(["m1"]);
    expect(page.pointers.value.get("PA_a")).toEqual({ node: 5, x: 0, y: 0 });
    await to(3_300);
    expect(page.act.value?.kind).toBe("fill");
    await to(4_500);
    expect(seen.at(-1)).toBe("forget");
    expect(page.standing.value).toBe("none");
    expect(page.act.value).toBeNull();
    await to(7_500);
    expect(seen.slice(-3)).toEqual(["> meta again", "picture again", "change three"]);
    expect(page.marks.value.map(({ id }) => id)).toEqual(["m2"]);
    await to(9_500);
    expect(page.standing.value).toBe("paused");
    expect(opened).toEqual([0]);
  });

  it("goes back to the last picture before", async () => {
    const { page, seen, opened, to } = bench();
    await to(7_500);
    seen.length = 0;
    await to(2_200);
    expect(opened).toEqual([0, 2_200]);
    expect(seen).toEqual(["> meta", "picture", "change one"]);
    expect(page.marks.value).toEqual([]);
    seen.length = 0;
    await to(5_000);
    await to(500);
    expect(seen).toContain("forget");
    expect(page.standing.value).toBe("none");
  });

  it("shows nothing of another time while it loads", async () => {
    const { page, opened, to, slow } = bench();
    await to(7_500);
    const go = slow();
    for (const ms of [3_300, 3_310, 3_320]) await to(ms);
    expect(opened).toEqual([0, 3_300]);
    expect([page.standing.value, page.second.value]).toEqual(["loading", -1]);
    go();
    await to(3_330);
    expect([page.standing.value, page.second.value]).toEqual(["seen", 3]);
    expect(page.act.value?.kind).toBe("fill");
    const back = slow();
    await to(2_000);
    expect(page.act.value).toBeNull(); // it is later than this
    back();
    await to(2_000);
    expect(page.standing.value).toBe("seen");
  });

  it("begins at a picture when it is opened in the middle", async () => {
    const { page, opened, to, seen } = bench(7_200);
    await to(7_200);
    expect(page.standing.value).toBe("seen");
    expect(seen).toEqual(["> meta again", "picture again", "change three"]);
    expect(opened).toEqual([7_200]);
  });

  it("says that it loads to a player that stands", async () => {
    const { page, slow } = bench(1_500);
    slow();
    page.again();
    expect([page.standing.value, page.second.value]).toEqual(["loading", -1]);
  });

  it("does not ask again where the answer stays what it is", async () => {
    const { page, to, fail, later, opened } = bench(1_500);
    fail(1, new ApiError("gone", ""));
    page.again();
    await to(1_500);
    later(60_000);
    await to(1_500);
    expect([page.standing.value, opened.length]).toEqual(["failed", 2]);
  });

  it("tries again where the stream breaks, and says so when that does not help", async () => {
    const { page, to, fail, later, seen } = bench();
    await to(0);
    fail(3);
    await to(7_000);
    await to(1_500); // back: a new stream, which fails
    for (let turn = 0; turn < 3; turn += 1) {
      later(2_000);
      await to(1_500);
    }
    expect(page.standing.value).toBe("failed");
    seen.length = 0;
    page.again();
    await to(1_500);
    expect(page.standing.value).toBe("seen");
    expect(seen).toEqual(["> meta", "picture"]);
  });
});
