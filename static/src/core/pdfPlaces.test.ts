import { describe, expect, it } from "vitest";
import { PAGE_GAP, boxOf, inside, mainPage, pagesNear, placeAt, roomToSign, rooms, scrollOf, scrollToBox, thinned, totalHeight } from "./pdfPlaces";
import type { Point } from "./pdfPlaces";

const A4 = [595, 842];
const ON_SIDE = [842, 595];
const all = rooms([A4, A4, ON_SIDE], 300);

describe("places", () => {
  it("lays pages of any shape one under the other, all as wide", () => {
    expect(all.map(({ width }) => width)).toEqual([300, 300, 300]);
    expect(all.map(({ height }) => height)).toEqual([425, 425, 212]);
    expect(all.map(({ top }) => top)).toEqual([PAGE_GAP, 2 * PAGE_GAP + 425, 3 * PAGE_GAP + 850]);
    expect(totalHeight(all)).toBe(4 * PAGE_GAP + 1062);
    expect(totalHeight([])).toBe(0);
  });

  it("finds the same place again at any width", () => {
    const other = rooms([A4, A4, ON_SIDE], 917);
    for (const scroll of [0, 5, 12, 100, 430, 437, 440, 600, 890]) {
      const place = placeAt(all, scroll);
      const there = placeAt(other, scrollOf(other, place));
      expect(there.page).toBe(place.page);
      expect(there.y).toBeCloseTo(place.y, 3);
    }
  });

  it("takes the gap between two pages for the top of the lower one, which keeps it", () => {
    expect(placeAt(all, 0)).toEqual({ page: 1, y: 0 });
    expect(placeAt(all, 440)).toEqual({ page: 2, y: 0 });
    expect(scrollOf(all, { page: 2, y: 0 })).toBe(437);
    expect(placeAt(all, 99_999)).toEqual({ page: 3, y: 1 });
    expect(placeAt([], 10)).toEqual({ page: 1, y: 0 });
  });

  it("keeps what was told from elsewhere within the document", () => {
    expect(scrollOf(all, { page: 99, y: 0 })).toBe(scrollOf(all, { page: 3, y: 0 }));
    expect(scrollOf(all, { page: -4, y: -1 })).toBe(0);
    expect(scrollOf(all, { page: 1, y: 7 })).toBe(PAGE_GAP + 425);
    expect(scrollOf([], { page: 1, y: 0.5 })).toBe(0);
  });

  it("draws only what is near, and knows the page that fills most of the view", () => {
    expect(pagesNear(all, 0, 200, 100)).toEqual([1]);
    expect(pagesNear(all, 0, 200, 300)).toEqual([1, 2]);
    expect(pagesNear(all, 880, 200, 0)).toEqual([3]);
    expect([mainPage(all, 0, 300), mainPage(all, 300, 300), mainPage(all, 800, 300), mainPage([], 0, 300)]).toEqual([1, 2, 3, 1]);
  });

  it("puts a box into the middle of the view", () => {
    const box = { x: 0.3, y: 0.5, width: 0.2, height: 0.1 };
    expect(scrollToBox(all, 2, box, 200)).toBeCloseTo(449 + 0.55 * 425 - 100);
    expect(scrollToBox(all, 1, { ...box, y: 0 }, 600)).toBe(0);
  });
});

describe("boxes", () => {
  it("are the same from any corner", () => {
    const box = { x: 0.2, y: 0.1, width: expect.closeTo(0.3) as number, height: expect.closeTo(0.5) as number };
    expect(boxOf([0.2, 0.1], [0.5, 0.6])).toEqual(box);
    expect(boxOf([0.5, 0.1], [0.2, 0.6])).toEqual(box);
  });

  it("have room for a signature and stay on the page", () => {
    expect(roomToSign({ x: 0.3, y: 0.7, width: 0.4, height: 0.08 }, A4)).toEqual({ x: 0.3, y: 0.7, width: 0.4, height: 0.08 });
    const clicked = roomToSign({ x: 0.99, y: 0.995, width: 0, height: 0 }, A4);
    expect(clicked.width * 595).toBeCloseTo(200, 0);
    expect(clicked.x + clicked.width).toBeLessThanOrEqual(1);
    expect(clicked.y + clicked.height).toBeLessThanOrEqual(1);
    const tiny = roomToSign({ x: 0, y: 0, width: 0, height: 0 }, [100, 50]);
    expect([tiny.width, tiny.height]).toEqual([1, 1]);
  });
});

describe("lines", () => {
  it("lose what is straight and keep bends and ends", () => {
    const corner: Point[] = [...Array.from({ length: 50 }, (_, n): Point => [n / 100, 0.5]), ...Array.from({ length: 50 }, (_, n): Point => [0.5, 0.5 + n / 200])];
    expect(thinned(corner, 200)).toEqual([[0, 0.5], [0.5, 0.5], [0.5, 0.745]]);
  });

  it("are no longer than wished", () => {
    const rough = Array.from({ length: 900 }, (_, n): Point => [n / 900, n % 2]);
    const short = thinned(rough, 200);
    expect(short).toHaveLength(200);
    expect([short[0], short.at(-1)]).toEqual([[0, 0], [0.9989, 1]]);
  });

  it("stay on the page", () => {
    expect(inside([-3, 1.2])).toEqual([0, 1]);
    expect(thinned([[0.123456, 2]], 10)).toEqual([[0.1235, 1]]);
  });
});
