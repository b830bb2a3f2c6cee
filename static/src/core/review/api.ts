/** The reviewers' REST: one login, its renewal, and what may be asked about recordings. */
import { signal } from "@preact/signals";
import type { EraseRecording, ExportFormat, Language, Login, RecordingDetail, RecordingExport, RecordingVerified, RecordingsPage, StaffView, StartExport } from "../../protocol.gen";
import { BASE, request, send } from "../http";
import { deskPlace } from "../place";
import { ApiError, OFFLINE, apiProblem, signedOut } from "../problems";
import type { Detail, ExportJob, RecordingPage, ReviewApi, Reviewer, Verified } from "./model";
import { detailOf, exportJobOf, summaryOf, verifiedOf } from "./views";

const PAGE = 30;
const VERIFY_MS = 10 * 60_000; // every byte is read
const RENEW_BEFORE_MS = 5 * 60_000;
const RENEW_AGAIN_MS = 30_000;
const OPEN_MS = 15_000; // until a stream's first byte

class SignedIn implements Reviewer {
  readonly staff;
  readonly signedIn = signal(true);
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    staff: StaffView,
    private token: string,
    private expiresAt: string,
  ) {
    this.staff = signal(staff);
    deskPlace.keep({ token, expiresAt });
    this.renewLater();
  }

  async list(session: string, cursor: string | null): Promise<RecordingPage> {
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (session !== "") query.set("session", session);
    if (cursor !== null) query.set("cursor", cursor);
    const page = await this.ask<RecordingsPage>(`/recordings?${query}`);
    return { recordings: page.recordings.map(summaryOf), next: page.next };
  }

  async open(id: string): Promise<Detail> {
    return detailOf(await this.ask<RecordingDetail>(this.path(id)));
  }

  async stream(id: string, track: string, fromMs: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const path = `${this.path(id)}/tracks/${encodeURIComponent(track)}/media?from_ms=${Math.max(0, Math.round(fromMs))}`;
    const stop = new AbortController();
    const late = setTimeout(() => stop.abort(), OPEN_MS);
    const response = await this.fetch(path, AbortSignal.any([signal, stop.signal])).finally(() => clearTimeout(late));
    if (response.body === null) throw new ApiError(OFFLINE, "");
    return response.body;
  }

  async verify(id: string): Promise<Verified> {
    return verifiedOf(await this.ask<RecordingVerified>(`${this.path(id)}/verify`, { method: "POST", timeoutMs: VERIFY_MS }));
  }

  async erase(id: string, reason: string): Promise<void> {
    await this.ask<undefined>(this.path(id), { method: "DELETE", body: { reason } satisfies EraseRecording });
  }

  async startExport(id: string, format: ExportFormat, language: Language | null): Promise<ExportJob> {
    return exportJobOf(await this.ask<RecordingExport>(`${this.path(id)}/exports`, { method: "POST", body: { format, language } satisfies StartExport, creates: true }));
  }

  async exportJob(id: string, job: string): Promise<ExportJob> {
    return exportJobOf(await this.ask<RecordingExport>(`${this.path(id)}/exports/${encodeURIComponent(job)}`));
  }

  async exported(id: string, job: string, progress: (part: number) => void): Promise<Blob> {
    const response = await this.fetch(`${this.path(id)}/exports/${encodeURIComponent(job)}/file`, null);
    const all = Number(response.headers.get("Content-Length") ?? 0);
    const reader = response.body?.getReader();
    if (reader === undefined) return response.blob();
    const pieces: BlobPart[] = [];
    let come = 0;
    for (;;) {
      const { done, value } = await reader.read().catch(() => Promise.reject(new ApiError(OFFLINE, "")));
      if (done) break;
      pieces.push(value);
      come += value.length;
      if (all > 0) progress(Math.min(1, come / all));
    }
    return new Blob(pieces, { type: response.headers.get("Content-Type") ?? "" });
  }

  logout(): void {
    void request<undefined>("/login", { method: "DELETE", token: this.token }).catch(() => undefined); // it ends by itself
    this.finish();
  }

  private path(id: string): string {
    return `/recordings/${encodeURIComponent(id)}`;
  }

  private async ask<Answer>(path: string, how: Parameters<typeof send>[1] = {}): Promise<Answer> {
    try {
      return await request<Answer>(path, { ...how, token: this.token });
    } catch (error) {
      if (error instanceof ApiError && (error.code === "unauthenticated" || error.code === "token_expired")) this.finish();
      throw error;
    }
  }

  /** Bytes: `request` reads JSON, and gives up sooner than a long film takes. */
  private async fetch(path: string, signal: AbortSignal | null): Promise<Response> {
    const headers = { Authorization: `Bearer ${this.token}` };
    const response = await fetch(BASE + path, { headers, cache: "no-store", ...(signal ? { signal } : {}) }).catch(() => Promise.reject(new ApiError(OFFLINE, "")));
    if (response.ok) return response;
    throw apiProblem(response.status, await response.json().catch(() => null), response.headers.get("Retry-After"));
  }

  private renewLater(wait = Math.max(RENEW_AGAIN_MS, Date.parse(this.expiresAt) - Date.now() - RENEW_BEFORE_MS)): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.renew(), Math.min(wait, 2 ** 31 - 1)); // beyond that a timer fires at once
  }

  private async renew(): Promise<void> {
    try {
      const login = await request<Login>("/login/renew", { method: "POST", token: this.token });
      this.token = login.token;
      this.expiresAt = login.expires_at;
      deskPlace.keep({ token: this.token, expiresAt: this.expiresAt });
      this.renewLater();
    } catch (error) {
      if (signedOut(error)) this.finish();
      else this.renewLater(RENEW_AGAIN_MS);
    }
  }

  private finish(): void {
    clearTimeout(this.timer);
    deskPlace.clear();
    this.signedIn.value = false;
  }
}

class BrowserReviewApi implements ReviewApi {
  /** The login of this tab: the workbench's too. */
  async resume(): Promise<Reviewer | null> {
    const kept = deskPlace.recall();
    if (kept === null) return null;
    try {
      return new SignedIn(await request<StaffView>("/me", { token: kept.token }), kept.token, kept.expiresAt);
    } catch (error) {
      if (!signedOut(error)) throw error;
      deskPlace.clear();
      return null;
    }
  }

  async login(username: string, password: string): Promise<Reviewer> {
    const login = await request<Login>("/login", { method: "POST", body: { username, password } });
    return new SignedIn(login.staff, login.token, login.expires_at);
  }
}

export const reviewApi: ReviewApi = new BrowserReviewApi();
