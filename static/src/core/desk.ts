/** The signed-in member of staff: the waiting list over a signalling connection of its own, sessions over REST. */
import { signal } from "@preact/signals";
import type {
  ClientBody,
  CreateInvitation,
  CreateSession,
  Entry,
  ErrorCode,
  InvitationCreated,
  Login,
  MediaCounters,
  OccupiedSession,
  Role,
  ServerBody,
  SessionId,
  SessionPage,
  SessionView,
  StaffView,
  UpdateSession,
  WaitingEntries,
  WaitingEntry,
  WaitingTaken,
} from "../protocol.gen";
import type { LiveCall } from "./call";
import { Offers } from "./handover";
import { request } from "./http";
import type { Call, Colleague, Desk, NewSession } from "./model";
import { deskPlace } from "./place";
import { ApiError, OFFLINE, signedOut } from "./problems";
import { LiveOnSite } from "./onSite";
import { LiveReviews } from "./reviews";
import { SignalSocket } from "./socket";

const TAKE_MS = 10_000;
const RENEW_BEFORE_MS = 5 * 60_000;
const RENEW_AGAIN_MS = 30_000;

export interface DeskLogin {
  token: string;
  expiresAt: string;
  staff: StaffView;
}

/** How a desk enters a session: bound by api.ts. */
export type Enter = (place: { token: string; expiresAt: string; session: string }) => LiveCall;

export class LiveDesk implements Desk {
  readonly staff;
  readonly state = signal<"connecting" | "live" | "reconnecting" | "ended">("connecting");
  readonly waiting = signal<WaitingEntry[]>([]);
  readonly sessions = signal<SessionView[]>([]);
  readonly inside = signal<OccupiedSession[]>([]);
  readonly call = signal<Call | null>(null);
  readonly onSite = new LiveOnSite(() => this.login.token);
  readonly reviews = new LiveReviews(() => this.login.token);

  private readonly handovers = new Offers({ send: (body) => this.socket.state === "open" && this.socket.send(body) });
  readonly offers = this.handovers.list;

  private readonly socket: SignalSocket;
  private readonly taking = new Map<SessionId, { resolve(taken: WaitingTaken): void; reject(problem: ApiError): void }>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    signalUrl: string,
    private login: DeskLogin,
    private readonly enterWith: Enter,
  ) {
    this.staff = signal(login.staff);
    this.keep();
    this.socket = new SignalSocket(signalUrl, login.token, {
      welcome: (welcome) => {
        this.handovers.clock.told(welcome.server_time);
        if (!welcome.resumed) this.handovers.anew();
        if (!welcome.resumed && this.state.peek() === "reconnecting") void this.reviews.changed(); // what was told meanwhile is lost
        this.state.value = "live";
        void this.refresh().catch(() => undefined); // the list stays as it was; the next change tries again
      },
      message: (body) => this.handle(body),
      refused: (code, detail, body) => this.refused(code, detail, body),
      cut: () => {
        if (this.state.peek() === "live") this.state.value = "reconnecting";
      },
      ended: () => this.finish(),
    });
    this.socket.start();
    this.renewLater();
  }

  async refresh(): Promise<void> {
    const token = this.login.token;
    const [page, waiting] = await Promise.all([
      request<SessionPage>("/sessions?status=open&limit=100", { token }),
      request<WaitingEntries>("/waiting", { token }),
    ]);
    this.sessions.value = page.sessions.toSorted((a, b) => b.created_at.localeCompare(a.created_at));
    this.waiting.value = waiting.entries;
  }

  async create(session: NewSession): Promise<SessionView> {
    const body: CreateSession = {
      kind: "video",
      language: session.language,
      customer_name: session.customerName,
      customer_reference: session.customerReference,
      reason: session.reason,
      context: session.context,
    };
    const made = await request<SessionView>("/sessions", { method: "POST", token: this.login.token, body, creates: true });
    this.sessions.value = [made, ...this.sessions.peek().filter(({ id }) => id !== made.id)];
    return made;
  }

  async enter(session: string): Promise<Call> {
    const path = `/sessions/${encodeURIComponent(session)}/enter`;
    const entry = await request<Entry>(path, { method: "POST", token: this.login.token });
    return this.begin(entry.token, entry.expires_at, entry.session.id);
  }

  async take(session: string): Promise<Call> {
    const taken = await new Promise<WaitingTaken>((resolve, reject) => {
      const timer = setTimeout(() => settle(() => reject(new ApiError(OFFLINE, ""))), TAKE_MS);
      const settle = (how: () => void): void => {
        clearTimeout(timer);
        this.taking.delete(session);
        how();
      };
      this.taking.get(session)?.reject(new ApiError("conflict", ""));
      this.taking.set(session, {
        resolve: (answer) => settle(() => resolve(answer)),
        reject: (problem) => settle(() => reject(problem)),
      });
      if (this.socket.state !== "open" || !this.socket.send({ type: "waiting.take", session })) {
        settle(() => reject(new ApiError(OFFLINE, "")));
      }
    });
    this.waiting.value = this.waiting.peek().filter((entry) => entry.session !== session);
    this.sessions.value = [taken.session, ...this.sessions.peek().filter(({ id }) => id !== session)];
    return this.begin(taken.token, tokenExpiry(taken.token), taken.session.id);
  }

  async acceptOffer(session: string): Promise<Call> {
    const taken = await this.handovers.accept(session);
    return this.begin(taken.token, tokenExpiry(taken.token), taken.session.id);
  }

  declineOffer(session: string): void {
    this.handovers.decline(session);
  }

  async colleagues(): Promise<Colleague[]> {
    const found = await request<{ staff: Colleague[] }>("/staff/available", { token: this.login.token });
    return found.staff.filter(({ id }) => id !== this.staff.peek().id);
  }

  async update(session: string, change: UpdateSession): Promise<SessionView> {
    const path = `/sessions/${encodeURIComponent(session)}`;
    const updated = await request<SessionView>(path, { method: "PATCH", token: this.login.token, body: change });
    this.sessions.value = this.sessions.peek().map((one) => (one.id === updated.id ? updated : one));
    return updated;
  }

  invite(session: string, role: Role, name: string): Promise<InvitationCreated> {
    const body: CreateInvitation = { role, name };
    const path = `/sessions/${encodeURIComponent(session)}/invitations`;
    return request<InvitationCreated>(path, { method: "POST", token: this.login.token, body, creates: true });
  }

  media(session: string): Promise<MediaCounters> {
    return request<MediaCounters>(`/sessions/${encodeURIComponent(session)}/media`, { token: this.login.token });
  }

  logout(): void {
    this.call.peek()?.leave();
    // Where it cannot be told, the token is gone from this page and ends by itself.
    void request<undefined>("/login", { method: "DELETE", token: this.login.token }).catch(() => undefined);
    this.socket.stop();
  }

  private begin(token: string, expiresAt: string, session: string): Call {
    this.call.peek()?.leave(); // one conversation at a time
    const call = this.enterWith({ token, expiresAt, session });
    this.call.value = call;
    return call;
  }

  private handle(body: ServerBody): void {
    if (this.handovers.handle(body)) return;
    switch (body.type) {
      case "waiting.list":
        this.waiting.value = body.entries;
        break;
      case "sessions.inside":
        this.inside.value = body.entries;
        break;
      case "reviews.changed":
        void this.reviews.changed();
        break;
      case "waiting.taken":
        this.taking.get(body.session.id)?.resolve(body);
        break;
      case "session.changed":
        this.sessionChanged(body.session);
        break;
      case "token.renewed":
        this.renewed(body.token, body.expires_at);
        break;
      default:
        break; // meant for those inside sessions
    }
  }

  private sessionChanged(session: SessionView): void {
    const others = this.sessions.peek().filter(({ id }) => id !== session.id);
    if (session.status !== "open") this.sessions.value = others;
    else this.sessions.value = [session, ...others].toSorted((a, b) => b.created_at.localeCompare(a.created_at));
  }

  private refused(code: ErrorCode, detail: string, body: ClientBody | null): void {
    this.handovers.refused(code, detail, body);
    if (body?.type === "waiting.take") this.taking.get(body.session)?.reject(new ApiError(code, detail));
  }

  private renewed(token: string, expiresAt: string): void {
    this.login = { ...this.login, token, expiresAt };
    this.socket.setToken(token);
    this.keep();
    this.renewLater();
  }

  private keep(): void {
    deskPlace.keep({ token: this.login.token, expiresAt: this.login.expiresAt });
  }

  private renewLater(wait = Math.max(RENEW_AGAIN_MS, Date.parse(this.login.expiresAt) - Date.now() - RENEW_BEFORE_MS)): void {
    clearTimeout(this.timer);
    // Beyond 2^31 ms a timer fires at once.
    this.timer = setTimeout(() => void this.renew(), Math.min(wait, 2 ** 31 - 1));
  }

  private async renew(): Promise<void> {
    try {
      const login = await request<Login>("/login/renew", { method: "POST", token: this.login.token });
      this.renewed(login.token, login.expires_at);
    } catch (error) {
      if (signedOut(error)) this.socket.stop();
      else this.renewLater(RENEW_AGAIN_MS);
    }
  }

  private finish(): void {
    clearTimeout(this.timer);
    deskPlace.clear();
    for (const one of this.taking.values()) one.reject(new ApiError(OFFLINE, ""));
    this.handovers.close();
    this.state.value = "ended";
  }
}

/** When a token says it ends (RFC 7519 §4.1.4), unverified: only to know whether a reload may try it. Its last hour is assumed
 *  when it does not say. */
export function tokenExpiry(token: string, now = Date.now()): string {
  try {
    const payload = token.split(".")[1] ?? "";
    const claims: unknown = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    if (typeof claims === "object" && claims !== null && "exp" in claims && typeof claims.exp === "number") {
      return new Date(claims.exp * 1000).toISOString();
    }
  } catch {
    // opaque
  }
  return new Date(now + 3_600_000).toISOString();
}
