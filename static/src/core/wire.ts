/** The client's half of the signalling protocol, without a socket, a clock or a page: events and `now` in, actions out.
 *
 *  `hello` → `welcome`, then numbered messages both ways, each acknowledged. After a cut the same numbers go out again, so
 *  nothing is lost and nothing is handled twice. The contract is docs/protocol.md; times are milliseconds of any steady clock. */
import {
  CLOSE_NUMBERS,
  MAX_FRAME_BYTES,
  PROTOCOL_VERSION,
  RETRYABLE,
  type ClientBody,
  type ClientFrame,
  type CloseCode,
  type ErrorCode,
  type ServerBody,
  type ServerFrame,
  type Welcome,
} from "../protocol.gen";

export const WIRE_LIMITS = {
  /** Unacknowledged and unsent messages; beyond it `send` refuses, so that the page can say so. All of them go out at once
   *  after a cut: they stay below what the server takes in one burst. */
  outbox: 100,
  outboxBytes: 512 * 1024,
  /** Sent messages remembered to explain a later `error`; the oldest is forgotten first. */
  remembered: 256,
  connectMs: 10_000, // opening the socket
  reconnectMs: 4_000, // the same while the server keeps the place: an attempt that hangs is given up for another
  welcomeMs: 10_000, // from open to `welcome`
  patienceMs: 1_000, // an attempt younger than this is not given up for another
  pongMs: 5_000, // silence after a ping
  probeMs: 3_000, // the same after the network came back
  ackMs: 200, // how long an acknowledgement waits for a message to ride on
  ackEvery: 16, // or how many messages it waits for
  keptMs: [150, 500, 1_000, 1_500], // between attempts while the server keeps the place: the line may be back any moment
  backoffMs: [500, 2_000, 4_000, 8_000], // afterwards, and where there never was a place
} as const;

/** True of one moment of one connection: not kept while there is none, not repeated on one that starts anew. Whoever says them
 *  says them again on `welcome`. */
const MOMENTARY: ReadonlySet<ClientBody["type"]> = new Set(["media.offer", "track.state", "quality.report"]);

export type WireState = "idle" | "connecting" | "greeting" | "open" | "waiting" | "ended";

export type Action =
  | { do: "connect" }
  | { do: "transmit"; text: string }
  | { do: "close" } // drop the socket; what it still says is ignored
  | { do: "welcome"; welcome: Welcome }
  | { do: "deliver"; body: ServerBody }
  | { do: "refused"; code: ErrorCode; detail: string; body: ClientBody | null }
  | { do: "cut" } // the connection is gone, another is being tried
  | { do: "ended"; code: CloseCode };

interface Numbered {
  seq: number;
  body: ClientBody;
  bytes: number;
}

const encoder = new TextEncoder();

function codeOfNumber(number: number): CloseCode | null {
  for (const [code, value] of Object.entries(CLOSE_NUMBERS)) {
    if (value === number) return code as CloseCode;
  }
  return null;
}

/** One place in a session, or one desk: lives as long as the page, across as many sockets as it takes. */
export class Wire {
  private current: WireState = "idle";
  private resumeKey: string | null = null;
  private sent = 0; // last number given to a message
  private received = 0; // last server message handled
  private acknowledged = 0; // what the server knows of `received`
  private outbox: Numbered[] = [];
  private remembered: Numbered[] = [];
  private attempts = 0; // since the last step of `pause` began: while the place is kept, then anew
  private keepMs = 20_000;
  private keptUntil = -Infinity; // the place is kept until then, as far as this side can know
  private pings = 0;
  private heartbeatMs = 15_000;
  private connectAt: number | null = null;
  private triedAt = 0; // when the running attempt began
  private timeoutAt: number | null = null; // connecting, greeting: give up on this socket
  private ackAt: number | null = null;
  private pingAt: number | null = null;
  private deadAt: number | null = null;

  constructor(
    private token: string,
    private readonly random: () => number = Math.random,
  ) {}

  get state(): WireState {
    return this.current;
  }

  /** How many messages wait for their acknowledgement. */
  get pending(): number {
    return this.outbox.length;
  }

  /** When `tick` wants to be called next, or null. */
  get deadline(): number | null {
    const times = [this.connectAt, this.timeoutAt, this.ackAt, this.pingAt, this.deadAt].filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  setToken(token: string): void {
    this.token = token;
  }

  start(now: number): Action[] {
    return this.current === "idle" ? this.connect(now) : [];
  }

  /** The network may be back, or the page is visible again: try at once, or find out whether the socket still lives. */
  kick(now: number): Action[] {
    if (this.current === "waiting") return this.connect(now);
    if (this.current === "connecting" || this.current === "greeting") {
      // An attempt from before the network came back may hang until its deadline: a young one is left alone.
      const old = this.timeoutAt !== null && now - this.triedAt > WIRE_LIMITS.patienceMs;
      return old ? [{ do: "close" }, ...this.connect(now)] : [];
    }
    if (this.current !== "open") return [];
    const actions: Action[] = [this.ping(now)];
    this.deadAt = Math.min(this.deadAt ?? Infinity, now + WIRE_LIMITS.probeMs);
    return actions;
  }

  opened(now: number): Action[] {
    if (this.current !== "connecting") return [];
    this.current = "greeting";
    this.timeoutAt = now + WIRE_LIMITS.welcomeMs;
    const hello: ClientFrame = {
      t: "hello",
      version: PROTOCOL_VERSION,
      token: this.token,
      ...(this.resumeKey === null ? {} : { resume: { key: this.resumeKey, ack: this.received } }),
    };
    return [{ do: "transmit", text: JSON.stringify(hello) }];
  }

  /** The socket closed with this number (RFC 6455 §7.4); without a `bye` before it. */
  closed(now: number, number: number): Action[] {
    if (this.current === "ended" || this.current === "idle" || this.current === "waiting") return [];
    const code = codeOfNumber(number);
    if (code !== null && number >= 4000 && !RETRYABLE.includes(code)) return this.end(code);
    return this.lose(now, code === "resume_unknown" && this.forget());
  }

  tick(now: number): Action[] {
    const due = (at: number | null): boolean => at !== null && at <= now;
    if (due(this.timeoutAt) || due(this.deadAt)) return [{ do: "close" }, ...this.lose(now)];
    if (due(this.connectAt)) return this.connect(now);
    const actions: Action[] = [];
    if (due(this.ackAt)) actions.push(this.ack(now));
    if (due(this.pingAt)) actions.push(this.ping(now));
    return actions;
  }

  /** Takes a message for as long as it needs; null when it cannot be taken (ended, outbox full, too large). */
  send(now: number, body: ClientBody): Action[] | null {
    if (this.current === "ended") return null;
    if (this.current !== "open" && MOMENTARY.has(body.type)) return null;
    if (this.outbox.length >= WIRE_LIMITS.outbox) return null;
    const text = this.encode(this.sent + 1, body);
    const bytes = encoder.encode(text).length;
    if (bytes > MAX_FRAME_BYTES || bytes + this.outbox.reduce((sum, one) => sum + one.bytes, 0) > WIRE_LIMITS.outboxBytes) {
      return null;
    }
    const numbered = { seq: this.sent + 1, body, bytes };
    this.sent += 1;
    this.outbox.push(numbered);
    this.remember(numbered);
    return this.current === "open" ? [this.transmit(now, text)] : [];
  }

  frame(now: number, text: string): Action[] {
    if (this.current !== "greeting" && this.current !== "open") return [];
    const frame = parse(text);
    if (frame === null) return [{ do: "close" }, ...this.lose(now)];
    if (this.deadAt !== null && this.current === "open") this.deadAt = null; // any sign of life will do
    switch (frame.t) {
      case "welcome":
        return this.welcomed(now, frame);
      case "msg":
        return this.current === "open" ? this.message(now, frame.seq, frame.ack, frame.body) : [];
      case "ack":
        this.settle(frame.ack);
        return [];
      case "pong":
        return [];
      case "bye":
        return this.bye(now, frame.code, frame.retry);
    }
  }

  /** Over, by the page's own wish. */
  stop(): Action[] {
    return this.current === "ended" ? [] : [{ do: "close" }, ...this.end("left")];
  }

  private welcomed(now: number, welcome: Welcome): Action[] {
    if (this.current !== "greeting") return [];
    this.current = "open";
    this.attempts = 0;
    this.timeoutAt = null;
    this.heartbeatMs = Math.max(1, welcome.heartbeat_s) * 1000;
    this.keepMs = welcome.keep_s * 1000;
    this.keptUntil = -Infinity;
    this.resumeKey = welcome.resume_key;
    if (welcome.resumed) {
      this.settle(welcome.ack);
    } else {
      const kept = this.outbox.filter(({ body }) => !MOMENTARY.has(body.type));
      this.outbox = kept.map((one, index) => ({ ...one, seq: index + 1 }));
      this.remembered = [...this.outbox];
      this.sent = this.outbox.length;
      this.received = 0;
    }
    this.acknowledged = this.received;
    this.ackAt = null;
    this.pingAt = now + this.heartbeatMs;
    const again = this.outbox.map(({ seq, body }) => this.transmit(now, this.encode(seq, body)));
    return [...again, { do: "welcome", welcome }]; // in order, whatever the page sends on `welcome`
  }

  private message(now: number, seq: number, ack: number, body: ServerBody): Action[] {
    this.settle(ack);
    if (seq <= this.received) return []; // repeated after a cut
    if (seq !== this.received + 1) return [{ do: "close" }, ...this.lose(now)]; // one is missing: resume brings it
    this.received = seq;
    const actions: Action[] = [];
    if (this.received - this.acknowledged >= WIRE_LIMITS.ackEvery) actions.push(this.ack(now));
    else this.ackAt ??= now + WIRE_LIMITS.ackMs;
    if (body.type === "token.renewed") this.token = body.token;
    if (body.type === "error") {
      const about = this.remembered.find((sent) => sent.seq === body.re)?.body ?? null;
      return [...actions, { do: "refused", code: body.code, detail: body.detail, body: about }];
    }
    return [...actions, { do: "deliver", body }];
  }

  private bye(now: number, code: CloseCode, retry: boolean): Action[] {
    if (!retry) return [{ do: "close" }, ...this.end(code)];
    return [{ do: "close" }, ...this.lose(now, code === "resume_unknown" && this.forget())];
  }

  private connect(now: number): Action[] {
    this.current = "connecting";
    this.connectAt = null;
    this.triedAt = now;
    this.timeoutAt = now + (now < this.keptUntil ? WIRE_LIMITS.reconnectMs : WIRE_LIMITS.connectMs);
    return [{ do: "connect" }];
  }

  /** The server has given the place up; whether that is news, and worth starting anew at once. */
  private forget(): boolean {
    const news = this.resumeKey !== null;
    this.resumeKey = null;
    return news;
  }

  private lose(now: number, atOnce = false): Action[] {
    this.clearTimes();
    if (this.current === "open") this.keptUntil = now + this.keepMs;
    this.current = "waiting";
    if (atOnce) {
      this.connectAt = now;
      return [{ do: "cut" }];
    }
    if (now >= this.keptUntil && Number.isFinite(this.keptUntil)) {
      this.keptUntil = -Infinity;
      this.attempts = 0;
    }
    const steps = now < this.keptUntil ? WIRE_LIMITS.keptMs : WIRE_LIMITS.backoffMs;
    const step = steps[Math.min(this.attempts, steps.length - 1)] ?? 8_000;
    this.attempts += 1;
    this.connectAt = now + step * (0.5 + this.random()); // 50 to 150 %: a restarted server is not met by everybody at once
    return [{ do: "cut" }];
  }

  private end(code: CloseCode): Action[] {
    this.clearTimes();
    this.current = "ended";
    this.outbox = [];
    this.remembered = [];
    return [{ do: "ended", code }];
  }

  private clearTimes(): void {
    this.connectAt = this.timeoutAt = this.ackAt = this.pingAt = this.deadAt = null;
  }

  private settle(ack: number): void {
    this.outbox = this.outbox.filter(({ seq }) => seq > ack);
  }

  private remember(numbered: Numbered): void {
    this.remembered.push(numbered);
    if (this.remembered.length > WIRE_LIMITS.remembered) this.remembered.shift();
  }

  private encode(seq: number, body: ClientBody): string {
    return JSON.stringify({ t: "msg", seq, ack: this.received, body } satisfies ClientFrame);
  }

  private transmit(now: number, text: string): Action {
    this.acknowledged = this.received; // every message carries it
    this.ackAt = null;
    this.pingAt = now + this.heartbeatMs;
    return { do: "transmit", text };
  }

  private ack(now: number): Action {
    return this.transmit(now, JSON.stringify({ t: "ack", ack: this.received } satisfies ClientFrame));
  }

  private ping(now: number): Action {
    this.pings += 1;
    const waiting = this.ackAt;
    const action = { do: "transmit", text: JSON.stringify({ t: "ping", n: this.pings } satisfies ClientFrame) } as const;
    this.pingAt = now + this.heartbeatMs;
    this.ackAt = waiting;
    this.deadAt ??= now + WIRE_LIMITS.pongMs;
    return action;
  }
}

function parse(text: string): ServerFrame | null {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof frame !== "object" || frame === null || !("t" in frame)) return null;
  const known = ["welcome", "msg", "ack", "pong", "bye"];
  return typeof frame.t === "string" && known.includes(frame.t) ? (frame as ServerFrame) : null;
}
