/** Which ways lead from this page to a media worker: straight, or through the TURN relay over UDP, TCP or TLS.
 *
 *  Each way is tried with a connection of its own to a real worker, with a data channel and nothing else: no camera, no
 *  microphone, nobody else. "relay" as policy and one URL leave the browser no other way than the one that is tried. */
import type { IceServer } from "../protocol.gen";

export type Way = "direct" | "udp" | "tcp" | "tls";

/** `rttMs`: there and back, null where the browser does not say. */
export interface WayResult {
  way: Way;
  works: boolean;
  rttMs: number | null;
}

/** What the results come to. `none`: only writing works. */
export type NetworkVerdict = "direct" | "udp" | "tcp" | "tls" | "none";

/** Sends an offer to a worker; resolves with its answer. */
export type Asker = (sdp: string) => Promise<string>;

const WAY_MS = 10_000;
const STATS_MS = 1_500; // a check's round trip is known a moment after the connection

/** In this order they are shown. */
export const WAYS: readonly Way[] = ["direct", "udp", "tcp", "tls"];

/** The ways there are, and the relay of each; straight on is always one. */
export function ways(servers: readonly IceServer[]): { way: Way; server: IceServer | null }[] {
  const found: { way: Way; server: IceServer | null }[] = [{ way: "direct", server: null }];
  for (const server of servers) {
    for (const url of server.urls) {
      const way = url.startsWith("turns:") ? "tls" : url.endsWith("transport=tcp") ? "tcp" : "udp";
      if (!found.some((one) => one.way === way)) found.push({ way, server: { ...server, urls: [url] } });
    }
  }
  return found;
}

export function verdict(results: readonly WayResult[]): NetworkVerdict {
  return WAYS.find((way) => results.some((one) => one.way === way && one.works)) ?? "none";
}

/** Tries every way, all at once, and tells each result as it comes; resolves with them in order. Rejects when the server cannot be asked. */
export async function testWays(servers: readonly IceServer[], ask: Asker, tell: (result: WayResult) => void): Promise<WayResult[]> {
  const one = async (way: Way, server: IceServer | null): Promise<WayResult> => {
    const result = await tryWay(way, server, ask);
    tell(result);
    return result;
  };
  return Promise.all(ways(servers).map(({ way, server }) => one(way, server)));
}

async function tryWay(way: Way, server: IceServer | null, ask: Asker): Promise<WayResult> {
  const peer = new RTCPeerConnection(server === null ? {} : { iceServers: [server], iceTransportPolicy: "relay" });
  try {
    peer.createDataChannel("pointer", { ordered: false, maxRetransmits: 0 });
    await peer.setLocalDescription(await peer.createOffer());
    const sdp = await ask(peer.localDescription?.sdp ?? "");
    const works = await settled(peer, () => peer.setRemoteDescription({ type: "answer", sdp }));
    return { way, works, rttMs: works ? await roundTrip(peer) : null };
  } finally {
    peer.close();
  }
}

/** Whether it connects in time. */
function settled(peer: RTCPeerConnection, begin: () => Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (works: boolean): void => {
      clearTimeout(deadline);
      peer.onconnectionstatechange = null;
      resolve(works);
    };
    const deadline = setTimeout(() => end(false), WAY_MS);
    peer.onconnectionstatechange = (): void => {
      if (peer.connectionState === "connected") end(true);
      else if (peer.connectionState === "failed") end(false);
    };
    begin().catch(() => end(false));
  });
}

async function roundTrip(peer: RTCPeerConnection): Promise<number | null> {
  for (let waited = 0; waited <= STATS_MS; waited += 250) {
    let found: number | null = null;
    (await peer.getStats()).forEach((stat: { type: string; nominated?: boolean; currentRoundTripTime?: number }) => {
      if (stat.type === "candidate-pair" && stat.nominated === true && stat.currentRoundTripTime !== undefined) found = stat.currentRoundTripTime;
    });
    if (found !== null) return Math.round(found * 1000);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return null;
}
