/** Making one RTCPeerConnection: what it sends, the slots that receive, the channel "pointer". Nothing here is negotiated later. */
import type { MediaLimits, Source } from "../protocol.gen";
import { preferred } from "./codecs";
import { attempts, type Encoding } from "./encodings";

export const SOURCES: readonly Source[] = ["microphone", "camera", "screen"]; // the order of the offer says which is which

export interface Connection {
  peer: RTCPeerConnection;
  senders: Record<Source, RTCRtpTransceiver>;
  receivers: Map<string, MediaStream>;
  slots: { transceiver: RTCRtpTransceiver; stream: MediaStream }[];
  pointer: RTCDataChannel;
  /** Made in advance; see `Spare`. */
  offer: Promise<RTCSessionDescriptionInit> | null;
  /** Whether it has described itself in advance, or when it will have. */
  described: Promise<void> | boolean;
}

export function makeConnection(
  limits: Readonly<MediaLimits>,
  tracks: Readonly<Record<Source, MediaStreamTrack | null>>,
  encodings: (source: Source) => Encoding[],
): Connection {
  const peer = new RTCPeerConnection(configuration(limits));
  const sendable = { audio: RTCRtpSender.getCapabilities("audio"), video: RTCRtpSender.getCapabilities("video") }; // once: each asks another thread
  const receivable = { audio: RTCRtpReceiver.getCapabilities("audio"), video: RTCRtpReceiver.getCapabilities("video") };
  const send = (source: Source): RTCRtpTransceiver => {
    const kind = source === "microphone" ? "audio" : "video";
    const transceiver = addSender(peer, tracks[source] ?? kind, attempts(source, encodings(source)));
    prefer(transceiver, kind, sendable[kind]);
    return transceiver;
  };
  const senders = { microphone: send("microphone"), camera: send("camera"), screen: send("screen") };
  const slots: Connection["slots"] = [];
  const receive = (kind: "audio" | "video"): void => {
    const transceiver = peer.addTransceiver(kind, { direction: "recvonly" });
    prefer(transceiver, kind, receivable[kind]);
    slots.push({ transceiver, stream: new MediaStream([transceiver.receiver.track]) });
  };
  for (let index = 0; index < limits.audio_slots; index += 1) receive("audio");
  for (let index = 0; index < limits.video_slots; index += 1) receive("video");
  const pointer = peer.createDataChannel("pointer", { ordered: false, maxRetransmits: 0 });
  return { peer, senders, receivers: new Map(), slots, pointer, offer: null, described: false };
}

/** Also for `setConfiguration`: then what is new counts from the next ICE restart on. */
export function configuration(limits: MediaLimits): RTCConfiguration {
  return { bundlePolicy: "max-bundle", rtcpMuxPolicy: "require", iceServers: limits.ice_servers };
}

/** The first of the attempts that this browser takes. */
function addSender(
  peer: RTCPeerConnection,
  what: MediaStreamTrack | "audio" | "video",
  [sendEncodings = [], ...others]: RTCRtpEncodingParameters[][],
): RTCRtpTransceiver {
  try {
    return peer.addTransceiver(what, { direction: "sendonly", sendEncodings });
  } catch (error) {
    if (others.length === 0) throw error;
    return addSender(peer, what, others);
  }
}

export function isUp(peer: RTCPeerConnection): boolean {
  return peer.iceConnectionState === "connected" || peer.iceConnectionState === "completed";
}

function prefer(transceiver: RTCRtpTransceiver, kind: "audio" | "video", capabilities: RTCRtpCapabilities | null): void {
  const codecs = preferred(kind, capabilities?.codecs ?? []);
  if (codecs.length === 0) return;
  try {
    transceiver.setCodecPreferences(codecs);
  } catch {
    // an older browser: it offers everything it has
  }
}

/** Wi-Fi or mobile, where the browser says so. */
export function networkInformation(): (EventTarget & { type?: string }) | null {
  const connection: unknown = "connection" in navigator ? navigator.connection : null;
  return connection instanceof EventTarget ? connection : null;
}
