/** Shows as hatched what the server has masked or left empty: a reader should see that something is hidden, not read five dots as words. */
import type { Numbers } from "./geometry";

/** What stands for masked words, as the server writes it (`server/cobrowse/net.py`). */
export const MASK = "•••••";

const MASKED = "data-tp-masked";
const EMPTY = "data-tp-empty";
export const FOCUSED = "data-tp-focused";

/** For every document of the replay and every shadow root. */
export const RULES: readonly string[] = [
  `[${MASKED}] { color: transparent !important; -webkit-text-fill-color: transparent !important; text-shadow: none !important; background-color: rgb(120 130 138 / 14%) !important; background-image: repeating-linear-gradient(135deg, rgb(70 82 92 / 38%) 0 2px, transparent 2px 7px) !important; }`,
  `[${EMPTY}] { min-height: 12px; min-width: 12px; background-color: rgb(120 130 138 / 22%) !important; background-image: repeating-linear-gradient(45deg, rgb(70 82 92 / 45%) 0 3px, transparent 3px 9px) !important; }`,
  `[${FOCUSED}] { outline: 2px solid #0e5a66 !important; outline-offset: 1px; }`,
  "* { caret-color: transparent !important; }",
];

interface Made {
  needBlock?: boolean;
}

/** A node of the replay as it was just built. `made`: what rrweb built it from. */
export function hatch(node: Node, made: unknown): void {
  if (node.nodeType === 3) look(node.parentElement);
  if (node.nodeType !== 1) return;
  const element = node as Element;
  if ((made as Made | null)?.needBlock === true) element.setAttribute(EMPTY, "");
  if (element.shadowRoot !== null && element.shadowRoot.querySelector(`style[${MASKED}]`) === null) {
    const style = element.ownerDocument.createElement("style");
    style.setAttribute(MASKED, "");
    style.textContent = RULES.join("\n");
    element.shadowRoot.append(style);
  }
  if (isField(element) || element.tagName === "OPTION") look(element);
}

/** After a change, the nodes that it was about. */
export function hatchAgain(ids: Iterable<number>, numbers: Numbers): void {
  for (const id of ids) {
    const node = numbers.getNode(id);
    if (node?.nodeType === 1) look(node as Element);
    else if (node?.nodeType === 3) look(node.parentElement);
  }
}

function isField(element: Element): element is HTMLInputElement | HTMLTextAreaElement {
  return element.tagName === "INPUT" || element.tagName === "TEXTAREA";
}

function look(element: Element | null): void {
  if (element === null || element.tagName === "STYLE") return;
  const masked = isMasked(element);
  if (masked !== element.hasAttribute(MASKED)) element.toggleAttribute(MASKED, masked);
  if (element.tagName === "OPTION") look(element.closest("select")); // what a closed list shows is one of its options
}

function isMasked(element: Element): boolean {
  if (isField(element)) return element.value === MASK || (element.value === "" && element.getAttribute("placeholder") === MASK);
  if (element.tagName === "SELECT") return element.getAttribute("value") === MASK || (element as HTMLSelectElement).selectedOptions[0]?.hasAttribute(MASKED) === true;
  return [...element.childNodes].some((one) => one.nodeType === 3 && one.nodeValue?.trim() === MASK);
}
