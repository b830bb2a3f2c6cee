import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Proposal } from "./acts";
import { CALM_MS } from "./ui/dom";
import { Ghost } from "./ui/ghost";
import { sayIn } from "./words";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance", "requestAnimationFrame", "cancelAnimationFrame"] }));
afterEach(() => void vi.useRealTimers());

it("a press on Accept that was on its way when the card came does not count", () => {
  document.body.innerHTML = "<input><div></div>";
  const field = document.querySelector("input")!;
  const root = document.querySelector("div")!;
  const answers: boolean[] = [];
  const ghost = new Ghost(root, sayIn("en"), (accepted) => void answers.push(accepted), () => undefined);
  const proposal: Proposal = { act: "A1", viewer: { id: "P", name: "Li Wen", role: "agent", granted: [] }, field, value: "100", words: "100" };
  ghost.show(proposal);
  const press = (): void => {
    const event = new MouseEvent("click", { bubbles: true });
    Object.defineProperty(event, "isTrusted", { value: true });
    root.querySelector("button.main")!.dispatchEvent(event);
  };
  press();
  expect([answers, root.querySelector("bdi")!.textContent]).toEqual([[], "Li Wen"]);
  vi.advanceTimersByTime(CALM_MS);
  press();
  expect(answers).toEqual([true]);
  ghost.show(null);
});

it("whoever was at the card is led to the field, and nobody else is", () => {
  document.body.innerHTML = "<input><a href=#>else</a><div></div>";
  const [field, link, root] = [document.querySelector("input")!, document.querySelector("a")!, document.querySelector("div")!];
  const ghost = new Ghost(root, sayIn("en"), () => undefined, () => undefined);
  const proposal: Proposal = { act: "A1", viewer: { id: "P", name: "Li Wen", role: "agent", granted: [] }, field, value: "100", words: "100" };
  ghost.show(proposal);
  link.focus();
  ghost.show(null);
  expect(document.activeElement).toBe(link);
  ghost.show(proposal);
  root.querySelector("button")!.focus();
  ghost.show(null);
  expect(document.activeElement).toBe(field);
});
