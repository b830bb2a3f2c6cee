import { describe, expect, it } from "vitest";
import type { ClientBody, ClientFrame, ServerBody, ServerFrame, Welcome } from "../protocol.gen";
import { Wire, WIRE_LIMITS, type Action } from "./wire";

const text = (frame: ServerFrame): string => JSON.stringify(frame);
const welcome = (part: Partial<Welcome> = {}): Welcome => ({
  t: "welcome",
  version: 1,
  connection: "CN_1",
  resume_key: "key-1",
  resumed: false,
  ack: 0,
  heartbeat_s: 4,
  keep_s: 20,
  server_time: "2026-01-01T00:00:00Z",
  snapshot: null,
  ...part,
});
const said = (actions: Action[] | null): ClientFrame[] =>
  (actions ?? []).flatMap((action) => (action.do === "transmit" ? [JSON.parse(action.text) as ClientFrame] : []));
const kinds = (actions: Action[]): string[] => actions.map((action) => action.do);
const chat = (client_id: string): ClientBody => ({ type: "chat.send", client_id, text: client_id });
const speaking: ServerBody = { type: "speaking", participants: [] };

function open(wire = new Wire("token", () => 0.5), part: Partial<Welcome> = {}, now = 0): Wire {
  if (wire.state === "idle") wire.start(now);
  wire.opened(now);
  wire.frame(now, text(welcome(part)));
  expect(wire.state).toBe("open");
  return wire;
}

describe("greeting", () => {
  it("says hello with the token, without resume the first time", () => {
    const wire = new Wire("token");
    expect(kinds(wire.start(0))).toEqual(["connect"]);
    expect(said(wire.opened(0))).toEqual([{ t: "hello", version: 1, token: "token" }]);
  });

  it("sends what was said before the welcome, in order, before the page hears of the welcome", () => {
    const wire = new Wire("token");
    expect(wire.send(0, chat("a"))).toEqual([]);
    wire.start(0);
    wire.opened(0);
    wire.send(0, chat("b"));
    const actions = wire.frame(0, text(welcome()));
    expect(kinds(actions)).toEqual(["transmit", "transmit", "welcome"]);
    expect(said(actions)).toEqual([
      { t: "msg", seq: 1, ack: 0, body: chat("a") },
      { t: "msg", seq: 2, ack: 0, body: chat("b") },
    ]);
  });

  it("gives up on a socket that does not open, or is not greeted", () => {
    for (const greeted of [false, true]) {
      const wire = new Wire("token", () => 0.5);
      wire.start(0);
      if (greeted) wire.opened(0);
      expect(wire.deadline).toBe(10_000);
      expect(kinds(wire.tick(10_000))).toEqual(["close", "cut"]);
      expect(wire.state).toBe("waiting");
    }
  });
});

describe("numbers and acknowledgements", () => {
  it("delivers each server message once and in order", () => {
    const wire = open();
    expect(kinds(wire.frame(1, text({ t: "msg", seq: 1, ack: 0, body: speaking })))).toEqual(["deliver"]);
    expect(wire.frame(2, text({ t: "msg", seq: 1, ack: 0, body: speaking }))).toEqual([]);
  });

  it("drops the socket when a number is missing, and asks for it by resuming", () => {
    const wire = open();
    wire.frame(1, text({ t: "msg", seq: 1, ack: 0, body: speaking }));
    expect(kinds(wire.frame(2, text({ t: "msg", seq: 3, ack: 0, body: speaking })))).toEqual(["close", "cut"]);
    wire.tick(1_000);
    expect(said(wire.opened(1_000))).toEqual([{ t: "hello", version: 1, token: "token", resume: { key: "key-1", ack: 1 } }]);
  });

  it("acknowledges after a while, or with the next message, or after many", () => {
    const wire = open();
    wire.frame(0, text({ t: "msg", seq: 1, ack: 0, body: speaking }));
    expect(wire.tick(WIRE_LIMITS.ackMs - 1)).toEqual([]);
    expect(said(wire.tick(WIRE_LIMITS.ackMs))).toEqual([{ t: "ack", ack: 1 }]);
    wire.frame(300, text({ t: "msg", seq: 2, ack: 0, body: speaking }));
    expect(said(wire.send(310, chat("a")))).toEqual([{ t: "msg", seq: 1, ack: 2, body: chat("a") }]);
    expect(wire.tick(600)).toEqual([]);
    const acks = Array.from({ length: WIRE_LIMITS.ackEvery }, (_, index) =>
      said(wire.frame(700, text({ t: "msg", seq: 3 + index, ack: 0, body: speaking }))),
    ).flat();
    expect(acks).toEqual([{ t: "ack", ack: 18 }]);
  });

  it("keeps a message until it is acknowledged", () => {
    const wire = open();
    wire.send(0, chat("a"));
    wire.send(0, chat("b"));
    expect(wire.pending).toBe(2);
    wire.frame(1, text({ t: "ack", ack: 1 }));
    expect(wire.pending).toBe(1);
    wire.frame(1, text({ t: "msg", seq: 1, ack: 2, body: speaking }));
    expect(wire.pending).toBe(0);
  });

  it("explains an error by the message that caused it, also after its acknowledgement", () => {
    const wire = open();
    wire.send(0, chat("a"));
    wire.frame(0, text({ t: "ack", ack: 1 }));
    const error: ServerBody = { type: "error", re: 1, code: "not_allowed", detail: "no" };
    expect(wire.frame(0, text({ t: "msg", seq: 1, ack: 1, body: error }))).toEqual([
      { do: "refused", code: "not_allowed", detail: "no", body: chat("a") },
    ]);
  });
});

describe("cuts", () => {
  it("resumes: what is not acknowledged goes out again under its own number", () => {
    const wire = open();
    wire.send(0, chat("a"));
    wire.send(0, chat("b"));
    expect(kinds(wire.closed(0, 1006))).toEqual(["cut"]);
    wire.send(10, chat("c"));
    wire.tick(10_000);
    wire.opened(10_000);
    const actions = wire.frame(10_000, text(welcome({ resumed: true, ack: 1, resume_key: "key-2" })));
    expect(said(actions).map((frame) => (frame.t === "msg" ? [frame.seq, frame.body] : frame))).toEqual([
      [2, chat("b")],
      [3, chat("c")],
    ]);
  });

  it("starts anew when the place is unknown: numbers from 1, offers and figures are not repeated", () => {
    const wire = open();
    wire.send(0, { type: "media.offer", sdp: "v=0" });
    wire.send(0, chat("a"));
    wire.closed(0, 1006);
    wire.tick(10_000);
    wire.opened(10_000);
    expect(kinds(wire.frame(10_000, text({ t: "bye", code: "resume_unknown", detail: "", retry: true })))).toEqual(["close", "cut"]);
    wire.tick(20_000);
    expect(said(wire.opened(20_000))).toEqual([{ t: "hello", version: 1, token: "token" }]);
    const actions = wire.frame(20_000, text(welcome({ resume_key: "key-9" })));
    expect(said(actions)).toEqual([{ t: "msg", seq: 1, ack: 0, body: chat("a") }]);
    expect(wire.frame(20_000, text({ t: "msg", seq: 1, ack: 1, body: speaking }))).toHaveLength(1);
  });

  it("does not sit out an attempt that hangs from before the network came back", () => {
    const wire = open();
    wire.closed(0, 1006);
    wire.tick(1_000);
    expect(wire.kick(1_500)).toEqual([]);
    expect(kinds(wire.kick(2_500))).toEqual(["close", "connect"]);
    expect(wire.deadline).toBe(6_500);
    wire.opened(3_000);
    expect(kinds(wire.kick(5_000))).toEqual(["close", "connect"]);
  });

  it("starts anew at once when the place was given up, however long it has been trying", () => {
    const wire = open(new Wire("token", () => 1));
    for (let round = 0; round < 8; round += 1) {
      wire.closed(0, 1006);
      wire.tick(wire.deadline ?? 0);
    }
    wire.opened(50_000);
    wire.frame(50_000, text({ t: "bye", code: "resume_unknown", detail: "", retry: true }));
    expect(wire.deadline).toBe(50_000);
    expect(kinds(wire.tick(50_000))).toEqual(["connect"]);
    wire.opened(50_000);
    wire.frame(50_000, text({ t: "bye", code: "resume_unknown", detail: "", retry: true }));
    expect(wire.deadline).toBeGreaterThan(50_000); // once only
  });

  it("waits longer each time, with jitter, and tries at once when the network is back", () => {
    const wire = open(new Wire("token", () => 0));
    wire.closed(0, 1006);
    expect(wire.deadline).toBe(75);
    wire.tick(75);
    wire.closed(75, 1006);
    expect(wire.deadline).toBe(75 + 250);
    expect(kinds(wire.kick(80))).toEqual(["connect"]);
  });

  it("pauses for 3 s at most while its place is kept, at the worst jitter and with attempts that hang", () => {
    for (const hangs of [false, true]) {
      const wire = open(new Wire("token", () => 1));
      wire.closed(0, 1006);
      let now = 0;
      let longest = 0;
      while (now < 20_000) {
        const at = wire.deadline ?? Infinity;
        longest = Math.max(longest, at - now);
        now = at;
        expect(kinds(wire.tick(now))).toEqual(["connect"]);
        if (hangs) wire.tick((now = wire.deadline ?? Infinity));
        else wire.closed(now, 1006);
      }
      expect(longest).toBeLessThanOrEqual(3_000);
    }
  });

  it("does not press a server for ever: once the place is gone the pauses grow", () => {
    const wire = open(new Wire("token", () => 1));
    wire.closed(0, 1006);
    let now = 0;
    let pause = 0;
    while (now < 120_000) {
      const at = wire.deadline ?? Infinity;
      pause = at - now;
      now = at;
      wire.tick(now);
      wire.closed(now, 1006);
    }
    expect(pause).toBe(12_000);
  });

  it("gives a hanging attempt up sooner while its place is kept", () => {
    const wire = open();
    wire.closed(0, 1006);
    const tried = wire.deadline ?? 0;
    wire.tick(tried);
    expect(wire.deadline).toBe(tried + 4_000);
  });

  it("uses a renewed token for the next hello", () => {
    const wire = open();
    const renewed: ServerBody = { type: "token.renewed", token: "newer", expires_at: "2026-01-01T00:00:00Z" };
    wire.frame(0, text({ t: "msg", seq: 1, ack: 0, body: renewed }));
    wire.closed(0, 1006);
    wire.tick(1_000);
    expect(said(wire.opened(1_000))[0]).toMatchObject({ token: "newer" });
  });
});

describe("heartbeat", () => {
  it("pings when it has said nothing, and notices that nobody answers", () => {
    const wire = open();
    expect(wire.tick(3_999)).toEqual([]);
    expect(said(wire.tick(4_000))).toEqual([{ t: "ping", n: 1 }]);
    wire.frame(4_010, text({ t: "pong", n: 1 }));
    expect(said(wire.tick(8_000))).toEqual([{ t: "ping", n: 2 }]);
    expect(kinds(wire.tick(8_000 + WIRE_LIMITS.pongMs))).toEqual(["close", "cut"]);
  });

  it("finds out quickly when the network has changed under an open socket", () => {
    const wire = open();
    expect(said(wire.kick(100))).toEqual([{ t: "ping", n: 1 }]);
    expect(kinds(wire.tick(100 + WIRE_LIMITS.probeMs))).toEqual(["close", "cut"]);
  });
});

describe("ends", () => {
  it("ends on a bye without retry, and takes nothing more", () => {
    const wire = open();
    expect(wire.frame(0, text({ t: "bye", code: "removed", detail: "", retry: false }))).toEqual([
      { do: "close" },
      { do: "ended", code: "removed" },
    ]);
    expect(wire.send(0, chat("a"))).toBeNull();
    expect(wire.deadline).toBeNull();
  });

  it("comes back after a bye with retry", () => {
    const wire = open();
    expect(kinds(wire.frame(0, text({ t: "bye", code: "going_away", detail: "", retry: true })))).toEqual(["close", "cut"]);
  });

  it("understands a close number when the bye was lost", () => {
    expect(open().closed(0, 4410)).toEqual([{ do: "ended", code: "session_ended" }]);
    const forgotten = open();
    expect(kinds(forgotten.closed(0, 4404))).toEqual(["cut"]);
    forgotten.tick(1_000);
    expect(said(forgotten.opened(1_000))).toEqual([{ t: "hello", version: 1, token: "token" }]);
  });

  it("stops by itself", () => {
    expect(kinds(open().stop())).toEqual(["close", "ended"]);
    const ended = open();
    ended.stop();
    expect(ended.stop()).toEqual([]);
  });
});

describe("limits and nonsense", () => {
  it("refuses what would overflow the outbox, or a frame", () => {
    const wire = new Wire("token");
    for (let count = 0; count < WIRE_LIMITS.outbox; count += 1) expect(wire.send(0, chat(String(count)))).toEqual([]);
    expect(wire.send(0, chat("more"))).toBeNull();
    expect(open().send(0, { type: "media.offer", sdp: "x".repeat(300_000) })).toBeNull();
    const bytes = new Wire("token");
    while (bytes.send(0, { type: "chat.send", client_id: "a", text: "同".repeat(4_000) }) !== null);
    expect(bytes.pending).toBeGreaterThan(30);
    expect(bytes.pending).toBeLessThan(WIRE_LIMITS.outbox);
  });

  it("does not keep momentary things while it is cut off", () => {
    const wire = new Wire("token");
    expect(wire.send(0, { type: "media.offer", sdp: "v=0" })).toBeNull();
    expect(wire.pending).toBe(0);
  });

  it.each(["", "null", "[]", "{}", '{"t":"odd"}', '{"t":5}', "{"])("drops a socket that says %s", (nonsense) => {
    expect(kinds(open().frame(0, nonsense))).toEqual(["close", "cut"]);
  });
});

describe("a lossy wire", () => {
  interface Line {
    up: string[];
    down: string[];
  }

  /** A server that follows docs/protocol.md, over a line that drops everything in flight at every cut. */
  function run(seed: number): { up: string[]; down: number[] } {
    let state = seed;
    const random = (): number => {
      state = (state * 1664525 + 1013904223) % 2 ** 32;
      return state / 2 ** 32;
    };
    const wire = new Wire("token", random);
    const up: string[] = [];
    const down: number[] = [];
    const server = { received: 0, sent: 0, kept: [] as { seq: number; body: ServerBody }[] };
    let line = null as Line | null; // changed by the closures below
    let greeted = null as Line | null;
    let now = 0;
    let key = 0;
    const perform = (actions: Action[]): void => {
      for (const action of actions) {
        if (action.do === "connect") {
          line = { up: [], down: [] };
          perform(wire.opened(now));
        } else if (action.do === "transmit") line?.up.push(action.text);
        else if (action.do === "close") line = null;
        else if (action.do === "deliver" && action.body.type === "chat.seen") down.push(action.body.number);
      }
    };
    const serve = (on: Line, frame: ClientFrame): void => {
      if (frame.t === "hello") {
        const resume = frame.resume ?? null;
        if (resume !== null) server.kept = server.kept.filter(({ seq }) => seq > resume.ack);
        key += 1;
        greeted = on;
        on.down.push(text(welcome({ resumed: resume !== null, ack: server.received, resume_key: `key-${key}` })));
        for (const { seq, body } of server.kept) on.down.push(text({ t: "msg", seq, ack: server.received, body }));
      } else if (frame.t === "msg" && frame.seq > server.received) {
        expect(frame.seq).toBe(server.received + 1);
        server.received = frame.seq;
        if (frame.body.type === "chat.send") up.push(frame.body.client_id);
      }
      if (frame.t === "msg" || frame.t === "ack") server.kept = server.kept.filter(({ seq }) => seq > frame.ack);
    };
    perform(wire.start(now));
    let sent = 0;
    for (let step = 0; step < 4_000; step += 1) {
      now += 20;
      const choice = random();
      if (choice < 0.05 && sent < 60) {
        sent += 1;
        perform(wire.send(now, chat(String(sent))) ?? []);
      } else if (choice < 0.1 && server.sent < 60 && greeted !== null) {
        server.sent += 1; // also while the line is cut
        const body: ServerBody = { type: "chat.seen", participant: "PA_1", number: server.sent };
        server.kept.push({ seq: server.sent, body });
        if (greeted === line) greeted.down.push(text({ t: "msg", seq: server.sent, ack: server.received, body }));
      } else if (choice < 0.12 && step < 3_000 && line !== null) {
        line = null;
        perform(wire.closed(now, 1006));
      }
      const moving = line;
      if (moving !== null) {
        const some = (): number => 1 + Math.floor(random() * 3);
        for (const frame of moving.up.splice(0, some())) serve(moving, JSON.parse(frame) as ClientFrame);
        for (const frame of moving.down.splice(0, some())) if (line === moving) perform(wire.frame(now, frame));
      }
      if (wire.deadline !== null && wire.deadline <= now) perform(wire.tick(now));
    }
    expect(wire.pending).toBe(0);
    expect(up).toEqual(Array.from({ length: sent }, (_, index) => String(index + 1)));
    expect(down).toEqual(Array.from({ length: server.sent }, (_, index) => index + 1));
    return { up, down };
  }

  it.each([1, 2, 3, 4, 5, 6, 7, 8])("loses nothing and repeats nothing (seed %i)", (seed) => {
    const { up, down } = run(seed);
    expect(up.length).toBeGreaterThan(40);
    expect(down.length).toBeGreaterThan(20);
  });
});
