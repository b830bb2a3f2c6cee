/** Texts of others, before the customer reads them: what turns the order of letters round, cannot be seen, or steers could make them read as something else. */

const UNSEEN = /[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u00ad\u061c\u180e]|(?![\n\t])\p{Cc}/gu;

/** Without all of that. */
export function clean(text: string): string {
  return text.replace(UNSEEN, "").trim();
}

/** Whether there is nothing of it in a value; a line break and a tab are no matter. */
export function isClean(text: string): boolean {
  return text.replace(/\r\n?/g, "\n").search(UNSEEN) < 0;
}

/** The same words, with each name set apart, so that a name written from right to left turns nothing round but itself. */
export function apartFrom(text: string, names: readonly string[]): (Node | string)[] {
  const name = names[0];
  if (name === undefined) return [text];
  if (name === "") return apartFrom(text, names.slice(1));
  return text.split(name).flatMap((part, index) => {
    const made = apartFrom(part, names.slice(1));
    if (index === 0) return made;
    const own = document.createElement("bdi");
    own.append(name);
    return [own, ...made];
  });
}
