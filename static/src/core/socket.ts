/** The thin shell around `Wire`: a WebSocket, one timer, and the browser's word about the network. Knows no page. */
import type { ClientBody, CloseCode, ErrorCode, ServerBody, Welcome } from "../protocol.gen";
import { Wire, type Action, type WireState } from "./wire";

export interface SocketEvents {
  /** Connected: the first time, resumed, or anew (`welcome.resumed`). */
  welcome(welcome: Welcome): void;
  message(body: ServerBody): void;
  /** The server did not carry out `body` (null when it is too long ago to know). */
  refused(code: ErrorCode, detail: string, body: ClientBody | null): void;
  /** The connection is gone; another is being tried. */
  cut(): void;
  ended(code: CloseCode): void;
}

export function signalUrl(location: Pick<Location, "protocol" | "host">): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/signal`;
}

/** A socket for a token that is still on its way, so that the two need not wait for each other; null where that is not possible. */
export function openEarly(url: string): WebSocket | null {
  try {
    return new WebSocket(url);
  } catch {
    return null;
  }
}

/** Close one that nobody needs: browsers complain of a socket that is closed before it is open. */
export function letGo(socket: WebSocket): void {
  if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
  else socket.close();
}

export class SignalSocket {
  private readonly wire: Wire;
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly onNetwork = (): void => this.kick();
  private readonly onVisible = (): void => {
    if (document.visibilityState === "visible") this.kick();
  };

  constructor(
    private readonly url: string,
    token: string,
    private readonly events: SocketEvents,
    private early: WebSocket | null = null,
  ) {
    this.wire = new Wire(token);
  }

  get state(): WireState {
    return this.wire.state;
  }

  get pending(): number {
    return this.wire.pending;
  }

  start(): void {
    window.addEventListener("online", this.onNetwork);
    document.addEventListener("visibilitychange", this.onVisible);
    this.perform(this.wire.start(performance.now()));
  }

  /** False when the message cannot be taken: over, outbox full, or too large. */
  send(body: ClientBody): boolean {
    const actions = this.wire.send(performance.now(), body);
    if (actions === null) return false;
    this.perform(actions);
    return true;
  }

  setToken(token: string): void {
    this.wire.setToken(token);
  }

  /** Try now rather than later. */
  kick(): void {
    this.perform(this.wire.kick(performance.now()));
  }

  stop(): void {
    this.perform(this.wire.stop());
  }

  private perform(actions: Action[]): void {
    for (const action of actions) {
      switch (action.do) {
        case "connect":
          this.connect();
          break;
        case "transmit":
          this.socket?.send(action.text);
          break;
        case "close":
          this.drop();
          break;
        case "welcome":
          this.events.welcome(action.welcome);
          break;
        case "deliver":
          this.events.message(action.body);
          break;
        case "refused":
          this.events.refused(action.code, action.detail, action.body);
          break;
        case "cut":
          this.events.cut();
          break;
        case "ended":
          window.removeEventListener("online", this.onNetwork);
          document.removeEventListener("visibilitychange", this.onVisible);
          this.events.ended(action.code);
          break;
      }
    }
    this.schedule();
  }

  private connect(): void {
    this.drop();
    let socket = this.early;
    this.early = null;
    try {
      if (socket === null || socket.readyState > WebSocket.OPEN) socket = new WebSocket(this.url);
    } catch {
      this.perform(this.wire.closed(performance.now(), 1006)); // forbidden here and now; it is tried again like any other failure
      return;
    }
    this.socket = socket;
    const opened = (): void => this.from(socket, () => this.wire.opened(performance.now()));
    socket.onopen = opened;
    socket.onmessage = (event) =>
      this.from(socket, () => this.wire.frame(performance.now(), typeof event.data === "string" ? event.data : ""));
    socket.onclose = (event) => this.from(socket, () => this.wire.closed(performance.now(), event.code));
    if (socket.readyState === WebSocket.OPEN) opened();
  }

  /** A socket that was dropped says nothing any more. */
  private from(socket: WebSocket, react: () => Action[]): void {
    if (this.socket === socket) this.perform(react());
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  private schedule(): void {
    clearTimeout(this.timer);
    const at = this.wire.deadline;
    if (at === null) return;
    this.timer = setTimeout(() => this.perform(this.wire.tick(performance.now())), Math.max(0, at - performance.now()));
  }
}
