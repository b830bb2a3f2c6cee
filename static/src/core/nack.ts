/** Lost voices are sent again: a line in our own description that no browser writes of itself and Chromium and Safari honour. Pure. */

/** The description with `a=rtcp-fb:<opus> nack` (RFC 4585 §4.2) in each audio section that has Opus. */
export function withVoicesRepeated(sdp: string): string {
  const sections = sdp.split(/^(?=m=)/m);
  return sections.map((section) => (section.startsWith("m=audio ") ? repeated(section) : section)).join("");
}

function repeated(section: string): string {
  let changed = section;
  for (const [line, number] of section.matchAll(/^a=rtpmap:(\d+) opus\/48000[^\r\n]*\r?\n/gim)) {
    if (number === undefined || new RegExp(`^a=rtcp-fb:(?:${number}|\\*) nack\\r?$`, "m").test(section)) continue;
    changed = changed.replace(line, `${line}a=rtcp-fb:${number} nack${line.endsWith("\r\n") ? "\r\n" : "\n"}`);
  }
  return changed;
}

interface Describes {
  createOffer(): Promise<RTCSessionDescriptionInit>;
  setLocalDescription(description: RTCLocalSessionDescriptionInit): Promise<void>;
}

/** Describe ourselves, with repeated voices where this browser takes the change. `made`: an offer of this peer that was made before. */
export async function describe(peer: Describes, made: Promise<RTCSessionDescriptionInit> | null = null): Promise<void> {
  const offer = await (made ?? peer.createOffer());
  const sdp = withVoicesRepeated(offer.sdp ?? "");
  if (sdp === offer.sdp) return peer.setLocalDescription(offer);
  try {
    await peer.setLocalDescription({ type: "offer", sdp });
  } catch {
    await peer.setLocalDescription(offer); // it takes its own words only
  }
}
