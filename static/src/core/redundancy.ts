/** Sending a voice with redundancy (RED, RFC 2198) or without, without a word to the relay: both were agreed on once, and a browser
 *  sends what stands first in the answer that it was given. Chromium (156) takes `audio/red` in `setParameters` and goes on as before,
 *  so the answer is put into that order and applied once more. Pure. */

/** The answer with RED before or behind Opus in the section `mid`; as it is where it has no RED. */
export function ordered(answer: string, mid: string, redundant: boolean): string {
  return answer
    .split(/^(?=m=)/m)
    .map((section) => (new RegExp(`^a=mid:${mid}\\r?$`, "m").test(section) ? inOrder(section, redundant) : section))
    .join("");
}

function inOrder(section: string, redundant: boolean): string {
  const red = /^a=rtpmap:(\d+) red\/48000/im.exec(section)?.[1];
  if (red === undefined) return section;
  return section.replace(/^(m=audio \d+ \S+) ([\d ]+)/, (_line, head: string, numbers: string) => {
    const others = numbers.trim().split(" ").filter((number) => number !== red);
    return `${head} ${(redundant ? [red, ...others] : [...others, red]).join(" ")}`;
  });
}
