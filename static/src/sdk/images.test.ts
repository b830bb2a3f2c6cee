import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AssetPut, PageRules } from "../cobrowse.gen";
import { Images } from "./images";
import { Masking } from "./masking";
import { Rules } from "./rules";
import type { Json } from "./scrub";

const URL_ = "https://bank.example/";
const rules: PageRules = { url: URL_, name: "x", show: [], values: [], mask: [".hidden"], block: [], click: [], images: ["#logo", ".art img"], pause: false };
const here = (path: string): string => new URL(path, document.baseURI).href;

let masking: Masking;
let images: Images;
let sent: AssetPut[];
let recording: boolean;
let waiting: number;
let broken: boolean;

beforeEach(() => {
  document.body.innerHTML = '<img id="logo"><img id="other"><div class="art"><img id="art"></div><div class="hidden art"><img id="masked"></div>';
  masking = new Masking();
  masking.begin(new Rules([rules]).page(URL_));
  [sent, recording, waiting, broken] = [[], true, 0, false];
  images = new Images(
    { masking, page: () => 1, send: (message) => sent.push(message) > 0, waiting: () => waiting },
    {
      get recording() {
        return recording;
      },
      node: (id) => document.querySelectorAll("img")[id - 1] ?? null,
    },
  );
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue({ drawImage: () => undefined } as unknown as never);
  vi.spyOn(HTMLCanvasElement.prototype, "toBlob").mockImplementation((done) => {
    if (broken) throw new DOMException("tainted", "SecurityError");
    done(new Blob([new Uint8Array(70_000)], { type: "image/png" }));
  });
});
afterEach(() => vi.restoreAllMocks());

const image = (id: string): HTMLImageElement => document.getElementById(id) as HTMLImageElement;
function put(id: string, src: unknown): unknown {
  const made: Json = {};
  if (typeof src === "string") {
    image(id).setAttribute("src", src);
    for (const [name, value] of [["complete", true], ["naturalWidth", 40], ["naturalHeight", 30], ["currentSrc", image(id).src]] as const) Object.defineProperty(image(id), name, { value, configurable: true });
  }
  images.put(made, src, image(id));
  return made["rr_asset"];
}
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve));
};

describe("images", () => {
  it("have a number in place of their address where a rule names them, the same for the same", () => {
    expect(put("logo", here("/a.png?token=s3cret"))).toBe("1");
    expect(put("art", here("/b.png"))).toBe("2");
    expect(put("logo", here("/b.png"))).toBe("2");
    expect(put("other", here("/a.png"))).toBeUndefined();
    expect(put("masked", here("/a.png"))).toBeUndefined();
  });

  it.each(["https://elsewhere.example/a.png", "data:image/png;base64,AA==", "blob:https://bank.example/1", "javascript:1", "", "http://"])("have none of another origin or kind: %s", (src) => {
    expect(put("logo", src)).toBeUndefined();
    expect(put("art", here("/b.png"))).toBe("1");
    expect(put("art", src)).toBeNull();
  });

  it("leave in chunks that can be put together", async () => {
    put("logo", here("/a.png"));
    images.need({ type: "asset.need", page: 1, node: 1, asset: 1 });
    await settle();
    expect(sent.map(({ n, last }) => [n, last])).toEqual([[1, false], [2, true]]);
    expect(sent.map(({ data }) => atob(data).length)).toEqual([36_000, 34_000]);
    expect(new Set(sent.map(({ sha256 }) => sha256)).size).toBe(1);
  });

  it.each([
    ["of another page", { page: 2, node: 1, asset: 1 }],
    ["of another number", { page: 1, node: 1, asset: 2 }],
    ["of an image that no rule names", { page: 1, node: 2, asset: 1 }],
    ["of what is masked", { page: 1, node: 4, asset: 1 }],
    ["of nothing", { page: 1, node: 99, asset: 1 }],
  ])("nothing leaves %s", async (_, need) => {
    for (const id of ["logo", "other", "masked"]) put(id, here("/a.png"));
    images.need({ type: "asset.need", ...need });
    await settle();
    expect(sent).toEqual([]);
  });

  it("nothing leaves of what cannot be read, is another by then, or is not wanted any more", async () => {
    put("logo", here("/a.png"));
    const need = { type: "asset.need", page: 1, node: 1, asset: 1 } as const;
    broken = true;
    images.need(need);
    await settle();
    broken = false;
    recording = false; // it waits
    images.need(need);
    await settle();
    images.stop();
    recording = true;
    await new Promise((resolve) => setTimeout(resolve, 60));
    image("logo").setAttribute("src", here("/c.png"));
    images.need(need);
    await settle();
    expect(sent).toEqual([]);
  });
});
