/** The way in: everything that a page may ask for before it is in a call or at a desk. */
import type { Entry, InvitationPreview, InvitationSecret, JoinWaiting, Language, Login, RedeemInvitation, Site, StaffView } from "../protocol.gen";
import { LiveCall } from "./call";
import { LiveDesk, type DeskLogin } from "./desk";
import { devices } from "./devices";
import { request } from "./http";
import type { Api, Call, Desk } from "./model";
import { callPlace, deskPlace, type Place } from "./place";
import { signedOut } from "./problems";
import { signalUrl } from "./socket";

type By = { secret: string } | { code: string };

export class BrowserApi implements Api {
  site(): Promise<Site> {
    return request<Site>("/site");
  }

  inspect(by: By): Promise<InvitationPreview> {
    return request<InvitationPreview>("/invitations/inspect", { method: "POST", body: by satisfies InvitationSecret });
  }

  async redeem(by: By, name: string): Promise<Call> {
    const body: RedeemInvitation = { ...by, name };
    return this.enter(await request<Entry>("/invitations/redeem", { method: "POST", body, creates: true }));
  }

  async joinWaiting(name: string, reason: string, language: Language): Promise<Call> {
    const body: JoinWaiting = { name, reason, language };
    return this.enter(await request<Entry>("/waiting", { method: "POST", body, creates: true }));
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

  private enter(entry: Entry): LiveCall {
    return this.fresh({ token: entry.token, expiresAt: entry.expires_at, session: entry.session.id });
  }

  private fresh(place: Omit<Place, "on">): LiveCall {
    const on = { camera: devices.cameraOn.peek(), microphone: devices.microphoneOn.peek() };
    return this.call({ ...place, on }, false);
  }

  private call(place: Place, resumed: boolean): LiveCall {
    return new LiveCall(signalUrl(window.location), place, devices, resumed);
  }

  private desk(login: DeskLogin): LiveDesk {
    return new LiveDesk(signalUrl(window.location), login, (place) => this.fresh(place));
  }
}

export const api: Api = new BrowserApi();
