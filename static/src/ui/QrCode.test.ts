import { describe, expect, it } from "vitest";
import { qrPath } from "./QrCode";

const dark = (path: string): Set<string> => new Set([...path.matchAll(/M(\d+) (\d+)h1v1h-1z/g)].map((found) => `${found[1]},${found[2]}`));

describe("a QR code", () => {
  const { path, side } = qrPath("https://bank.example/j/x7Qk2mVd9TzLr4WbYc8NsA");

  it("has a side that the standard knows, and nothing in the quiet zone", () => {
    expect((side - 8 - 17) % 4).toBe(0);
    for (const module of dark(path)) {
      for (const place of module.split(",").map(Number)) {
        expect(place).toBeGreaterThanOrEqual(4);
        expect(place).toBeLessThan(side - 4);
      }
    }
  });

  it("has the three marks in its corners", () => {
    const modules = dark(path);
    for (const [column, row] of [
      [4, 4],
      [side - 11, 4],
      [4, side - 11],
    ] as const) {
      for (let step = 0; step < 7; step += 1) {
        expect(modules.has(`${column + step},${row}`)).toBe(true);
        expect(modules.has(`${column},${row + step}`)).toBe(true);
      }
      expect(modules.has(`${column + 1},${row + 1}`)).toBe(false);
      expect(modules.has(`${column + 3},${row + 3}`)).toBe(true);
    }
  });
});
