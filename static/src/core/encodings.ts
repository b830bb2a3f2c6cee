/** What is sent of a camera or a screen: how many encodings, how large, at which rate. Pure: capture size, saver and what the relay
 *  asked for in, encodings out.
 *
 *  The encodings of a connection are named once, before there may be a camera; later only their figures and whether they are sent
 *  can change. So there are always three where the browser can (`q` lowest, `f` highest), and a small camera leaves some unsent:
 *  Chromium sends three from 960×540 up, two from 480×270, else one, and drops the last ones; the first one sent must be the lowest. */
import type { Source } from "../protocol.gen";
import type { Saver } from "./model";

export const RIDS = ["q", "h", "f"] as const;

export interface Size {
  width: number;
  height: number;
}

/** The fields of `RTCRtpEncodingParameters` that are set here. Of a source without simulcast `rid` is "". */
export interface Encoding {
  rid: string;
  active: boolean;
  scaleResolutionDownBy: number;
  maxBitrate: number;
  maxFramerate: number;
}

type Scales = readonly [number, number, number];

const LADDERS: readonly { fromPixels: number; scales: Scales; sent: number }[] = [
  { fromPixels: 960 * 540, scales: [4, 2, 1], sent: 3 },
  { fromPixels: 480 * 270, scales: [2, 1, 1], sent: 2 },
  { fromPixels: 0, scales: [1, 1, 1], sent: 1 },
];
const FULL_PIXELS = 1280 * 720;
const FULL_BPS = 1_700_000; // 1280×720; 640×360 comes to 510, 320×180 to 150 kbit/s
const MOST_BPS = 2_500_000;
const SAVER_BPS = 250_000;
const FRAMES: Readonly<Record<Saver, number>> = { full: 30, saver: 12, audio: 12 };
const SCREEN_BPS: Readonly<Record<Saver, number>> = { full: 2_500_000, saver: 600_000, audio: 600_000 };
const SCREEN_FRAMES: Readonly<Record<Saver, number>> = { full: 15, saver: 5, audio: 5 };

/** Larger pictures need fewer bits a pixel. */
function bitrate(pixels: number): number {
  return Math.min(MOST_BPS, 10_000 * Math.round((FULL_BPS * (pixels / FULL_PIXELS) ** 0.875) / 10_000));
}

/** Those of `able` (low to high) that are sent. `wanted` null: the relay has not said; []: nobody watches. What is asked for and
 *  cannot be had is replaced by the next lower one, so that a camera that is on is never silent, nor poorer than need be. */
function sent(able: readonly string[], wanted: readonly string[] | null): ReadonlySet<string> {
  const order = (rid: string): number => RIDS.findIndex((known) => known === rid);
  return new Set((wanted ?? able).map((rid) => able.findLast((one) => order(one) <= order(rid)) ?? able[0] ?? ""));
}

/** What a camera of this size can be sent as, low to high. */
export function able(capture: Size | null, saver: Saver): readonly string[] {
  const most = ladder(capture).sent;
  return RIDS.slice(0, saver === "full" ? most : Math.max(1, most - 1));
}

function ladder(capture: Size | null): (typeof LADDERS)[number] {
  const pixels = capture === null ? FULL_PIXELS : capture.width * capture.height;
  return LADDERS.find(({ fromPixels }) => pixels >= fromPixels) ?? LADDERS[2]!;
}

/** `capture` null: there is no camera yet. `simulcast` false: the browser or the relay takes one encoding only. */
export function cameraEncodings(capture: Size | null, saver: Saver, wanted: readonly string[] | null, simulcast: boolean): Encoding[] {
  const { width, height } = capture ?? { width: 1280, height: 720 };
  const pixels = width * height;
  const thrifty = saver !== "full";
  const maxFramerate = FRAMES[saver];
  if (!simulcast) {
    const scale = thrifty && pixels >= 480 * 270 ? 2 : 1;
    const most = bitrate(pixels / scale ** 2);
    return [{ rid: "", active: wanted?.length !== 0, scaleResolutionDownBy: scale, maxBitrate: thrifty ? Math.min(SAVER_BPS, most) : most, maxFramerate }];
  }
  const { scales } = ladder(capture);
  const now = sent(able(capture, saver), wanted);
  return RIDS.map((rid, index) => {
    const scale = scales[index] ?? 1;
    const most = bitrate(pixels / scale ** 2);
    return { rid, active: now.has(rid), scaleResolutionDownBy: scale, maxBitrate: thrifty ? Math.min(SAVER_BPS, most) : most, maxFramerate };
  });
}

/** A screen is one encoding: whoever reads it needs every letter, and a path too narrow for it gets fewer frames. */
export function screenEncodings(saver: Saver, wanted: readonly string[] | null): Encoding[] {
  return [{ rid: "", active: wanted?.length !== 0, scaleResolutionDownBy: 1, maxBitrate: SCREEN_BPS[saver], maxFramerate: SCREEN_FRAMES[saver] }];
}

export function encodingsOf(source: Source, capture: Size | null, saver: Saver, wanted: readonly string[] | null, simulcast: boolean): Encoding[] {
  if (source === "camera") return cameraEncodings(capture, saver, wanted, simulcast);
  if (source === "screen") return screenEncodings(saver, wanted);
  return [{ rid: "", active: wanted?.length !== 0, scaleResolutionDownBy: 1, maxBitrate: 40_000, maxFramerate: 0 }];
}

/** What a new connection is tried with, best first: temporal layers (three, so that a narrow path gets a half or a quarter of the
 *  frames) and simulcast where the browser takes them. Browsers throw what they do not. */
export function attempts(source: Source, encodings: readonly Encoding[]): RTCRtpEncodingParameters[][] {
  if (source === "microphone") return [[{ maxBitrate: encodings[0]?.maxBitrate ?? 40_000 }], []];
  const plain = encodings.map(({ rid, ...figures }): RTCRtpEncodingParameters => (rid === "" ? figures : { rid, ...figures }));
  const layered = plain.map((one) => ({ ...one, scalabilityMode: "L1T3" }));
  const { rid: _rid, ...last } = plain.at(-1) ?? {};
  return [layered, plain, [{ ...last, scaleResolutionDownBy: 1, active: true }], []];
}
