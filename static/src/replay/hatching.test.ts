import { beforeEach, expect, it } from "vitest";
import { MASK, hatch, hatchAgain } from "./hatching";

const numbers = { getId: () => -1, getNode: (id: number) => nodes.get(id) ?? null };
let nodes: Map<number, Node>;

function built(html: string): HTMLElement {
  const root = document.createElement("div");
  root.innerHTML = html;
  const walk = (node: Node): void => {
    node.childNodes.forEach(walk);
    hatch(node, { needBlock: node instanceof Element && node.hasAttribute("rr_width") });
  };
  walk(root);
  return root;
}

const hatched = (root: ParentNode): string[] => [...root.querySelectorAll("[data-tp-masked], [data-tp-empty]")].map((one) => one.id);

beforeEach(() => {
  nodes = new Map();
});

it("hatches masked words and fields, and boxes that were left empty", () => {
  const root = built(
    `<p id="a">${MASK}</p><p id="b">words</p><input id="c" value="${MASK}"><input id="d" value=""><textarea id="e">${MASK}</textarea>` +
      `<input id="f" placeholder="${MASK}"><div id="g" rr_width="9px"></div><p id="h">${MASK} and words</p>`,
  );
  expect(hatched(root)).toEqual(["a", "c", "e", "f", "g"]);
});

it("hatches a closed list whose choice is masked", () => {
  expect(hatched(built(`<select id="s"><option id="o">${MASK}</option></select><select id="t"><option>words</option></select>`))).toEqual(["s", "o"]);
});

it("hatches a list whose choice is not told, also where its words may be read, and not one that has other words that are masked", () => {
  expect(hatched(built(`<select id="s" value="${MASK}"><option>words</option></select><select id="t" value="words"><option id="o">${MASK}</option><option selected>words</option></select>`))).toEqual(["s", "o"]);
});

it("looks again after a change", () => {
  const root = built(`<p id="a">${MASK}</p><input id="c" value="">`);
  const [words, paragraph, field] = [root.querySelector("p")?.firstChild, root.querySelector("p"), root.querySelector("input")];
  if (!words || !paragraph || !field) throw new Error("not built");
  nodes = new Map<number, Node>([[1, words], [2, paragraph], [3, field]]);
  words.nodeValue = "now it may be read";
  field.value = MASK;
  hatchAgain([1, 3, 99], numbers);
  expect(hatched(root)).toEqual(["c"]);
  words.nodeValue = MASK;
  field.value = "";
  hatchAgain([2, 3], numbers);
  expect(hatched(root)).toEqual(["a"]);
});
