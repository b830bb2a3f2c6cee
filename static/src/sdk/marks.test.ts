import { afterEach, expect, it, vi } from "vitest";
import type { Mark } from "../cobrowse.gen";
import { Marks } from "./ui/marks";

afterEach(() => void vi.unstubAllGlobals());

it("marks that do not move cost one look at each element, and are not drawn anew", () => {
  const box = { left: 0, top: 0, right: 100, bottom: 20, width: 100, height: 20, x: 0, y: 0, toJSON: () => null };
  const looks = vi.spyOn(Element.prototype, "getBoundingClientRect").mockImplementation(() => box);
  const frames: (() => void)[] = [];
  vi.stubGlobal("requestAnimationFrame", (run: () => void) => frames.push(run));
  const layer = document.createElement("div");
  const marks = new Marks({ layer, node: () => document.body, page: () => 1, viewer: () => ({ id: "P", name: "L", role: "agent", granted: ["view", "point"] }) });
  const mark = (id: string, nodes: number[]): Mark => ({ type: "mark", id, page: 1, kind: "ink", viewer: "P", spots: nodes.map((node, index) => ({ node, x: index / 256, y: 0.5 })) });
  for (let index = 0; index < 200; index += 1) marks.mark(mark(`m${index}`, new Array<number>(256).fill(1)));
  marks.mark(mark("over many", [1, 2]));
  looks.mockClear();
  frames.at(-1)!();
  expect(looks).toHaveBeenCalledTimes(1);
  expect(layer.querySelectorAll("path.mark")).toHaveLength(200);
  const drawn = vi.spyOn(Element.prototype, "setAttribute");
  frames.at(-1)!();
  expect(drawn).not.toHaveBeenCalled();
  box.left = 5;
  frames.at(-1)!();
  expect(drawn.mock.calls.filter(([name]) => name === "d")).toHaveLength(200);
});
