import { describe, expect, it } from "vitest";
import { attempts, cameraEncodings, encodingsOf, RIDS, screenEncodings, type Size } from "./encodings";

const size = (width: number, height: number): Size => ({ width, height });
const active = (encodings: { rid: string; active: boolean }[]): string[] => encodings.filter((one) => one.active).map(({ rid }) => rid);
const full = (capture: Size | null, wanted: string[] | null = null) => cameraEncodings(capture, "full", wanted, true);

describe("a camera", () => {
  it.each([
    [1280, 720, ["q", "h", "f"], [4, 2, 1]],
    [720, 1280, ["q", "h", "f"], [4, 2, 1]],
    [960, 540, ["q", "h", "f"], [4, 2, 1]],
    [848, 480, ["q", "h"], [2, 1, 1]],
    [640, 480, ["q", "h"], [2, 1, 1]],
    [640, 360, ["q", "h"], [2, 1, 1]],
    [480, 270, ["q", "h"], [2, 1, 1]],
    [320, 240, ["q"], [1, 1, 1]],
    [1, 1, ["q"], [1, 1, 1]],
  ])("of %i×%i sends what a browser makes of it, the lowest first", (width, height, rids, scales) => {
    const encodings = full(size(width, height));
    expect(encodings.map(({ rid }) => rid)).toEqual([...RIDS]);
    expect(active(encodings)).toEqual(rids);
    expect(encodings.map(({ scaleResolutionDownBy }) => scaleResolutionDownBy)).toEqual(scales);
  });

  it("is taken as large while there is none", () => {
    expect(full(null)).toEqual(full(size(1280, 720)));
  });

  it("spends by size, never more upwards than downwards", () => {
    expect(full(size(1280, 720)).map(({ maxBitrate }) => maxBitrate)).toEqual([150_000, 510_000, 1_700_000]);
    expect(full(size(1920, 1080)).at(-1)?.maxBitrate).toBe(2_500_000);
    for (const [width, height] of [[1280, 720], [960, 540], [640, 360], [320, 240], [160, 120]] as const) {
      const rates = full(size(width, height)).filter((one) => one.active).map(({ maxBitrate }) => maxBitrate);
      expect(rates).toEqual([...rates].sort((a, b) => a - b));
      expect(rates[0]).toBeGreaterThan(0);
    }
  });

  it("leaves the highest away where data are dear, and is slower", () => {
    const thrifty = cameraEncodings(size(1280, 720), "saver", null, true);
    expect(active(thrifty)).toEqual(["q", "h"]);
    expect(thrifty.every(({ maxFramerate, maxBitrate }) => maxFramerate === 12 && maxBitrate <= 250_000)).toBe(true);
    expect(active(cameraEncodings(size(640, 360), "saver", null, true))).toEqual(["q"]);
    expect(active(cameraEncodings(size(320, 180), "saver", null, true))).toEqual(["q"]);
  });

  it.each([
    [null, ["q", "h", "f"]],
    [["f"], ["f"]],
    [["q", "f"], ["q", "f"]],
    [["f", "q"], ["q", "f"]],
    [[], []],
  ])("sends what the relay asks for: %j", (wanted, expected) => {
    expect(active(full(size(1280, 720), wanted))).toEqual(expected);
  });

  it.each([
    [size(640, 360), "full", ["f"], ["h"]],
    [size(640, 360), "full", ["h", "f"], ["h"]],
    [size(320, 180), "full", ["f"], ["q"]],
    [size(320, 180), "full", ["h", "f"], ["q"]],
    [size(1280, 720), "saver", ["f"], ["h"]],
    [size(640, 360), "saver", ["h"], ["q"]],
    [size(640, 360), "full", ["strange"], ["q"]],
    [size(640, 360), "full", ["q", "f"], ["q", "h"]],
    [size(1280, 720), "saver", ["q", "f"], ["q", "h"]],
  ] as const)("of %j in %s never falls silent because %j cannot be had", (capture, saver, wanted, expected) => {
    expect(active(cameraEncodings(capture, saver, wanted, true))).toEqual(expected);
  });

  it("is one encoding where there is no simulcast", () => {
    const one = (saver: "full" | "saver", wanted: string[] | null = null, capture = size(1280, 720)) => cameraEncodings(capture, saver, wanted, false);
    expect(one("full")).toEqual([{ rid: "", active: true, scaleResolutionDownBy: 1, maxBitrate: 1_700_000, maxFramerate: 30 }]);
    expect(one("saver")).toEqual([{ rid: "", active: true, scaleResolutionDownBy: 2, maxBitrate: 250_000, maxFramerate: 12 }]);
    expect(one("saver", null, size(320, 180))[0]).toMatchObject({ scaleResolutionDownBy: 1 });
    expect(one("full", [])[0]?.active).toBe(false);
    expect(one("full", [""])[0]?.active).toBe(true);
  });
});

describe("the others", () => {
  it("a screen is one large encoding, paused when nobody watches", () => {
    expect(screenEncodings("full", null)).toEqual([{ rid: "", active: true, scaleResolutionDownBy: 1, maxBitrate: 2_500_000, maxFramerate: 15 }]);
    expect(screenEncodings("full", [])[0]?.active).toBe(false);
    expect(screenEncodings("saver", [""])[0]).toMatchObject({ active: true, maxBitrate: 600_000, maxFramerate: 5 });
    expect(encodingsOf("screen", null, "full", null, true)).toEqual(screenEncodings("full", null));
  });

  it("a voice has a rate and nothing else", () => {
    expect(attempts("microphone", encodingsOf("microphone", null, "full", null, true))).toEqual([[{ maxBitrate: 40_000 }], []]);
  });
});

describe("a browser is tried with", () => {
  it("temporal layers, then simulcast alone, then one encoding at its full size, then nothing special", () => {
    const [layered, plain, one, none, ...more] = attempts("camera", cameraEncodings(size(640, 360), "full", null, true));
    expect(layered?.map(({ rid, scalabilityMode }: RTCRtpEncodingParameters & { scalabilityMode?: string }) => [rid, scalabilityMode])).toEqual([["q", "L1T3"], ["h", "L1T3"], ["f", "L1T3"]]);
    expect(plain?.every((encoding) => !("scalabilityMode" in encoding))).toBe(true);
    expect(plain?.map((encoding) => encoding.active)).toEqual([true, true, false]);
    expect(one).toHaveLength(1);
    expect(one?.[0]).not.toHaveProperty("rid");
    expect(one?.[0]).toMatchObject({ active: true, scaleResolutionDownBy: 1 });
    expect(none).toEqual([]);
    expect(more).toEqual([]);
  });

  it("no rid for a source of one encoding", () => {
    expect(attempts("screen", screenEncodings("full", null))[0]?.[0]).not.toHaveProperty("rid");
  });
});
