import { expect, it, vi } from "vitest";
import type { PageRules } from "../cobrowse.gen";
import { Masking } from "./masking";
import { Rules } from "./rules";
import { hiddenAreas } from "./ui/seen";

const URL_ = "https://bank.example/";
const rules: PageRules = { url: URL_, name: "x", show: ["main"], values: ["#open"], mask: [".hidden"], block: [], click: [], images: [".seen"], pause: false };

function isHatched(html: string): boolean {
  document.body.innerHTML = `<main>${html}</main>`;
  for (const image of document.querySelectorAll("img")) Object.defineProperty(image, "currentSrc", { value: image.src });
  const masking = new Masking();
  masking.begin(new Rules([rules]).page(URL_));
  return hiddenAreas(masking).length > 0;
}

it("hatches what nobody else sees, and no picture that they do", () => {
  const box = { left: 0, top: 0, right: 10, bottom: 10, width: 10, height: 10 } as DOMRect;
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue(box);
  Range.prototype.getClientRects = () => [box] as unknown as DOMRectList;
  expect(isHatched('<img class="seen" src="/a.png">')).toBe(false);
  expect(isHatched('<picture><img class="seen" src="/a.png"></picture>')).toBe(false);
  expect(isHatched('<img src="/a.png">')).toBe(true);
  expect(isHatched('<img class="seen hidden" src="/a.png">')).toBe(true);
  expect(isHatched('<img class="seen" src="https://elsewhere.example/a.png">')).toBe(true);
  expect(isHatched("<p>words</p>")).toBe(false);
  expect(isHatched("<p contenteditable>typed</p>")).toBe(true);
  expect(isHatched("<p contenteditable=false>words</p>")).toBe(false);
  expect(isHatched("<p contenteditable id=open>typed</p>")).toBe(false);
});
