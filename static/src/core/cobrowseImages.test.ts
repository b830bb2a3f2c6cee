import { describe, expect, it } from "vitest";
import type { ViewAsset } from "../cobrowse.gen";
import { Images, MAX_IMAGE_CHARS } from "./cobrowseImages";

const chunk = (asset: number, n: number, data: string, last: boolean, part: Partial<ViewAsset> = {}): ViewAsset => ({ type: "view.asset", page: 1, asset, kind: "image/webp", n, data, last, ...part });

describe("images of the page", () => {
  it("are put together and kept", () => {
    const images = new Images();
    expect(images.take(chunk(3, 1, "AA", false))).toBeNull();
    expect(images.take(chunk(3, 2, "BB", true))).toEqual({ page: 1, asset: 3, data: "AABB" });
    expect(images.all).toEqual([{ page: 1, asset: 3, data: "AABB" }]);
  });

  it("begin anew, and are none with a part missing, of another kind or too long", () => {
    const images = new Images();
    images.take(chunk(3, 1, "AA", false));
    expect(images.take(chunk(3, 1, "CC", true))?.data).toBe("CC");
    images.take(chunk(4, 1, "AA", false));
    expect(images.take(chunk(4, 3, "BB", true))).toBeNull();
    images.take(chunk(4, 1, "AA", false));
    expect(images.take(chunk(5, 2, "BB", true))).toBeNull();
    expect(images.take(chunk(6, 1, "AA", true, { kind: "image/svg+xml" }))).toBeNull();
    expect(images.take(chunk(7, 1, "A".repeat(MAX_IMAGE_CHARS + 1), true))).toBeNull();
    images.take(chunk(8, 1, "AA", false));
    images.reset();
    expect(images.take(chunk(8, 2, "BB", true))).toBeNull();
    expect(images.all.map(({ asset }) => asset)).toEqual([3]);
  });

  it("go with the page, and with what may be seen", () => {
    const images = new Images();
    images.take(chunk(3, 1, "AA", true));
    images.take(chunk(4, 1, "BB", true, { page: 2 }));
    expect(images.all).toEqual([{ page: 2, asset: 4, data: "BB" }]);
    images.forget();
    expect(images.all).toEqual([]);
  });
});
