/** What a tab keeps of a share over reloads and navigation, and what tabs of one site tell each other. The token opens nothing but this customer's own share. */

export interface Kept {
  token: string;
  /** Whose share it is, as the page said. */
  customer?: string;
  /** The number of the last document of any of the tabs that is known of. */
  page: number;
}

type Said =
  | { kind: "who" } // a new document asks
  | { kind: "share"; token: string; page: number }
  | { kind: "over"; token: string };

const random = (): string => [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");

/** The tab's own name is kept only between two of its documents: a tab that is duplicated takes what is stored with it, and is another tab all the same. */
export class Keeping {
  private readonly key: string;
  private readonly channel: BroadcastChannel | null;
  private now: Kept | null;
  readonly tab: string;
  /** Another tab of this site shares. */
  onShare: ((token: string) => void) | null = null;
  /** It is over, in another tab. */
  onOver: (() => void) | null = null;

  constructor(site: string, private readonly storage: Pick<Storage, "getItem" | "setItem" | "removeItem"> | null, channel: BroadcastChannel | null) {
    this.key = `tongping:${site}`;
    this.channel = channel;
    this.now = this.read();
    const name = this.get(`${this.key}:tab`);
    this.tab = /^[0-9a-f]{32}$/.test(name) ? name : random();
    this.set(`${this.key}:tab`, null);
    if (channel !== null) channel.onmessage = (event: MessageEvent<Said>) => this.heard(event.data);
  }

  get token(): string {
    return this.now?.token ?? "";
  }

  get lastPage(): number {
    return this.now?.page ?? 0;
  }

  /** The number for this document: after all that are known of. */
  nextPage(): number {
    const page = (this.now?.page ?? 0) + 1;
    if (this.now !== null) this.keep({ ...this.now, page });
    return page;
  }

  keep(kept: Kept): void {
    this.now = kept;
    this.set(this.key, JSON.stringify(kept));
    this.channel?.postMessage({ kind: "share", token: kept.token, page: kept.page } satisfies Said);
  }

  /** Whether another tab shares; the answer comes by `onShare`. */
  ask(): void {
    this.channel?.postMessage({ kind: "who" } satisfies Said);
  }

  /** What the customer took back and the server has not said to be so yet. */
  get wishes(): string {
    return this.get(`${this.key}:wishes`);
  }

  set wishes(text: string) {
    this.set(`${this.key}:wishes`, text === "" ? null : text);
  }

  get customer(): string {
    return this.now?.customer ?? "";
  }

  set customer(customer: string) {
    if (this.now === null || this.now.customer === customer) return;
    this.now = { ...this.now, customer };
    this.set(this.key, JSON.stringify(this.now));
  }

  over(): void {
    const token = this.token;
    this.now = null;
    this.set(this.key, null);
    if (token !== "") this.channel?.postMessage({ kind: "over", token } satisfies Said);
  }

  /** This document goes: the tab's next one has its name. */
  leave(): void {
    if (this.now !== null) this.set(`${this.key}:tab`, this.tab);
  }

  /** It came back, as it was. */
  back(): void {
    this.set(`${this.key}:tab`, null);
  }

  private heard(said: Said): void {
    if (said.kind === "who") {
      if (this.now !== null) this.channel?.postMessage({ kind: "share", token: this.now.token, page: this.now.page } satisfies Said);
    } else if (said.kind === "share" && typeof said.token === "string" && Number.isSafeInteger(said.page)) {
      const mine = this.now;
      if (mine !== null && mine.token === said.token) {
        mine.page = Math.max(mine.page, said.page);
        this.set(this.key, JSON.stringify(mine));
      } else if (mine === null) {
        this.now = { token: said.token, page: said.page };
        this.set(this.key, JSON.stringify(this.now));
        this.onShare?.(said.token);
      }
    } else if (said.kind === "over" && said.token === this.token && this.token !== "") {
      this.now = null;
      this.set(this.key, null);
      this.onOver?.();
    }
  }

  /** What a site that tells who is on it calls this tab; as long as it is open. */
  get visitor(): string {
    const key = `${this.key}:visitor`;
    const kept = this.get(key);
    const visitor = /^[0-9a-f]{32}$/.test(kept) ? kept : random();
    this.set(key, visitor);
    return visitor;
  }

  private read(): Kept | null {
    try {
      const found = JSON.parse(this.get(this.key)) as Kept;
      return typeof found.token === "string" && found.token !== "" && Number.isSafeInteger(found.page) && found.page > 0 ? found : null;
    } catch {
      return null;
    }
  }

  private get(key: string): string {
    try {
      return this.storage?.getItem(key) ?? "";
    } catch {
      return "";
    }
  }

  private set(key: string, value: string | null): void {
    try {
      if (value === null) this.storage?.removeItem(key);
      else this.storage?.setItem(key, value);
    } catch {
      // a browser that keeps nothing: the share ends with this document
    }
  }
}
