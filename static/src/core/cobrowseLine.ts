/** A viewer's socket of co-browse: opened again after a cut, and asked now and then how long an answer takes. Knows no page and no signals. */
import type { ToViewer, ViewHello, ViewMessage } from "../cobrowse.gen";
import { letGo } from "./socket";

export const LINE_LIMITS = {
  openMs: 10_000, // from the attempt to the first frame
  pingMs: 5_000, // between an answer and the next question
  silenceMs: 20_000, // after a question; a chunk of a picture takes 8 s at 64 kbit/s
  backoffMs: [250, 1_000, 2_000, 4_000, 8_000],
} as const;

export interface LineEvents {
  /** A fresh connection has said its first word. */
  opened(): void;
  frame(body: ToViewer): void;
  /** How long an answer took; `tabMs`: from the server to the customer's page and back, null while nobody knows. */
  measured(serverMs: number, tabMs: number | null): void;
  cut(): void;
  /** For good: `code` of the server's last word. */
  over(code: string): void;
}

/** All of them: one that is left out does not compile. */
const TYPES: Record<ToViewer["type"], true> = {
  "view.state": true,
  "view.dom": true,
  "view.asset": true,
  "view.answer": true,
  "view.called": true,
  "view.done": true,
  "view.pong": true,
  pointer: true,
  mark: true,
  unmark: true,
  problem: true,
  bye: true,
};
const KNOWN: ReadonlySet<string> = new Set(Object.keys(TYPES));

export function viewUrl(location: Pick<Location, "protocol" | "host">): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/cobrowse/view`;
}

function parse(text: unknown): ToViewer | null | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== "object" || body === null || !("type" in body) || typeof body.type !== "string") return undefined;
    return KNOWN.has(body.type) ? (body as ToViewer) : null; // a newer server may say more
  } catch {
    return undefined;
  }
}

export class CoBrowseLine {
  private socket: WebSocket | null = null;
  private live = false; // this connection has said something
  private tries = 0;
  private stopped = false;
  private timer: ReturnType<typeof setTimeout> | undefined; // to open, to hear, to ask: one at a time
  private pings = 0;
  private askedAt: number | null = null;
  private readonly onNetwork = (): void => {
    if (!this.live) this.connect();
  };

  constructor(
    private readonly url: string,
    private readonly hello: () => ViewHello,
    private readonly events: LineEvents,
    private readonly now: () => number = () => performance.now(),
    private readonly chance: () => number = Math.random,
  ) {}

  start(): void {
    window.addEventListener("online", this.onNetwork);
    this.connect();
  }

  /** False while there is no connection: what is said then is not kept. */
  send(body: ViewMessage): boolean {
    if (!this.live || this.socket === null) return false;
    this.socket.send(JSON.stringify(body));
    return true;
  }

  stop(): void {
    this.stopped = true;
    window.removeEventListener("online", this.onNetwork);
    this.drop();
  }

  private connect(): void {
    if (this.stopped) return;
    this.drop();
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.url);
    } catch {
      this.again();
      return;
    }
    this.socket = socket;
    const from = (react: () => void) => (): void => {
      if (this.socket === socket) react(); // one that was dropped says nothing any more
    };
    socket.onopen = from(() => socket.send(JSON.stringify(this.hello())));
    socket.onclose = from(() => this.again());
    socket.onmessage = (event) => from(() => this.heard(event.data))();
    this.timer = setTimeout(() => this.again(), LINE_LIMITS.openMs);
  }

  private heard(data: unknown): void {
    const body = parse(data);
    if (body === undefined) {
      this.again();
      return;
    }
    if (body?.type === "bye") {
      if (body.again) this.again();
      else {
        this.stop();
        this.events.over(body.code);
      }
      return;
    }
    if (!this.live) {
      this.live = true;
      this.tries = 0;
      this.events.opened();
      this.ask();
    } else if (this.askedAt !== null) this.expect(); // a picture may stand in the answer's way
    if (body === null) return;
    if (body.type !== "view.pong") this.events.frame(body);
    else if (body.n === this.pings && this.askedAt !== null) {
      const took = this.now() - this.askedAt;
      this.askedAt = null;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(), LINE_LIMITS.pingMs);
      this.events.measured(took, body.tab_ms);
    }
  }

  private ask(): void {
    this.pings += 1;
    this.askedAt = this.now();
    this.send({ type: "view.ping", n: this.pings });
    this.expect();
  }

  private expect(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.again(), LINE_LIMITS.silenceMs);
  }

  private again(): void {
    const was = this.live;
    this.drop();
    if (was) this.events.cut();
    if (this.stopped) return;
    const step = LINE_LIMITS.backoffMs[Math.min(this.tries, LINE_LIMITS.backoffMs.length - 1)] ?? 0;
    this.tries += 1;
    this.timer = setTimeout(() => this.connect(), step * (0.75 + this.chance() / 2));
  }

  private drop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.live = false;
    this.askedAt = null;
    const socket = this.socket;
    this.socket = null;
    if (socket !== null) letGo(socket);
  }
}
