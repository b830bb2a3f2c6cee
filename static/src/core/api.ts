/** The way in: everything that a page may ask for before it is in a call or at a desk. */
import type { Entry, InvitationPreview, InvitationSecret, JoinWaiting, Language, Login, RedeemInvitation, Site, SiteMedia, StaffView } from "../protocol.gen";
import { LiveCall } from "./call";
import { LiveDesk, type DeskLogin } from "./desk";
import { devices } from "./devices";
import { request } from "./http";
import type { Api, Call, Desk } from "./model";
import { callPlace, deskPlace, type Place } from "./place";
import { signedOut } from "./problems";
import { letGo, openEarly, signalUrl } from "./socket";
import { spare } from "./spare";

type By = { secret: string } | { code: string };

export class BrowserApi implements Api {
  private media: SiteMedia | null = null;

  async site(): Promise<Site> {
    const site = await request<Site>("/site");
    this.media = site.media;
    whenIdle(() => {
      if (this.media !== null) spare.prepare(this.media);
    });
    return site;
  }

  inspect(by: By): Promise<InvitationPreview> {
    return request<InvitationPreview>("/invitations/inspect", { method: "POST", body: by satisfies InvitationSecret });
  }

  async redeem(by: By, name: string): Promise<Call> {
    const body: RedeemInvitation = { ...by, name };
    if (this.media !== null) spare.begin(this.media);
    return this.enter(() => request<Entry>("/invitations/redeem", { method: "POST", body, creates: true }));
  }

  async joinWaiting(name: string, reason: string, language: Language): Promise<Call> {
    const body: JoinWaiting = { name, reason, language };
    return this.enter(() => request<Entry>("/waiting", { method: "POST", body, creates: true }));
  }

  resumeCall(): Call | null {
    const place = callPlace.recall();
    return place === null ? null : this.call(place, true);
  }

  async login(username: string, password: string): Promise<Desk> {
    const login = await request<Login>("/login", { method: "POST", body: { username, password } });
    return this.desk({ token: login.token, expiresAt: login.expires_at, staff: login.staff });
  }

  async resumeDesk(): Promise<Desk | null> {
    const kept = deskPlace.recall();
    if (kept === null) return null;
    let staff: StaffView;
    try {
      staff = await request<StaffView>("/me", { token: kept.token });
    } catch (error) {
      if (!signedOut(error)) throw error;
      deskPlace.clear();
      return null;
    }
    const desk = this.desk({ token: kept.token, expiresAt: kept.expiresAt, staff });
    desk.call.value = this.resumeCall();
    return desk;
  }

  /** The socket is opened while the token is asked for. */
  private async enter(ask: () => Promise<Entry>): Promise<LiveCall> {
    const early = openEarly(signalUrl(window.location));
    try {
      const entry = await ask();
      return this.fresh({ token: entry.token, expiresAt: entry.expires_at, session: entry.session.id }, early);
    } catch (error) {
      if (early !== null) letGo(early);
      throw error;
    }
  }

  private fresh(place: Omit<Place, "on">, early: WebSocket | null = null): LiveCall {
    const on = { camera: devices.cameraOn.peek(), microphone: devices.microphoneOn.peek() };
    return this.call({ ...place, on }, false, early);
  }

  private call(place: Place, resumed: boolean, early: WebSocket | null = null): LiveCall {
    this.media = null; // no spare connection beside one that is made
    return new LiveCall(signalUrl(window.location), place, devices, resumed, early);
  }

  private desk(login: DeskLogin): LiveDesk {
    return new LiveDesk(signalUrl(window.location), login, (place) => this.fresh(place));
  }
}

/** In the first quiet moment; Safari does not say when that is. */
function whenIdle(work: () => void): void {
  if (typeof requestIdleCallback === "function") requestIdleCallback(work, { timeout: 1_000 });
  else setTimeout(work, 200);
}

export const api: Api = new BrowserApi();
