/** What of the page may leave it readable. Everything is masked unless a rule shows it; passwords, one-time codes, cards, hidden fields and files never are. */
import { identifies, MASK } from "./net";
import { Level, type Page, UNKNOWN_PAGE } from "./rules";
import { above } from "./selectors";

export type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

const NEVER_TYPES = new Set(["password", "hidden", "file"]);
const NEVER_AUTOCOMPLETE = /one-time-code|current-password|new-password|cc-[a-z-]+|webauthn/;
/** What pages call a password or a code that they show: as server/cobrowse/allowed.py has it. */
const NEVER_NAMES = [
  /pass(?!port|eng|age|ion|ive|ing|ed)|pwd|cvv|cvc|kennwort|密码|验证码|口令|动态码|密碼|驗證碼|校验码|安全码|mima(?![a-z])|yzm(?![a-z])|captcha|(?:sms|verif(?:y|ication)|valid(?:ate|ation)?|auth(?:entication)?|security|check|dynamic)[-_]?code/i,
  /(?:(?<![A-Za-z])(?:[Pp]in|[Oo]tp)|(?<=[a-z])(?:Pin|Otp)|(?<![A-Z])(?:PIN|OTP))(?![a-z])/,
];
const NO_WORDS = new Set(["checkbox", "radio", "button", "submit", "reset", "image"]);
const BUTTONS = new Set(["button", "submit", "reset"]);

/** Also of another document, where `instanceof` does not hold. */
export function isElement(node: Node | null | undefined): node is Element {
  return node?.nodeType === Node.ELEMENT_NODE;
}

export function isField(node: Node | null): node is Field {
  return isElement(node) && ["input", "textarea", "select"].includes(node.localName);
}

/** It can be written in as in a field: what stands there the customer has entered. */
function isEditable(element: Element): boolean {
  return /^(?:true|plaintext-only)?$/i.test((element.getAttribute("contenteditable") ?? "no").trim());
}

/** Well-formed, as half a character cannot be sent. */
export function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}

export class Masking {
  private at: Page = UNKNOWN_PAGE;
  private levels = new WeakMap<Element, Level>();
  private readonly secret = new WeakSet<Element>();
  /** Of fields that were secret once: they may come again as other elements, as frameworks make them. */
  private readonly names = new Set<string>();

  get page(): Page {
    return this.at;
  }

  /** Of another address, or other rules. */
  begin(page: Page): void {
    this.at = page;
    this.forget();
  }

  /** The page may have changed since it was last asked. */
  forget(): void {
    this.levels = new WeakMap();
  }

  level(element: Element): Level {
    const known = this.levels.get(element);
    if (known !== undefined) return known;
    const up = above(element);
    let found: Level;
    if (element.ownerDocument !== document) found = Level.Sealed; // rules speak of the page, not of another that stands in it
    else found = this.at.level(element, up === null ? Level.Masked : this.level(up));
    if (found > Level.Sealed && isEditable(element) && !this.at.fits("values", element)) found = Level.Sealed; // what is entered there is a value
    this.levels.set(element, found);
    return found;
  }

  /** Whether an empty box stands in its place, or nothing. */
  isBlocked(element: Element): boolean {
    return this.level(element) <= Level.Blocked;
  }

  /** Whether words that stand right in the element may be read. */
  mayShow(element: Element | null): boolean {
    return element !== null && element.isConnected && this.level(element) === Level.Shown;
  }

  /** Once it was a password or the like, it stays one. */
  isSensitive(element: Element): boolean {
    if (this.secret.has(element)) return true;
    const type = (element.getAttribute("type") ?? "").trim().toLowerCase();
    const autocomplete = element.getAttribute("autocomplete") ?? "";
    const never = NEVER_TYPES.has(type);
    let found = element.hasAttribute("data-rr-is-password") || type === "password" || NEVER_AUTOCOMPLETE.test(autocomplete.toLowerCase());
    if (!isField(element)) return found || never;
    if (!NO_WORDS.has(type)) {
      const called = [element.getAttribute("name") ?? "", element.id].filter((one) => one !== "");
      found ||= [...called, autocomplete].some((one) => NEVER_NAMES.some((names) => names.test(one)));
      if (found) for (const one of called) this.names.add(one);
      else found = called.some((one) => this.names.has(one));
    }
    if (found || never) this.secret.add(element);
    return found || never;
  }

  /** Whether the picture that stands there may be seen. */
  mayPicture(image: Element): boolean {
    return this.at.fits("images", image) && this.level(image) > Level.Sealed;
  }

  mayShowValue(element: Element): boolean {
    const field = element.localName === "option" ? element.closest("select") : element;
    return field !== null && this.at.fits("values", field) && !this.isSensitive(field) && this.level(element) > Level.Sealed;
  }

  /** Whether others may know of a field that it is wrong: they read its words, or what is entered there. */
  mayName(field: Element): boolean {
    return !this.isSensitive(field) && (this.mayShow(field) || this.mayShowValue(field));
  }

  /** Words between tags. Blanks stay: they say how the page looks. */
  text(text: string, element: Element | null): string {
    if (text.trim() === "") return text === "" ? "" : " ";
    if (element !== null && element.localName === "textarea") return this.value(text, element);
    return this.mayShow(element) && !identifies(text) ? wellFormed(text) : MASK;
  }

  /** What is entered in a field, or stands on a button. */
  value(text: string, element: Element): string {
    if (text === "") return "";
    const button = element.localName === "button" || (element.localName === "input" && BUTTONS.has((element.getAttribute("type") ?? "").toLowerCase()));
    const readable = button ? this.mayShow(element) : this.mayShowValue(element);
    return readable && !identifies(text) ? wellFormed(text) : MASK;
  }
}
