/** Customers on the bank's pages who share nothing yet, as the workbench lists them: asked for while it is open and its list is looked at. */
import { signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import type { BeginPage, Language, SeenVisitor, SeenVisitors, SessionView } from "../protocol.gen";
import { request } from "./http";

export const EVERY_MS = 3_000;

export interface OnSite {
  /** Null: not known yet. */
  readonly visitors: ReadonlySignal<readonly SeenVisitor[] | null>;
  /** Whether any site tells who is on it. */
  readonly presence: ReadonlySignal<boolean>;
  /** Asks again and again, until what it returns is called. */
  watch(): () => void;
  offer(visitor: string): Promise<void>;
  withdraw(visitor: string): Promise<void>;
  /** A session for the page with this code. */
  begin(code: string, language: Language): Promise<SessionView>;
}

export class LiveOnSite implements OnSite {
  readonly visitors = signal<readonly SeenVisitor[] | null>(null);
  readonly presence = signal(true);
  private watched = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly token: () => string) {}

  watch(): () => void {
    this.watched += 1;
    if (this.watched === 1) void this.ask();
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.watched -= 1;
      if (this.watched === 0) clearTimeout(this.timer);
    };
  }

  async offer(visitor: string): Promise<void> {
    await request<undefined>(`/cobrowse/visitors/${encodeURIComponent(visitor)}/offer`, { method: "POST", token: this.token() });
    await this.refresh();
  }

  async withdraw(visitor: string): Promise<void> {
    await request<undefined>(`/cobrowse/visitors/${encodeURIComponent(visitor)}/offer`, { method: "DELETE", token: this.token() });
    await this.refresh();
  }

  begin(code: string, language: Language): Promise<SessionView> {
    const body: BeginPage = { code, language };
    return request<SessionView>("/cobrowse/sessions", { method: "POST", token: this.token(), body, creates: true });
  }

  private async refresh(): Promise<void> {
    const found = await request<SeenVisitors>("/cobrowse/visitors", { token: this.token() });
    this.presence.value = found.presence;
    this.visitors.value = found.visitors;
  }

  private async ask(): Promise<void> {
    try {
      await this.refresh();
    } catch {
      // it stays as it was; the workbench says when the line is lost
    }
    if (this.watched > 0) this.timer = setTimeout(() => void this.ask(), EVERY_MS);
  }
}
