/** Numbers that identify somebody, found in words that a rule shows; server/cobrowse/net.py does the same once more. Cards and accounts of any kind, identity
 * cards (GB 11643-1999), mobile numbers, mail addresses, IBANs (ISO 13616). */

/** Stands for whatever was there, however long it was. */
export const MASK = "•••••";
const LONG_NUMBER = 9;
const MAX_LOOKED_AT = 65_536;
const BETWEEN = "[\\s.\\-_/·‐-―]{0,3}";
const DIGITS = new RegExp(`\\d(?:${BETWEEN}\\d)+`, "gu");
const MOBILE = /^(?:\+?86)?1[3-9]\d{9}$/;
const IDENTITY = new RegExp(`(?<!\\d)(?:\\d${BETWEEN}){17}[\\dXx](?![\\p{L}\\p{N}_])`, "u");
const MAIL = /[\p{L}\p{N}_.+-]\s?@\s?[\p{L}\p{N}_-]{1,63}(?:\s?\.\s?[\p{L}\p{N}_-]{1,63})/u;
const ACCOUNT = /(?<![A-Za-z])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])/;
const DAY = /^(?:19|20)\d\d[-./](?:0?[1-9]|1[0-2])[-./](?:0?[1-9]|[12]\d|3[01])(?:\s\d\d)?$/;
/** Digits of every script stand in runs of ten, zero first (Unicode, Nd). */
const DIGIT = /\p{Nd}/gu;

function plain(text: string): string {
  return text
    .normalize("NFKC")
    .replace(/[\p{Cf}\p{Mn}\p{Me}]/gu, "")
    .replace(DIGIT, (one) => {
      const code = one.codePointAt(0)!;
      if (code < 128) return one;
      let zero = code;
      while (code - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
      return String((code - zero) % 10);
    });
}

export function identifies(text: string): boolean {
  if (text.length > MAX_LOOKED_AT) return true;
  if (!/[\p{N}@＠﹫〇零一二三四五六七八九]/u.test(text)) return false;
  const made = plain(text);
  if (MAIL.test(made) || IDENTITY.test(made) || ACCOUNT.test(made)) return true;
  for (const [found] of made.matchAll(DIGITS)) {
    const digits = found.replace(/\D/g, "");
    if ((digits.length >= LONG_NUMBER && !DAY.test(found)) || MOBILE.test(digits)) return true;
  }
  return false;
}
