/** Which attributes leave the page at all; server/cobrowse/allowed.py has the list that counts. What no list names stays here: addresses, titles, labels for
 * screen readers, data-*, event handlers. */

const words = (text: string): string[] => text.split(" ");

/** Of any element: how it looks and what it is, never what it says. */
const KEPT = new Set([
  ...words("class id style type autocomplete data-rr-is-password dir lang hidden tabindex role open inert popover width height align valign"),
  ...words("colspan rowspan scope span border cellpadding cellspacing reversed disabled readonly required multiple size rows cols wrap rel media for"),
  ...words("rr_width rr_height rr_scrollleft rr_scrolltop rr_open_mode _csstext contenteditable"),
  ...words("aria-hidden aria-expanded aria-disabled aria-busy aria-modal aria-required aria-readonly aria-haspopup aria-live aria-orientation"),
]);
/** What somebody has chosen: where words are shown. */
const STATES = new Set(words("aria-checked aria-selected aria-pressed aria-current aria-sort aria-invalid"));
/** How large a drawing is; its lines, where words are shown. */
const SHAPES = new Set(words("viewbox preserveaspectratio"));
const NEVER_DRAWN = /^(?:on|aria-|data-|xlink:(?!href$)|xml)|^(?:title|src|systemlanguage|requiredextensions)$/;
/** Shown as words, so masked like words. */
export const WORDS: ReadonlySet<string> = new Set(["placeholder", "label"]);
export const ENTERED: ReadonlySet<string> = new Set(["value", "checked", "selected"]);

export function isKept(name: string, svg: boolean, shown: boolean, asked: ReadonlySet<string>): boolean {
  if (KEPT.has(name) || asked.has(name)) return true;
  if (STATES.has(name)) return shown;
  if (!svg) return false;
  return SHAPES.has(name) || (shown && name !== "href" && name !== "xlink:href" && !NEVER_DRAWN.test(name));
}
