/** Stand-ins for what happy-dom lacks, for unit tests only: a WebSocket that the test plays the server of, a peer connection that
 *  remembers what it was told. The browser tests use the real ones. */
import type { ClientBody, ClientFrame, ServerBody, ServerFrame } from "../protocol.gen";

export class FakeSocket {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static all: FakeSocket[] = [];
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  readonly frames: ClientFrame[] = [];
  closed = false;
  private seq = 0;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  static get last(): FakeSocket {
    const socket = FakeSocket.all.at(-1);
    if (socket === undefined) throw new Error("no socket was opened");
    return socket;
  }

  send(text: string): void {
    this.frames.push(JSON.parse(text) as ClientFrame);
  }

  close(): void {
    this.closed = true;
  }

  // what the test's server does

  frame(frame: ServerFrame): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  say(body: ServerBody): void {
    this.seq += 1;
    this.frame({ t: "msg", seq: this.seq, ack: this.heard, body });
  }

  cut(): void {
    this.onclose?.({ code: 1006 });
  }

  get heard(): number {
    return this.frames.reduce((most, frame) => (frame.t === "msg" ? Math.max(most, frame.seq) : most), 0);
  }

  bodies<T extends ClientBody["type"]>(type: T): Extract<ClientBody, { type: T }>[] {
    return this.frames.flatMap((frame) => (frame.t === "msg" && frame.body.type === type ? [frame.body as Extract<ClientBody, { type: T }>] : []));
  }
}

export class FakeTrack {
  enabled = true;
  stopped = false;
  contentHint = "";
  onended: (() => void) | null = null;
  constructor(
    readonly kind: "audio" | "video",
    private readonly settings: MediaTrackSettings = {},
  ) {}
  stop(): void {
    this.stopped = true;
  }
  getSettings(): MediaTrackSettings {
    return this.settings;
  }
}

export const track = (kind: "audio" | "video", settings: MediaTrackSettings = {}): MediaStreamTrack =>
  new FakeTrack(kind, settings) as unknown as MediaStreamTrack;

export class FakeStream {
  private static made = 0;
  readonly id = `stream-${(FakeStream.made += 1)}`;
  constructor(private readonly tracks: MediaStreamTrack[]) {}
  getTracks(): MediaStreamTrack[] {
    return this.tracks;
  }
  getVideoTracks(): MediaStreamTrack[] {
    return this.tracks.filter(({ kind }) => kind === "video");
  }
}

interface FakeSender {
  track: MediaStreamTrack | null;
  encodings: RTCRtpEncodingParameters[];
  /** Every call of `setParameters`, as the encodings were then. */
  set: RTCRtpEncodingParameters[][];
  replaceTrack(track: MediaStreamTrack | null): Promise<void>;
  getParameters(): { encodings: RTCRtpEncodingParameters[] };
  setParameters(parameters: { encodings: RTCRtpEncodingParameters[] }): Promise<void>;
}

interface FakeTransceiver {
  kind: "audio" | "video";
  direction: string;
  mid: string | null;
  sender: FakeSender;
  receiver: { track: MediaStreamTrack };
  setCodecPreferences(): void;
}

export class FakePeer {
  static all: FakePeer[] = [];
  connectionState = "new";
  iceConnectionState = "new";
  signalingState = "stable";
  localDescription: { sdp: string } | null = null;
  onconnectionstatechange: (() => void) | null = null;
  oniceconnectionstatechange: (() => void) | null = null;
  readonly transceivers: FakeTransceiver[] = [];
  restarts = 0;
  offers = 0;
  answers: string[] = [];
  closed = false;

  constructor(readonly made: RTCConfiguration = {}) {
    this.configuration = made;
    FakePeer.all.push(this);
  }

  configuration: RTCConfiguration;

  setConfiguration(configuration: RTCConfiguration): void {
    this.configuration = configuration;
  }

  static get last(): FakePeer {
    const peer = FakePeer.all.at(-1);
    if (peer === undefined) throw new Error("no connection was made");
    return peer;
  }

  /** What this browser does not take; `addTransceiver` throws. */
  static refuses: (encodings: readonly RTCRtpEncodingParameters[]) => boolean = () => false;

  addTransceiver(trackOrKind: MediaStreamTrack | "audio" | "video", init: { direction: string; sendEncodings?: RTCRtpEncodingParameters[] }): FakeTransceiver {
    const asked = init.sendEncodings ?? [];
    if (FakePeer.refuses(asked)) throw new DOMException("", "OperationError");
    const given = typeof trackOrKind === "string" ? null : trackOrKind;
    const kind = typeof trackOrKind === "string" ? trackOrKind : (trackOrKind.kind as "audio" | "video");
    const sender: FakeSender = {
      track: given,
      encodings: asked.length > 0 ? asked : [{}],
      set: [],
      replaceTrack: async (next) => {
        sender.track = next;
      },
      getParameters: () => ({ encodings: sender.encodings.map((one) => ({ ...one })) }),
      setParameters: async ({ encodings }) => {
        sender.set.push(encodings);
        sender.encodings = encodings;
      },
    };
    const made: FakeTransceiver = { kind, direction: init.direction, mid: null, sender, receiver: { track: track(kind) }, setCodecPreferences: () => undefined };
    this.transceivers.push(made);
    return made;
  }

  createDataChannel(): object {
    return {};
  }

  restartIce(): void {
    this.restarts += 1;
  }

  async createOffer(): Promise<object> {
    this.offers += 1;
    return { type: "offer", sdp: `offer ${FakePeer.all.indexOf(this)}.${this.offers}` };
  }

  async setLocalDescription(description: { sdp: string }): Promise<void> {
    this.localDescription = description;
    this.signalingState = "have-local-offer";
    this.transceivers.forEach((one, index) => (one.mid = String(index)));
  }

  async setRemoteDescription({ sdp }: { sdp: string }): Promise<void> {
    this.answers.push(sdp);
    this.signalingState = "stable";
  }

  close(): void {
    this.closed = true;
  }

  async getStats(): Promise<Map<string, object>> {
    return new Map();
  }

  // what the test's network does

  become(state: "connected" | "disconnected" | "failed"): void {
    this.connectionState = this.iceConnectionState = state;
    this.oniceconnectionstatechange?.();
    this.onconnectionstatechange?.();
  }

  /** What is sent now: microphone, camera, screen. */
  get sending(): (MediaStreamTrack | null)[] {
    return this.transceivers.slice(0, 3).map(({ sender }) => sender.track);
  }
}
