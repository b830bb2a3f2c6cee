import { beforeEach, expect, it } from "vitest";
import { Follow, OWN_MS, TELL_MS } from "./pdfFollow";

const at = (page: number, y = 0) => ({ page, y });
let follow: Follow;

beforeEach(() => {
  follow = new Follow();
});

it("tells one's own place at once, then no more often than that, the last one in the end", () => {
  expect(follow.scrolled(0, at(1, 0.1))).toEqual(at(1, 0.1));
  expect([follow.scrolled(10, at(1, 0.2)), follow.scrolled(20, at(1, 0.3))]).toEqual([null, null]);
  expect(follow.deadline).toBe(TELL_MS);
  expect(follow.tick(TELL_MS - 1)).toEqual({ tell: null, go: null });
  expect(follow.tick(TELL_MS)).toEqual({ tell: at(1, 0.3), go: null });
  expect(follow.deadline).toBeNull();
});

it("tells the same place once", () => {
  follow.scrolled(0, at(2, 0.5));
  expect(follow.scrolled(500, at(2, 0.5004))).toBeNull();
  expect(follow.deadline).toBeNull();
});

it("goes at once where somebody else looks", () => {
  expect(follow.looked(0, at(3, 0.2))).toEqual(at(3, 0.2));
  expect(follow.deadline).toBeNull();
});

it("is not pulled away while one scrolls, but a moment later", () => {
  follow.scrolled(0, at(1, 0.1));
  expect(follow.looked(100, at(4))).toBeNull();
  expect(follow.looked(200, at(5))).toBeNull();
  expect(follow.deadline).toBe(OWN_MS);
  expect(follow.tick(OWN_MS - 1).go).toBeNull();
  expect(follow.tick(OWN_MS).go).toEqual(at(5));
  expect(follow.deadline).toBeNull();
});

it("leads again by scrolling on: what the others said before is over", () => {
  follow.scrolled(0, at(1, 0.1));
  follow.looked(100, at(4));
  expect(follow.scrolled(200, at(1, 0.2))).toEqual(at(1, 0.2));
  expect(follow.tick(10_000)).toEqual({ tell: null, go: null });
});

it("leads with a place that waited to be told when another one came", () => {
  follow.scrolled(0, at(1, 0.1));
  follow.scrolled(10, at(1, 0.2));
  follow.looked(20, at(4));
  expect(follow.tick(TELL_MS)).toEqual({ tell: at(1, 0.2), go: null });
  expect(follow.deadline).toBeNull();
});

it("tells a place again after somebody else has led", () => {
  follow.scrolled(0, at(1, 0.1));
  follow.looked(OWN_MS, at(4));
  expect(follow.scrolled(OWN_MS + 1, at(1, 0.1))).toEqual(at(1, 0.1));
});
