/** Addresses in what people write. Only plain http and https become links, and only where the host can be read as it is. */

export interface Piece {
  text: string;
  /** Set where the text is an address that may be opened. */
  href: string | null;
}

const ADDRESS = /https?:\/\/[^\s<>"'`\u3000-\u303f\uff00-\uffef]+/giu;
const TAIL = /[.,;:!?)\]}…]+$/u; // the sentence's, not the address's

/** The text in order, nothing lost. An address with signs outside ASCII in its host (they may look like others), or with a
 *  user name before the host, stays text. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let done = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const shown = match[0].replace(TAIL, "");
    const href = opened(shown);
    if (href === null) continue;
    if (match.index > done) found.push({ text: text.slice(done, match.index), href: null });
    found.push({ text: shown, href });
    done = match.index + shown.length;
  }
  if (done < text.length) found.push({ text: text.slice(done), href: null });
  return found;
}

function opened(shown: string): string | null {
  const host = /^https?:\/\/([^/?#\\]*)/i.exec(shown)?.[1] ?? "";
  if (!/^[a-z0-9.:[\]-]+$/i.test(host) || /(^|\.)xn--/i.test(host)) return null;
  return URL.canParse(shown) ? new URL(shown).href : null;
}
