/** Which codecs are offered, in which order: few, so that the offer stays small, and every one that the relay forwards. Pure. */

const VIDEO_ORDER = ["video/vp8", "video/h264", "video/vp9", "video/av1"];

type Codec = Pick<RTCRtpCodec, "mimeType" | "sdpFmtpLine">;

/** RFC 6184 §8.1 (constrained baseline, packetization-mode 1), RFC 9628 (profile 0): what both browsers decode. */
function forwarded({ mimeType, sdpFmtpLine = "" }: Codec): boolean {
  const name = mimeType.toLowerCase();
  if (name === "video/h264") return /packetization-mode=1/.test(sdpFmtpLine) && /profile-level-id=42(e0|c0)/i.test(sdpFmtpLine);
  if (name === "video/vp9") return !/profile-id=[1-9]/.test(sdpFmtpLine);
  if (name === "video/av1") return !/profile=[1-9]/.test(sdpFmtpLine);
  return name === "video/vp8";
}

/** Whether an answer refuses every section of this kind (port 0, RFC 8829 §5.3.1): this browser and the relay have no format in common. */
export function refuses(answer: string, kind: "audio" | "video"): boolean {
  const ports = [...answer.matchAll(/^m=(audio|video) (\d+) /gm)].filter(([, named]) => named === kind).map(([, , port]) => port);
  return ports.length > 0 && ports.every((port) => port === "0");
}

export function preferred<C extends Codec>(kind: "audio" | "video", capabilities: readonly C[]): C[] {
  if (kind === "audio") {
    const named = (name: string): C[] => capabilities.filter(({ mimeType }) => mimeType.toLowerCase() === name);
    return named("audio/opus").length === 0 ? [] : [...named("audio/opus"), ...named("audio/red")]; // the first is what is sent
  }
  const rank = ({ mimeType }: C): number => VIDEO_ORDER.indexOf(mimeType.toLowerCase());
  const video = capabilities.filter(forwarded).sort((a, b) => rank(a) - rank(b));
  return [...video, ...capabilities.filter(({ mimeType }) => mimeType.toLowerCase() === "video/rtx")];
}
