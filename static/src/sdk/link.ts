/** The socket to the server, which comes back by itself when the line drops: at once, then after longer and longer pauses, for a minute. */
import type { TabHello, ToTab } from "../cobrowse.gen";
import { readFrame, type ToServer } from "./wire";

export const GIVE_UP_MS = 60_000;
const FIRST_MS = 300;
const MOST_MS = 8_000;
/** Of the page's own that the browser may hold: all else waits behind no more. Bytes. */
export const MOST_AHEAD = 64 * 1024;
const PUMP_MS = 10;
/** A last word that nobody answers is said again, on another socket. */
const ANSWER_MS = 5_000;

export interface LinkEvents {
  /** Said hello; what is sent now comes first. */
  greeted?(): void;
  message(message: ToTab): void;
  /** The line is gone; another is being tried. */
  cut(): void;
  /** It is over. `code`: the server's, or `unreachable`. */
  over(code: string): void;
}

export class Link {
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private cutAt: number | null = null;
  private tries = 0;
  private done = false;
  private greeted = false;
  /** Of the page, in order. */
  private later: string[] = [];
  private chars = 0;
  private pumping: ReturnType<typeof setTimeout> | undefined;
  private readonly onOnline = (): void => void (this.socket === null && this.connect());

  constructor(
    private readonly url: string,
    private hello: () => TabHello,
    private events: LinkEvents,
    private readonly make: (url: string) => WebSocket = (url) => new WebSocket(url),
  ) {}

  start(): void {
    window.addEventListener("online", this.onOnline);
    this.cutAt = Date.now();
    this.connect();
  }

  /** Bytes, about, that still wait, here and in the browser. */
  get waiting(): number {
    return (this.socket?.bufferedAmount ?? 0) + this.chars;
  }

  /** False while there is no line: nothing is kept for later, the server tells all there is after each greeting. What the page shows comes behind all else. */
  send(message: ToServer): boolean {
    if (this.socket === null || this.socket.readyState !== WebSocket.OPEN || !this.greeted) return false;
    const text = JSON.stringify(message);
    if (/dom|step|put/.test(message.type)) {
      this.later.push(text);
      this.chars += text.length;
      this.pump();
    } else this.socket.send(text);
    return true;
  }

  /** Of a page that nobody sees at once: timers of such pages come late, and nobody presses anything there. */
  private pump(): void {
    clearTimeout(this.pumping);
    const { socket, later } = this;
    if (socket === null || socket.readyState !== WebSocket.OPEN) return;
    while (later.length > 0 && (document.hidden || socket.bufferedAmount === 0 || socket.bufferedAmount + later[0]!.length <= MOST_AHEAD)) {
      const text = later.shift()!;
      this.chars -= text.length;
      socket.send(text);
    }
    if (later.length > 0) this.pumping = setTimeout(() => this.pump(), PUMP_MS);
  }

  private forget(): void {
    this.later = [];
    this.chars = 0;
  }

  /** It is over for who asked, who hears no more; goes on by itself, for a minute at most, until the server has said goodbye to `last`. */
  part(last: ToServer): void {
    this.forget();
    const hello = this.hello();
    if (hello.token === "") {
      this.send(last); // another line would be another share
      this.close();
      return;
    }
    const say = (): void => {
      if (!this.send(last)) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.lost(), ANSWER_MS);
    };
    this.hello = () => hello;
    this.events = { greeted: say, message: () => undefined, cut: () => undefined, over: () => undefined };
    setTimeout(() => this.close(), GIVE_UP_MS);
    say();
  }

  close(): void {
    this.done = true;
    clearTimeout(this.timer);
    window.removeEventListener("online", this.onOnline);
    const socket = this.socket;
    this.socket = null;
    this.forget();
    if (socket === null) return;
    if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
    else socket.close();
  }

  private connect(): void {
    if (this.done) return;
    clearTimeout(this.timer);
    let socket: WebSocket;
    try {
      socket = this.make(this.url);
    } catch {
      this.again();
      return;
    }
    this.socket = socket;
    this.greeted = false;
    socket.onopen = () => {
      if (this.socket !== socket) return;
      socket.send(JSON.stringify(this.hello()));
      this.greeted = true;
      this.events.greeted?.();
    };
    socket.onmessage = (event) => {
      if (this.socket === socket) this.took(readFrame(event.data));
    };
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  private took(message: ToTab | null): void {
    if (message === null) return;
    if (message.type !== "bye") {
      this.tries = 0;
      this.cutAt = null;
      this.events.message(message);
    } else if (message.again) {
      this.lost();
    } else {
      this.close();
      this.events.over(message.code);
    }
  }

  private lost(): void {
    if (this.done) return;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.forget();
    const first = this.cutAt === null;
    this.cutAt ??= Date.now();
    if (first) this.events.cut();
    this.again();
  }

  private again(): void {
    if (this.done) return;
    this.cutAt ??= Date.now();
    const left = this.cutAt + GIVE_UP_MS - Date.now();
    if (left <= 0) {
      this.close();
      this.events.over("unreachable");
      return;
    }
    const pause = Math.min(FIRST_MS * 2 ** this.tries, MOST_MS) * (0.75 + Math.random() / 2); // not all tabs of a bank at once
    this.tries += 1;
    this.timer = setTimeout(() => this.connect(), Math.min(pause, left));
  }
}
