/** Cameras, microphones and speakers of this page: one set, used by the pre-join check and by the call after it.
 *
 *  On/off and choice are separate. Camera off stops the track, so that its light goes out; microphone off only disables the
 *  track, so that switching on is instant and asks nothing. */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { DeviceChoice, DeviceProblem, Devices } from "./model";
import { deviceProblem, surroundings } from "./problems";
import { canChooseSpeaker, speakers } from "./sound";

type Kind = "camera" | "microphone";

const LEVEL_EVERY_MS = 50;
const RECORD_MS = 3_000;
const TONE_MS = 700;
const REMEMBERED = "tongping.devices"; // localStorage: chosen device ids, nothing personal

const CAMERA: MediaTrackConstraints = { width: { ideal: 960 }, height: { ideal: 540 }, frameRate: { ideal: 24, max: 30 } };
const MICROPHONE: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** What `call.ts` needs beyond what pages see: the tracks themselves. */
export class BrowserDevices implements Devices {
  readonly cameras = signal<DeviceChoice[]>([]);
  readonly microphones = signal<DeviceChoice[]>([]);
  readonly speakers = signal<DeviceChoice[]>([]);
  readonly camera = signal<string | null>(null);
  readonly microphone = signal<string | null>(null);
  readonly speaker = signal<string | null>(null);
  readonly cameraOn = signal(false);
  readonly microphoneOn = signal(false);
  readonly cameraProblem = signal<DeviceProblem | null>(null);
  readonly microphoneProblem = signal<DeviceProblem | null>(null);
  readonly level = signal(0);
  readonly recording = signal<"idle" | "recording" | "playing">("idle");
  readonly cameraTrack = signal<MediaStreamTrack | null>(null);
  readonly microphoneTrack = signal<MediaStreamTrack | null>(null);
  readonly preview: ReadonlySignal<MediaStream | null> = computed(() =>
    this.cameraTrack.value === null ? null : new MediaStream([this.cameraTrack.value]),
  );

  readonly facing = computed(() => facingOf(this.cameraTrack.value));

  private readonly chosen = recall();
  private watching = false;
  private meter: { context: AudioContext; timer: ReturnType<typeof setInterval> } | null = null;
  /** One change at a time: a quick off-on never leaves two cameras running. */
  private queue: Promise<void> = Promise.resolve();

  start(want: { camera: boolean; microphone: boolean }): Promise<void> {
    return this.serially(async () => {
      this.watch();
      const missing = surroundings(window.isSecureContext, navigator.mediaDevices?.getUserMedia !== undefined);
      if (missing !== null) {
        if (want.camera) this.cameraProblem.value = missing;
        if (want.microphone) this.microphoneProblem.value = missing;
        return;
      }
      if (want.camera && want.microphone && !this.cameraTrack.peek() && !this.microphoneTrack.peek()) {
        if (await this.openBoth()) return this.list();
      }
      if (want.microphone && !this.microphoneTrack.peek()) await this.open("microphone");
      if (want.camera && !this.cameraTrack.peek()) await this.open("camera");
      await this.list();
    });
  }

  setCamera(on: boolean): Promise<void> {
    return this.serially(async () => {
      if (on && this.cameraTrack.peek() === null) {
        if (await this.open("camera")) await this.list();
      } else if (!on) {
        this.put("camera", null);
        this.cameraProblem.value = null;
      }
    });
  }

  setMicrophone(on: boolean): Promise<void> {
    return this.serially(async () => {
      const track = this.microphoneTrack.peek();
      if (track !== null) {
        track.enabled = on;
        this.microphoneOn.value = on;
      } else if (on && (await this.open("microphone"))) {
        await this.list();
      }
    });
  }

  chooseCamera(id: string): Promise<void> {
    return this.choose("camera", id);
  }

  chooseMicrophone(id: string): Promise<void> {
    return this.choose("microphone", id);
  }

  turnCamera(): Promise<void> {
    return this.serially(async () => {
      const track = this.cameraTrack.peek();
      if (track === null) return;
      const wanted = turned(this.facing.peek(), track.getSettings().deviceId, this.cameras.peek());
      if (wanted === null) return;
      track.onended = null;
      track.stop(); // phones cannot open a second camera beside the first
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ video: wanted });
        this.put("camera", stream.getVideoTracks()[0] ?? null);
        this.cameraProblem.value = null;
      } catch {
        if (!(await this.open("camera"))) this.put("camera", null); // the one from before, as well as may be
      }
    });
  }

  async chooseSpeaker(id: string): Promise<void> {
    this.speaker.value = id;
    this.keep("speaker", id);
    await speakers.choose(id);
  }

  async recordAndPlay(): Promise<void> {
    const track = this.microphoneTrack.peek();
    if (this.recording.peek() !== "idle" || track === null || typeof MediaRecorder === "undefined") return;
    const copy = track.clone(); // a muted microphone can be tried too, without un-muting it in a call
    copy.enabled = true;
    try {
      this.recording.value = "recording";
      const blob = await record(copy, RECORD_MS);
      this.recording.value = "playing";
      await speakers.once(blob, RECORD_MS + 1_000);
    } catch (error) {
      this.microphoneProblem.value = deviceProblem(error);
    } finally {
      copy.stop();
      this.recording.value = "idle";
    }
  }

  async testSpeaker(): Promise<void> {
    const context = new AudioContext();
    try {
      await Promise.race([context.resume(), pause(500)]);
      const tone = context.createOscillator();
      const loudness = context.createGain();
      const out = context.createMediaStreamDestination();
      const t = context.currentTime;
      tone.frequency.setValueAtTime(523.25, t);
      tone.frequency.setValueAtTime(659.25, t + 0.25);
      loudness.gain.setValueAtTime(0, t);
      loudness.gain.linearRampToValueAtTime(0.25, t + 0.03);
      loudness.gain.setValueAtTime(0.25, t + 0.45);
      loudness.gain.linearRampToValueAtTime(0, t + 0.6);
      tone.connect(loudness).connect(out);
      tone.start();
      await speakers.once(out.stream, TONE_MS);
      tone.stop();
    } finally {
      await context.close();
    }
  }

  stop(): void {
    void this.serially(async () => {
      this.put("camera", null);
      this.put("microphone", null);
    });
    if (this.watching) navigator.mediaDevices.removeEventListener("devicechange", this.onChange);
    this.watching = false;
  }

  private serially(work: () => Promise<void>): Promise<void> {
    const done = this.queue.then(work);
    this.queue = done.catch(() => undefined);
    return done;
  }

  /** Both in one question to the user. False: try each by itself, to find out which one is at fault. */
  private async openBoth(): Promise<boolean> {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: this.constraints("camera"),
        audio: this.constraints("microphone"),
      });
      this.put("camera", stream.getVideoTracks()[0] ?? null);
      this.put("microphone", stream.getAudioTracks()[0] ?? null);
      this.cameraProblem.value = this.microphoneProblem.value = null;
      return true;
    } catch (error) {
      if (deviceProblem(error) !== "denied") return false;
      const refused = await Promise.all([permission("camera"), permission("microphone")]);
      if (refused[0] !== refused[1]) return false; // one is blocked in the settings: the other may still be had
      this.cameraProblem.value = this.microphoneProblem.value = "denied";
      return true;
    }
  }

  private async open(kind: Kind): Promise<boolean> {
    const problem = kind === "camera" ? this.cameraProblem : this.microphoneProblem;
    try {
      const stream = await this.get(kind);
      this.put(kind, stream.getTracks()[0] ?? null);
      problem.value = null;
      return true;
    } catch (error) {
      problem.value = deviceProblem(error);
      return false;
    }
  }

  private async get(kind: Kind): Promise<MediaStream> {
    const ask = (constraints: MediaTrackConstraints): Promise<MediaStream> =>
      navigator.mediaDevices.getUserMedia(kind === "camera" ? { video: constraints } : { audio: constraints });
    if (navigator.mediaDevices?.getUserMedia === undefined) throw new DOMException("", window.isSecureContext ? "NotSupportedError" : "SecurityError");
    try {
      return await ask(this.constraints(kind));
    } catch (error) {
      if (this.chosen[kind] === undefined || deviceProblem(error) === "denied") throw error;
      return ask(kind === "camera" ? CAMERA : MICROPHONE); // the chosen one is gone or taken: any other
    }
  }

  private constraints(kind: Kind): MediaTrackConstraints {
    const id = this.chosen[kind];
    return { ...(kind === "camera" ? CAMERA : MICROPHONE), ...(id === undefined ? {} : { deviceId: { exact: id } }) };
  }

  private choose(kind: Kind, id: string): Promise<void> {
    return this.serially(async () => {
      this.keep(kind, id);
      (kind === "camera" ? this.camera : this.microphone).value = id;
      const track = (kind === "camera" ? this.cameraTrack : this.microphoneTrack).peek();
      if (track === null) return; // off: the choice counts when it is switched on
      const enabled = track.enabled;
      track.stop(); // phones cannot open a second camera beside the first
      if (await this.open(kind)) {
        const next = (kind === "camera" ? this.cameraTrack : this.microphoneTrack).peek();
        if (next !== null && kind === "microphone") {
          next.enabled = enabled;
          this.microphoneOn.value = enabled;
        }
        await this.list();
      } else {
        this.put(kind, null);
      }
    });
  }

  private put(kind: Kind, track: MediaStreamTrack | null): void {
    const slot = kind === "camera" ? this.cameraTrack : this.microphoneTrack;
    const before = slot.peek();
    if (before !== null && before !== track) {
      before.onended = null;
      before.stop();
    }
    if (track !== null) {
      track.onended = () => this.lost(kind, track);
      const id = track.getSettings().deviceId;
      if (id !== undefined) (kind === "camera" ? this.camera : this.microphone).value = id;
    }
    if (kind === "camera") {
      if (track !== null) track.contentHint = "motion";
      this.cameraTrack.value = track;
      this.cameraOn.value = track !== null;
    } else {
      this.microphoneTrack.value = track;
      this.microphoneOn.value = track !== null;
      this.measure(track);
    }
  }

  /** Unplugged, or the permission was taken back: try whatever else there is. */
  private lost(kind: Kind, track: MediaStreamTrack): void {
    void this.serially(async () => {
      const slot = kind === "camera" ? this.cameraTrack : this.microphoneTrack;
      if (slot.peek() !== track) return;
      const enabled = track.enabled;
      this.put(kind, null);
      if (await this.open(kind)) {
        if (kind === "microphone" && !enabled) {
          const next = slot.peek();
          if (next !== null) next.enabled = false;
          this.microphoneOn.value = false;
        }
        await this.list();
      }
    });
  }

  private readonly onChange = (): void => {
    void this.list();
  };

  private watch(): void {
    if (this.watching || navigator.mediaDevices === undefined) return;
    this.watching = true;
    navigator.mediaDevices.addEventListener("devicechange", this.onChange);
  }

  private async list(): Promise<void> {
    if (navigator.mediaDevices?.enumerateDevices === undefined) return;
    const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const of = (kind: MediaDeviceKind): DeviceChoice[] =>
      all.filter((device) => device.kind === kind && device.deviceId !== "").map(({ deviceId, label }) => ({ id: deviceId, label }));
    this.cameras.value = of("videoinput");
    this.microphones.value = of("audioinput");
    this.speakers.value = canChooseSpeaker() ? of("audiooutput") : [];
    const there = (choices: DeviceChoice[], id: string | undefined): boolean => choices.some((choice) => choice.id === id);
    if (this.speaker.peek() === null && there(this.speakers.peek(), this.chosen.speaker)) {
      await this.chooseSpeaker(this.chosen.speaker as string);
    }
    this.speaker.value ??= this.speakers.peek()[0]?.id ?? null;
  }

  private keep(kind: Kind | "speaker", id: string): void {
    this.chosen[kind] = id;
    try {
      localStorage.setItem(REMEMBERED, JSON.stringify(this.chosen));
    } catch {
      // storage is forbidden or full: the choice lasts as long as the page
    }
  }

  private measure(track: MediaStreamTrack | null): void {
    if (this.meter !== null) {
      clearInterval(this.meter.timer);
      void this.meter.context.close();
      this.meter = null;
      this.level.value = 0;
    }
    if (track === null || typeof AudioContext === "undefined") return;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      if (context.state === "suspended") void context.resume().catch(() => undefined);
      analyser.getFloatTimeDomainData(samples);
      const next = loudness(samples);
      if (next !== this.level.peek()) this.level.value = next;
    }, LEVEL_EVERY_MS);
    this.meter = { context, timer };
  }
}

/** Samples to 0…1: −60 dB of full scale or less is 0, −6 dB is 1, in steps of 0.02. */
export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  const decibels = 20 * Math.log10(Math.max(rms, 1e-6));
  return Math.round(50 * Math.min(1, Math.max(0, (decibels + 60) / 54))) / 50;
}

function facingOf(track: MediaStreamTrack | null): "user" | "environment" | null {
  const facing = track?.getSettings().facingMode;
  return facing === "user" || facing === "environment" ? facing : null;
}

/** What to ask for after a camera that looks this way; null: there is no other. The one on the back is for small print: it is asked for more. */
export function turned(facing: "user" | "environment" | null, current: string | undefined, cameras: readonly DeviceChoice[]): MediaTrackConstraints | null {
  if (cameras.length < 2) return null;
  if (facing === "user") return { ...CAMERA, width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: { ideal: "environment" } };
  if (facing === "environment") return { ...CAMERA, facingMode: { ideal: "user" } };
  const next = cameras[(cameras.findIndex(({ id }) => id === current) + 1) % cameras.length];
  return next === undefined ? null : { ...CAMERA, deviceId: { exact: next.id } };
}

async function permission(name: "camera" | "microphone"): Promise<boolean> {
  try {
    return (await navigator.permissions.query({ name })).state === "denied";
  } catch {
    return false; // the browser does not tell
  }
}

function record(track: MediaStreamTrack, ms: number): Promise<Blob> {
  return new Promise((resolve, reject) => {
    const recorder = new MediaRecorder(new MediaStream([track]));
    const parts: Blob[] = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => resolve(new Blob(parts, { type: recorder.mimeType }));
    recorder.onerror = () => reject(new DOMException("", "AbortError"));
    recorder.start();
    setTimeout(() => recorder.state !== "inactive" && recorder.stop(), ms);
  });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function recall(): Partial<Record<Kind | "speaker", string>> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(REMEMBERED) ?? "{}");
    if (typeof kept !== "object" || kept === null) return {};
    return Object.fromEntries(
      Object.entries(kept).filter(([kind, id]) => ["camera", "microphone", "speaker"].includes(kind) && typeof id === "string"),
    );
  } catch {
    return {};
  }
}

export const devices = new BrowserDevices();
