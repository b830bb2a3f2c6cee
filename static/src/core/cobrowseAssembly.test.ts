import { describe, expect, it } from "vitest";
import type { ViewDom } from "../cobrowse.gen";
import { Assembly, MAX_EVENT_CHARS } from "./cobrowseAssembly";

const chunk = (n: number, text: string, part: Partial<ViewDom> = {}): ViewDom => ({ type: "view.dom", page: 1, n, text, last: true, picture: false, ...part });
const begun = (): Assembly => {
  const assembly = new Assembly();
  assembly.take(chunk(1, "P", { picture: true }));
  return assembly;
};

describe("events of a page", () => {
  it("are whole with their last chunk", () => {
    const assembly = new Assembly();
    expect(assembly.take(chunk(1, '{"a', { last: false, picture: true }))).toBe("more");
    expect(assembly.take(chunk(1, '":1}', { picture: true }))).toEqual({ page: 1, text: '{"a":1}', begins: true });
    expect(assembly.take(chunk(2, "B"))).toEqual({ page: 1, text: "B", begins: false });
  });

  it("are nothing before the first picture", () => {
    const assembly = new Assembly();
    expect([assembly.take(chunk(1, "A")), assembly.take(chunk(7, "B"))]).toEqual(["skipped", "skipped"]);
    expect(assembly.take(chunk(8, "P", { picture: true }))).toMatchObject({ begins: true });
    expect(assembly.take(chunk(9, "C"))).toMatchObject({ text: "C" });
  });

  it("are lost with one that is missing, which is told once, and come again with a picture", () => {
    const assembly = begun();
    expect(assembly.take(chunk(3, "C"))).toBe("lost");
    expect([assembly.take(chunk(4, "D")), assembly.take(chunk(6, "E"))]).toEqual(["skipped", "skipped"]);
    expect(assembly.take(chunk(9, "P", { picture: true, page: 2 }))).toEqual({ page: 2, text: "P", begins: true });
    expect(assembly.take(chunk(10, "F", { page: 2 }))).toMatchObject({ text: "F" });
  });

  it("that were cut off in the middle are given up for the next", () => {
    const assembly = begun();
    expect(assembly.take(chunk(2, "B", { last: false }))).toBe("more");
    expect(assembly.take(chunk(3, "C"))).toBe("lost");
    const other = begun();
    expect(other.take(chunk(2, "B", { last: false }))).toBe("more");
    expect(other.take(chunk(5, "P", { picture: true }))).toMatchObject({ begins: true, text: "P" });
  });

  it("of two pages are not put together", () => {
    const assembly = begun();
    assembly.take(chunk(2, "B", { last: false }));
    expect(assembly.take(chunk(2, "b", { page: 2 }))).toBe("lost");
  });

  it("beyond what a page may have are not kept", () => {
    const assembly = begun();
    const large = "x".repeat(MAX_EVENT_CHARS / 4);
    const taken = Array.from({ length: 5 }, () => assembly.take(chunk(2, large, { last: false })));
    expect(taken.slice(0, 4)).toEqual(["more", "more", "more", "more"]);
    expect(taken[4]).toBe("lost");
    expect(assembly.take(chunk(2, "rest"))).toBe("skipped");
  });

  it("of another connection count from 1 again", () => {
    const assembly = begun();
    assembly.take(chunk(2, "B"));
    assembly.reset();
    expect(assembly.take(chunk(1, "P", { picture: true }))).toMatchObject({ text: "P", begins: true });
    expect(assembly.take(chunk(2, "B"))).toMatchObject({ text: "B" });
  });
});
