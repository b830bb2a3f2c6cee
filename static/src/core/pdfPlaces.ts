/** Where things are on the pages of a PDF that is looked at together: a place is a page and a part of its height, the same on every screen. Pure. */

/** Between two pages and around them, in pixels. */
export const PAGE_GAP = 12;

/** `page` from 1; `y`: what part of its height is above the top of the view. */
export interface Place {
  page: number;
  y: number;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export type Point = readonly [number, number];

/** One page as it is laid out: its top and size in pixels. */
export interface PageRoom {
  top: number;
  width: number;
  height: number;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** All pages one under the other, `width` pixels wide each, whatever their own size. */
export function rooms(sizes: readonly (readonly number[])[], width: number): PageRoom[] {
  let top = PAGE_GAP;
  return sizes.map(([across = 1, down = 1]) => {
    const room = { top, width, height: Math.round((width * down) / Math.max(across, 1)) };
    top += room.height + PAGE_GAP;
    return room;
  });
}

export function totalHeight(all: readonly PageRoom[]): number {
  const last = all.at(-1);
  return last === undefined ? 0 : last.top + last.height + PAGE_GAP;
}

/** What stands at the top of a view that is scrolled so far. Between two pages it is the top of the lower one. */
export function placeAt(all: readonly PageRoom[], scrollTop: number): Place {
  const index = all.findIndex((room) => scrollTop < room.top + room.height);
  const at = index === -1 ? all.length - 1 : index;
  const room = all[at];
  if (room === undefined) return { page: 1, y: 0 };
  return { page: at + 1, y: round(clamp((scrollTop - room.top) / room.height, 0, 1)) };
}

/** How far a view is scrolled that has this place at its top. The top of a page keeps the gap above it. */
export function scrollOf(all: readonly PageRoom[], { page, y }: Place): number {
  const room = all[clamp(page, 1, all.length) - 1];
  if (room === undefined) return 0;
  return y <= 0 ? room.top - PAGE_GAP : room.top + clamp(y, 0, 1) * room.height;
}

/** How far to scroll so that this box of a page is in the middle of a view so high. */
export function scrollToBox(all: readonly PageRoom[], page: number, box: Box, viewHeight: number): number {
  const room = all[clamp(page, 1, all.length) - 1];
  if (room === undefined) return 0;
  return Math.max(0, room.top + (box.y + box.height / 2) * room.height - viewHeight / 2);
}

/** The pages to be drawn: those in view, and `spare` pixels above and below. From 1. */
export function pagesNear(all: readonly PageRoom[], scrollTop: number, viewHeight: number, spare: number): number[] {
  return all.flatMap((room, index) => (room.top + room.height >= scrollTop - spare && room.top <= scrollTop + viewHeight + spare ? [index + 1] : []));
}

/** The page that fills most of the view. */
export function mainPage(all: readonly PageRoom[], scrollTop: number, viewHeight: number): number {
  const seen = all.map((room) => Math.min(room.top + room.height, scrollTop + viewHeight) - Math.max(room.top, scrollTop));
  return seen.indexOf(Math.max(...seen, -Infinity)) + 1 || 1;
}

/** Four digits: finer than any screen, short on the wire. */
export function round(part: number): number {
  return Math.round(part * 10_000) / 10_000;
}

export function inside([x, y]: Point): [number, number] {
  return [round(clamp(x, 0, 1)), round(clamp(y, 0, 1))];
}

export function boxOf([ax, ay]: Point, [bx, by]: Point): Box {
  return { x: Math.min(ax, bx), y: Math.min(ay, by), width: Math.abs(ax - bx), height: Math.abs(ay - by) };
}

/** At least as large as a signature needs, at most the page, and within it. */
export function roomToSign(box: Box, [across = 595, down = 842]: readonly number[]): Box {
  const least = { width: Math.min(1, 60 / across), height: Math.min(1, 24 / down) };
  const usual = { width: Math.min(1, 200 / across), height: Math.min(1, 64 / down) };
  const small = box.width < least.width || box.height < least.height;
  const [width, height] = small ? [usual.width, usual.height] : [Math.min(1, box.width), Math.min(1, box.height)];
  const [x, y] = small ? [box.x + box.width / 2 - width / 2, box.y + box.height / 2 - height / 2] : [box.x, box.y];
  return { x: round(clamp(x, 0, 1 - width)), y: round(clamp(y, 0, 1 - height)), width: round(width), height: round(height) };
}

/** The same line in at most so many points: ends and bends are kept (Douglas and Peucker), then what is left is taken evenly. */
export function thinned(points: readonly Point[], most: number, tolerance = 0.001): [number, number][] {
  return evenly(bends(evenly(points, 4 * most), tolerance), most).map(inside); // finding bends takes the square of their number at worst
}

function evenly(points: readonly Point[], most: number): readonly Point[] {
  if (points.length <= most) return points;
  return Array.from({ length: most }, (_, index) => points[Math.round((index * (points.length - 1)) / (most - 1))]).filter((point) => point !== undefined);
}

function bends(points: readonly Point[], tolerance: number): Point[] {
  const keep = new Set([0, points.length - 1]);
  const open: [number, number][] = [[0, points.length - 1]];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    const [from, to] = part;
    let [furthest, distance] = [-1, tolerance];
    for (let index = from + 1; index < to; index += 1) {
      const away = distanceTo(points[index], points[from], points[to]);
      if (away > distance) [furthest, distance] = [index, away];
    }
    if (furthest === -1) continue;
    keep.add(furthest);
    open.push([from, furthest], [furthest, to]);
  }
  return points.filter((_, index) => keep.has(index));
}

function distanceTo(point: Point = [0, 0], from: Point = [0, 0], to: Point = [0, 0]): number {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const long = Math.hypot(dx, dy);
  if (long === 0) return Math.hypot(point[0] - from[0], point[1] - from[1]);
  return Math.abs(dx * (from[1] - point[1]) - dy * (from[0] - point[0])) / long;
}
