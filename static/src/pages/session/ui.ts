/** The page's own state in a call: what is open. Nothing here is known to the server. */
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext, useMemo } from "preact/hooks";
import type { Call, Layout, RemoteTrack } from "../../core/model";
import type { ParticipantId, ParticipantView, Role, Source, TrackView } from "../../protocol.gen";
import type { AskedScope } from "../../ui/ConsentCard";
import { WORDING } from "../../ui/ConsentCard";
import { pageUi } from "./cobrowse/state";
import type { PageUi } from "./cobrowse/state";
import { pdfUi } from "./pdf/state";
import type { PdfUi } from "./pdf/state";

export type Panel = "none" | "chat" | "people" | "context" | "network" | "recording" | "cobrowse";
export type Open =
  | { kind: "none" }
  | { kind: "consent"; scope: AskedScope }
  | { kind: "recording" | "recording-consent" | "face-consent" }
  | { kind: "sharing" | "more" | "devices" | "leave" | "end" | "invite" | "keys" | "ask" }
  | { kind: "handover" | "takeover" }
  | { kind: "remove" | "role" | "refuse"; person: ParticipantView };

export interface CallUi {
  readonly call: Call;
  readonly variant: Role;
  /** Whether there is a panel about the network of this session. */
  readonly network: boolean;
  readonly panel: Signal<Panel>;
  readonly open: Signal<Open>;
  readonly layout: Signal<Layout>;
  readonly page: PageUi;
  readonly pdf: PdfUi;
  readonly mainVideo: { current: HTMLVideoElement | null };
  /** Of everybody, whether their screen is being shown, as far as this page has followed it. */
  readonly screens: Map<ParticipantId, boolean>;
}

export const CallUiContext = createContext<CallUi | null>(null);

export function useCall(): CallUi {
  const ui = useContext(CallUiContext);
  if (!ui) throw new Error("useCall outside of a CallView");
  return ui;
}

/** What is open stays open for as long as the call does: who one is may be known only after the page was touched, and may change. */
export function useCallUi(call: Call, variant: Role, network: boolean, panel: Panel, open: Open, layout: Layout, page: PageUi = pageUi(), pdf: PdfUi = pdfUi()): CallUi {
  const kept = useMemo(
    () => ({ variant, panel: signal(panel), open: signal(open), layout: signal(layout), page, pdf, mainVideo: { current: null }, screens: new Map<ParticipantId, boolean>() }),
    [call],
  );
  if (kept.variant !== variant) {
    kept.variant = variant;
    if (kept.panel.peek() === "none") kept.panel.value = panel;
  }
  return useMemo(() => ({ ...kept, call, variant, network }), [kept, variant, network]);
}

export function close(ui: CallUi): void {
  ui.open.value = { kind: "none" };
}

export function togglePanel(ui: CallUi, panel: Panel): void {
  ui.panel.value = ui.panel.value === panel ? "none" : panel;
}

export function trackOf(person: ParticipantView, source: Source): TrackView | undefined {
  return person.tracks.find((track) => track.source === source);
}

/** Sends it, and the relay lets it through. */
export function isShown(person: ParticipantView, source: Source): boolean {
  const track = trackOf(person, source);
  return track !== undefined && track.on && track.open;
}

/** Paused: it was shown, is still allowed, and nothing is sent. Stopping takes the consent back, so that is told apart. Somebody
 *  who was met with an allowed screen and nothing sent had paused it before this page came; one who was met without and allows it
 *  now is still choosing a window. */
export function screenOf(ui: Pick<CallUi, "screens">, person: ParticipantView): "none" | "shown" | "paused" {
  const track = trackOf(person, "screen");
  if (!track?.open || person.state === "disconnected" || person.state === "left") ui.screens.set(person.id, false);
  else if (track.on || !ui.screens.has(person.id)) ui.screens.set(person.id, true);
  if (!ui.screens.get(person.id)) return "none";
  return track?.on ? "shown" : "paused";
}

export function remoteOf(call: Call, participant: ParticipantId, source: Source): RemoteTrack | undefined {
  return call.remote.value.find((track) => track.participant === participant && track.source === source);
}

export function isOn(call: Call, scope: AskedScope): boolean {
  if (scope === "screen") return call.screen.value !== "off";
  if (call.consents.value.get(scope) !== "given") return false;
  return scope === "camera" ? call.devices.cameraOn.value : call.devices.microphoneOn.value;
}

/** Turns a source on or off; asks for the consent first where it is not on record. */
export function toggle(ui: CallUi, scope: AskedScope): void {
  const { call } = ui;
  if (isOn(call, scope)) {
    turnOff(call, scope);
  } else if (call.consents.value.get(scope) === "given" && scope !== "screen") {
    void turnOn(call, scope);
  } else {
    ui.open.value = { kind: "consent", scope }; // a screen is asked for every time: it can hold anything
  }
}

export async function turnOn(call: Call, scope: AskedScope): Promise<void> {
  if (scope === "microphone") await call.setMicrophone(true);
  else if (scope === "camera") await call.setCamera(true);
  else await call.shareScreen();
}

function turnOff(call: Call, scope: AskedScope): void {
  if (scope === "microphone") void call.setMicrophone(false);
  else if (scope === "camera") void call.setCamera(false);
  else call.stopScreen();
}

/** The consent itself is taken back: the relay cuts, the device is let go. */
export function withdraw(call: Call, scope: AskedScope): void {
  call.decide(scope, "withdrawn", WORDING[scope]);
  turnOff(call, scope);
}

export function give(call: Call, scope: AskedScope): void {
  call.decide(scope, "given", WORDING[scope]);
  void turnOn(call, scope);
}
