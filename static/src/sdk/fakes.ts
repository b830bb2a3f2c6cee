/** For tests: a socket and a server at its other end. */
import type { TabMessage, TabState, TabWelcome } from "../cobrowse.gen";

export class FakeSocket {
  static all: FakeSocket[] = [];
  static readonly make = (): WebSocket => {
    const made = new FakeSocket();
    FakeSocket.all.push(made);
    return made as unknown as WebSocket;
  };
  readyState: number = WebSocket.CONNECTING;
  bufferedAmount = 0;
  sent: TabMessage[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as TabMessage);
  }
  close(): void {
    this.readyState = WebSocket.CLOSED;
  }
  opens(): void {
    this.readyState = WebSocket.OPEN;
    this.onopen?.();
  }
  says(message: unknown): void {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }
  drops(): void {
    this.readyState = WebSocket.CLOSED;
    this.onclose?.();
  }
  /** All that was sent of one kind. */
  of<T extends TabMessage["type"]>(type: T): Extract<TabMessage, { type: T }>[] {
    return this.sent.filter((one): one is Extract<TabMessage, { type: T }> => one.type === type);
  }
}

export const welcome = (part: Partial<TabWelcome> = {}): TabWelcome => ({ type: "tab.welcome", share: "SH_1", token: "T", pages: [], bank_zh: "海川银行", bank_en: "Haichuan Bank", ...part });
export const tabState = (part: Partial<TabState> = {}): TabState => ({ type: "tab.state", state: "idle", code: "", code_s: 0, front: true, hidden: false, viewers: [], rules: "hash", ...part });
