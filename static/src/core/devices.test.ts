import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BrowserDevices, turned } from "./devices";
import { FakeStream, FakeTrack, track } from "./fakes";

type Asked = { video?: MediaTrackConstraints; audio?: MediaTrackConstraints };

const failing = (name: string): (() => never) => () => {
  throw new DOMException("", name);
};

/** A browser with one camera and one microphone; `get` decides what asking for them brings. */
function browser(get: (asked: Asked) => void = () => undefined, denied: string[] = []) {
  const asked: Asked[] = [];
  const events = new EventTarget();
  const list = [
    { kind: "videoinput", deviceId: "cam", label: "Camera" },
    { kind: "audioinput", deviceId: "mic", label: "Microphone" },
    { kind: "audioinput", deviceId: "", label: "" },
  ];
  const mediaDevices = Object.assign(events, {
    getUserMedia: async (constraints: Asked) => {
      asked.push(constraints);
      get(constraints);
      return new FakeStream([...(constraints.video ? [track("video")] : []), ...(constraints.audio ? [track("audio")] : [])]) as unknown;
    },
    enumerateDevices: async () => list,
  });
  vi.stubGlobal("navigator", {
    mediaDevices,
    permissions: { query: async ({ name }: { name: string }) => ({ state: denied.includes(name) ? "denied" : "granted" }) },
  });
  return { asked, list, events };
}

const fake = (one: MediaStreamTrack | null): FakeTrack => one as unknown as FakeTrack;

beforeEach(() => {
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("MediaStream", FakeStream);
  vi.stubGlobal("AudioContext", undefined);
  Object.assign(FakeStream.prototype, {
    getAudioTracks(this: FakeStream) {
      return this.getTracks().filter(({ kind }) => kind === "audio");
    },
  });
});
afterEach(() => localStorage.clear());

describe("starting", () => {
  it("asks once for both, and lists what there is", async () => {
    const { asked } = browser();
    const devices = new BrowserDevices();
    await devices.start({ camera: true, microphone: true });
    expect(asked).toHaveLength(1);
    expect([devices.cameraOn.value, devices.microphoneOn.value]).toEqual([true, true]);
    expect(devices.cameras.value).toEqual([{ id: "cam", label: "Camera" }]);
    expect(devices.microphones.value).toEqual([{ id: "mic", label: "Microphone" }]);
    expect(devices.preview.value?.getVideoTracks()).toHaveLength(1);
  });

  it("gives the microphone where there is no camera", async () => {
    browser(({ video }) => video && failing("NotFoundError")());
    const devices = new BrowserDevices();
    await devices.start({ camera: true, microphone: true });
    expect(devices.cameraProblem.value).toBe("none");
    expect(devices.microphoneProblem.value).toBeNull();
    expect([devices.cameraOn.value, devices.microphoneOn.value]).toEqual([false, true]);
  });

  it("says that both are refused after one question, not three", async () => {
    const { asked } = browser(failing("NotAllowedError"));
    const devices = new BrowserDevices();
    await devices.start({ camera: true, microphone: true });
    expect(asked).toHaveLength(1);
    expect([devices.cameraProblem.value, devices.microphoneProblem.value]).toEqual(["denied", "denied"]);
  });

  it("gives the microphone where the camera alone is blocked", async () => {
    browser(({ video }) => video && failing("NotAllowedError")(), ["camera"]);
    const devices = new BrowserDevices();
    await devices.start({ camera: true, microphone: true });
    expect([devices.cameraProblem.value, devices.microphoneProblem.value]).toEqual(["denied", null]);
    expect(devices.microphoneOn.value).toBe(true);
  });

  it("says that the page is not secure without asking", async () => {
    const { asked } = browser();
    vi.stubGlobal("isSecureContext", false);
    const devices = new BrowserDevices();
    await devices.start({ camera: true, microphone: false });
    expect(asked).toEqual([]);
    expect([devices.cameraProblem.value, devices.microphoneProblem.value]).toEqual(["insecure", null]);
  });
});

describe("on, off and choice", () => {
  it("stops the camera when it is off, so that its light goes out; keeps the microphone, muted", async () => {
    browser();
    const devices = new BrowserDevices();
    await devices.start({ camera: true, microphone: true });
    const [camera, microphone] = [devices.cameraTrack.value, devices.microphoneTrack.value];
    await devices.setCamera(false);
    await devices.setMicrophone(false);
    expect(fake(camera).stopped).toBe(true);
    expect(devices.preview.value).toBeNull();
    expect(devices.microphoneTrack.value).toBe(microphone);
    expect([microphone?.enabled, fake(microphone).stopped]).toEqual([false, false]);
    await devices.setCamera(true);
    expect(devices.cameraTrack.value).not.toBe(camera);
  });

  it("never leaves two cameras running after quick changes", async () => {
    browser();
    const devices = new BrowserDevices();
    const seen: MediaStreamTrack[] = [];
    devices.cameraTrack.subscribe((one) => void (one && seen.push(one)));
    await Promise.all([devices.setCamera(true), devices.setCamera(false), devices.setCamera(true), devices.setCamera(true)]);
    expect(seen.filter((one) => !fake(one).stopped)).toEqual([devices.cameraTrack.value]);
  });

  it("remembers a choice, and makes do when the chosen one is gone", async () => {
    browser();
    await new BrowserDevices().chooseCamera("other");
    const { asked } = browser(({ video }) => video?.deviceId !== undefined && failing("OverconstrainedError")());
    const devices = new BrowserDevices();
    await devices.setCamera(true);
    expect(asked.map(({ video }) => video?.deviceId)).toEqual([{ exact: "other" }, undefined]);
    expect(devices.cameraOn.value).toBe(true);
  });

  it("stays muted when another microphone is chosen", async () => {
    browser();
    const devices = new BrowserDevices();
    await devices.setMicrophone(true);
    await devices.setMicrophone(false);
    await devices.chooseMicrophone("mic2");
    expect(devices.microphoneOn.value).toBe(false);
    expect(devices.microphoneTrack.value?.enabled).toBe(false);
  });

  it("takes another one when one is unplugged, and says so when there is none", async () => {
    let there = true;
    browser(() => void (there || failing("NotFoundError")()));
    const devices = new BrowserDevices();
    await devices.setMicrophone(true);
    const first = devices.microphoneTrack.value;
    first?.onended?.(new Event("ended"));
    await devices.setMicrophone(true);
    expect(devices.microphoneTrack.value).not.toBe(first);
    there = false;
    devices.microphoneTrack.value?.onended?.(new Event("ended"));
    await devices.setCamera(false);
    expect([devices.microphoneOn.value, devices.microphoneProblem.value]).toEqual([false, "none"]);
  });

  it("follows what is plugged in", async () => {
    const { list, events } = browser();
    const devices = new BrowserDevices();
    await devices.start({ camera: true, microphone: true });
    list.push({ kind: "videoinput", deviceId: "cam2", label: "Second" });
    events.dispatchEvent(new Event("devicechange"));
    await vi.waitFor(() => expect(devices.cameras.value).toHaveLength(2));
  });
});

describe("the camera on the other side", () => {
  const two = [
    { id: "front", label: "" },
    { id: "back", label: "" },
  ];

  it.each([
    ["user", "front", two, { facingMode: { ideal: "environment" }, width: { ideal: 1280 } }],
    ["environment", "back", two, { facingMode: { ideal: "user" } }],
    [null, "front", two, { deviceId: { exact: "back" } }],
    [null, "back", two, { deviceId: { exact: "front" } }],
    [null, "gone", two, { deviceId: { exact: "front" } }],
  ] as const)("after one that looks to %s (%s)", (facing, current, cameras, wanted) => expect(turned(facing, current, cameras)).toMatchObject(wanted));

  it.each([[null], ["user"], ["environment"]] as const)("is not there where there is one camera (%s)", (facing) => expect(turned(facing, "front", two.slice(0, 1))).toBeNull());

  it("takes the place of the one before, and gives it back when it cannot be had", async () => {
    const { asked } = browser(({ video }) => {
      if (video?.deviceId !== undefined) throw new DOMException("", "NotReadableError");
    });
    const devices = new BrowserDevices();
    await devices.turnCamera(); // none is on: nothing to turn
    expect(asked).toEqual([]);
    await devices.start({ camera: true, microphone: false });
    devices.cameras.value = two;
    const before = fake(devices.cameraTrack.value);
    await devices.turnCamera();
    expect(before.stopped).toBe(true);
    expect([devices.cameraOn.value, devices.cameraProblem.value]).toEqual([true, null]);
    expect(asked.at(-1)?.video?.deviceId).toBeUndefined();
  });
});
