/** What a viewer may do with an element at all, whatever was granted: the same as the server says in server/cobrowse/gate.py, judged from the page itself. */
import { type Field, isElement, isField, type Masking } from "./masking";
import { Level } from "./rules";
import { above } from "./selectors";

const TYPED = new Set(["", "range", "color", "text", "search", "tel", "url", "email", "number", "date", "time", "datetime-local", "month", "week"]);
const TICKED = new Set(["checkbox", "radio"]);
const PRESSED = new Set(["button", "checkbox", "radio", ...TYPED]);

const typeOf = (element: Element): string => (element.getAttribute("type") ?? "").trim().toLowerCase();

/** What is there to be seen and used by anybody who looks at the page. */
export function isUsable(element: Element): boolean {
  if (!element.isConnected || element.closest("[inert]") !== null || element.matches(":disabled, fieldset[disabled] *")) return false;
  const rectangle = element.getBoundingClientRect();
  if (rectangle.width < 1 || rectangle.height < 1) return false;
  if (typeof element.checkVisibility === "function" && !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
  return true;
}

const CONTROLS = "button, a, summary, [role=button], [role=link], [role=tab], [role=menuitem], [role=option], [role=switch]";

/** Whether nothing else lies over the middle of it, once it is in view: what cannot be hit cannot be seen. */
export function isOnTop(element: Element): boolean {
  if (isShutOut(element)) return false;
  const root = element.getRootNode() as Document | ShadowRoot;
  if (typeof root.elementFromPoint !== "function") return true;
  const { left, top, width, height } = element.getBoundingClientRect();
  const found = root.elementFromPoint(left + width / 2, top + height / 2);
  if (found === null) return false;
  if (found === element || element.contains(found) || found.localName === "tongping-share") return true;
  return found === element.closest(CONTROLS) || (isField(element) && [...(element.labels ?? [])].some((one) => one.contains(found) && !one.contains(element)));
}

/** A modal dialog stands before it. */
function isShutOut(element: Element): boolean {
  let modal: Element[];
  try {
    modal = [...document.querySelectorAll(":modal")];
  } catch {
    return false; // a browser that knows no such dialog
  }
  if (modal.length === 0) return false;
  for (let up: Element | null = element; up !== null; up = above(up)) if (modal.includes(up)) return false;
  return true;
}

export function mayFill(node: Node | null, masking: Masking): node is Field {
  if (!isField(node) || masking.isSensitive(node) || !masking.mayShowValue(node)) return false;
  if (node.localName === "input" && !TYPED.has(typeOf(node))) return false;
  return !("readOnly" in node && node.readOnly) && isUsable(node);
}

export function mayScroll(node: Node | null, masking: Masking): node is Element {
  return isElement(node) && node.isConnected && masking.level(node) > Level.Sealed;
}

/** Never what submits, opens a file, downloads, runs an address or leads away from the bank's own pages; also not by a label, or by what lies in or around it. */
export function mayClick(node: Node | null, masking: Masking): node is HTMLElement {
  if (!isElement(node) || !("click" in node) || !isUsable(node)) return false;
  const field = isField(node) && node.localName === "input";
  const ticked = field && TICKED.has(typeOf(node));
  if (masking.level(node) !== Level.Shown && !(field && masking.level(node) > Level.Sealed && masking.mayShowValue(node))) return false;
  if (ticked ? !masking.mayShowValue(node) : !isNamed(node, masking)) return false;
  for (let up: Element | null = node; up !== null; up = above(up)) if (!isHarmless(up)) return false;
  return true;
}

/** What its script does only the bank knows, so only what the bank's rules name is pressed. */
function isNamed(element: Element, masking: Masking): boolean {
  return masking.page.fits("click", element);
}

function isHarmless(element: Element): boolean {
  switch (element.localName) {
    case "label":
    case "option":
    case "select":
    case "iframe":
    case "object":
    case "embed":
      return false;
    case "button":
      return typeOf(element) === "button" && !element.hasAttribute("formaction");
    case "input":
      return PRESSED.has(typeOf(element));
    case "area":
    case "a":
      return !element.hasAttribute("href") || leadsHere(element as HTMLAnchorElement);
    default:
      return true;
  }
}

function leadsHere(link: HTMLAnchorElement): boolean {
  if (link.hasAttribute("download") || link.hasAttribute("ping")) return false;
  try {
    const to = new URL(link.href, document.baseURI);
    return (to.protocol === "https:" || to.protocol === "http:") && to.origin === location.origin;
  } catch {
    return false;
  }
}
