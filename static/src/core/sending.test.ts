import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeConnection, type Connection } from "./connection";
import { FakePeer, FakeStream, track } from "./fakes";
import { Sending } from "./sending";

const HD = { width: 1280, height: 720 };

let broken: ReturnType<typeof vi.fn<() => void>>;
let sending: Sending;

function connect(): Connection {
  const made = makeConnection({ audio_slots: 1, video_slots: 1, ice_servers: [] }, sending.tracks, (source) => sending.first(source));
  sending.use(made);
  return made;
}
/** The camera's encodings at the sender now, by rid. */
const camera = (): RTCRtpEncodingParameters[] => FakePeer.last.transceivers[1]!.sender.encodings;
const active = (): (string | undefined)[] => camera().filter((one) => one.active).map(({ rid }) => rid);
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

beforeEach(() => {
  FakePeer.all = [];
  vi.stubGlobal("RTCPeerConnection", FakePeer);
  vi.stubGlobal("RTCRtpSender", { getCapabilities: () => null });
  vi.stubGlobal("RTCRtpReceiver", { getCapabilities: () => null });
  vi.stubGlobal("MediaStream", FakeStream);
  broken = vi.fn<() => void>();
  sending = new Sending(broken);
});

afterEach(() => {
  FakePeer.refuses = () => false;
  vi.unstubAllGlobals();
});

describe("a connection", () => {
  it("names three encodings with temporal layers before there is a camera", () => {
    connect();
    expect(camera()).toMatchObject([{ rid: "q", scalabilityMode: "L1T3" }, { rid: "h" }, { rid: "f" }]);
    expect(active()).toEqual(["q", "h", "f"]);
  });

  it("makes do with what the browser takes", () => {
    FakePeer.refuses = (encodings) => encodings.some((one) => "scalabilityMode" in one);
    connect();
    expect(camera().map(({ rid }) => rid)).toEqual(["q", "h", "f"]);
    FakePeer.refuses = (encodings) => encodings.length > 1;
    connect();
    expect(camera()).toMatchObject([{ active: true, scaleResolutionDownBy: 1 }]);
    expect(camera()[0]).not.toHaveProperty("scalabilityMode");
    FakePeer.refuses = (encodings) => encodings.length > 0;
    connect();
    expect(FakePeer.last.transceivers).toHaveLength(5);
    FakePeer.refuses = () => true;
    expect(connect).toThrow();
  });
});

describe("encodings follow", () => {
  it("the camera's size, when it comes and when it is another", async () => {
    connect();
    sending.set("camera", track("video", { width: 640, height: 360 }));
    await settle();
    expect(active()).toEqual(["q", "h"]);
    expect(camera().map(({ scaleResolutionDownBy }) => scaleResolutionDownBy)).toEqual([2, 1, 1]);
    sending.set("camera", track("video", HD));
    await settle();
    expect(active()).toEqual(["q", "h", "f"]);
    expect(camera().map(({ scaleResolutionDownBy }) => scaleResolutionDownBy)).toEqual([4, 2, 1]);
    expect(camera()[0]).toMatchObject({ scalabilityMode: "L1T3" }); // untouched
  });

  it("the relay, at once, and within what the saver leaves", async () => {
    sending.set("camera", track("video", HD));
    connect();
    sending.want("camera", ["q"]);
    expect(FakePeer.last.transceivers[1]!.sender.set).toHaveLength(1); // in the same turn
    await settle();
    expect(active()).toEqual(["q"]);
    sending.want("camera", ["f"]);
    await settle();
    expect(active()).toEqual(["f"]);
    sending.setSaver("saver");
    await settle();
    expect(active()).toEqual(["h"]);
    sending.want("camera", []);
    await settle();
    expect(active()).toEqual([]);
    sending.setSaver("full");
    sending.want("camera", ["q", "h", "f"]);
    await settle();
    expect(active()).toEqual(["q", "h", "f"]);
  });

  it("the newest word, however fast words come", async () => {
    sending.set("camera", track("video", HD));
    connect();
    for (const wanted of [["q"], ["h"], [], ["q", "f"]]) sending.want("camera", wanted);
    await settle();
    expect(active()).toEqual(["q", "f"]);
    expect(FakePeer.last.transceivers[1]!.sender.set).toHaveLength(2);
  });

  it("a larger camera, of which the relay has not seen the largest", async () => {
    sending.set("camera", track("video", { width: 640, height: 360 }));
    connect();
    sending.want("camera", ["q", "h"]); // all that ever came
    sending.set("camera", track("video", HD));
    await settle();
    expect(active()).toEqual(["q", "h", "f"]);
    sending.want("camera", ["q"]);
    await settle();
    expect(active()).toEqual(["q"]);
  });

  it("nothing that was said before the camera was off", async () => {
    sending.set("camera", track("video", HD));
    connect();
    sending.want("camera", ["q"]);
    sending.set("camera", null);
    sending.set("camera", track("video", HD));
    await settle();
    expect(active()).toEqual(["q", "h", "f"]);
  });

  it("nothing that was said of another connection", async () => {
    sending.set("camera", track("video", HD));
    connect();
    sending.want("camera", []);
    await settle();
    connect();
    sending.tuneAll();
    await settle();
    expect(active()).toEqual(["q", "h", "f"]);
  });

  it("also where there is one encoding only; a voice is never paused", async () => {
    FakePeer.refuses = (encodings) => encodings.length > 1;
    connect();
    sending.want("camera", []);
    sending.want("screen", []);
    sending.want("microphone", []);
    await settle();
    const [voice, face, screen] = FakePeer.last.transceivers.map(({ sender }) => sender);
    expect(face?.encodings[0]?.active).toBe(false);
    expect(screen?.encodings[0]).toMatchObject({ active: false, maxFramerate: 15 });
    expect(voice?.set).toEqual([]);
    sending.want("camera", [""]);
    await settle();
    expect(face?.encodings[0]?.active).toBe(true);
  });

  it("what a browser refuses costs nothing more than that", async () => {
    connect();
    FakePeer.last.transceivers[1]!.sender.setParameters = () => Promise.reject(new DOMException("", "OperationError"));
    sending.want("camera", ["q"]);
    await settle();
    expect(broken).not.toHaveBeenCalled();
    FakePeer.last.transceivers[1]!.sender.replaceTrack = () => Promise.reject(new DOMException("", "InvalidModificationError"));
    sending.set("camera", track("video", HD));
    await settle();
    expect(broken).toHaveBeenCalledOnce();
  });
});

describe("a picture that is far too small", () => {
  const stat = { type: "outbound-rtp", mid: "1", rid: "f", frameWidth: 320, qualityLimitationReason: "bandwidth", targetBitrate: 1_700_000 };

  it("starts over where it is sent alone, a few times", async () => {
    sending.set("camera", track("video", HD));
    connect();
    await settle();
    FakePeer.last.transceivers[1]!.mid = "1";
    const replace = vi.spyOn(FakePeer.last.transceivers[1]!.sender, "replaceTrack");
    await sending.lift([stat], 1_000);
    expect(replace).not.toHaveBeenCalled(); // of several none is shrunk: it is only not sent yet
    sending.want("camera", ["f"]);
    await settle();
    for (const atMs of [1_000, 2_000, 12_000, 23_000, 34_000, 45_000]) await sending.lift([stat], atMs);
    expect(replace.mock.calls.map(([given]) => given === null)).toEqual([true, false, true, false, true, false]);
    await sending.lift([{ ...stat, frameWidth: 1280 }], 99_000);
    expect(replace).toHaveBeenCalledTimes(6);
  });
});
