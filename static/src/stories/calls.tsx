/** The session page in its states. */
import { useEffect, useState } from "preact/hooks";
import type { ParticipantView, Role } from "../protocol.gen";
import { CallView } from "../pages/session/CallView";
import type { CallViewProps } from "../pages/session/CallView";
import { NAMES, fakeCall, fakeDevices, message, person, session, zh } from "./fakes";
import type { CallSetting } from "./fakes";
import type { Story } from "./list";

const agent = () => person("PA_agent", "agent", NAMES.agent());
const expert = () => person("PA_expert", "expert", NAMES.expert());
const me = () => person("PA_me", "customer", NAMES.customer());

function view(name: string, setting: () => CallSetting, props: Partial<CallViewProps> = {}, variant: Role = "customer"): Story {
  return { name: `call-${name}`, make: () => <CallView call={fakeCall(setting())} variant={variant} {...props} /> };
}

function chat() {
  const [a, m] = [agent(), me()];
  return zh()
    ? [
        message(1, a, "您好，我是李静。您慢慢说，不着急。"),
        message(2, m, "我的卡今天早上丢了。"),
        message(3, a, "好的，我先帮您挂失。请看一下这份说明。"),
        message(4, a, "", { id: "FI_1", name: "借记卡挂失说明.pdf", media_type: "application/pdf", size_bytes: 184_320 }),
        message(5, m, "收到，谢谢。"),
      ]
    : [
        message(1, a, "Hello, I am Jing Li. Take your time."),
        message(2, m, "I lost my card this morning."),
        message(3, a, "I will block it first. Please have a look at this."),
        message(4, a, "", { id: "FI_1", name: "How to block a debit card.pdf", media_type: "application/pdf", size_bytes: 184_320 }),
        message(5, m, "Received, thank you."),
      ];
}

function crowd(): ParticipantView[] {
  return [
    agent(),
    expert(),
    person("PA_3", "expert", NAMES.long()),
    person("PA_4", "expert", NAMES.arabic(), ["microphone"]),
    person("PA_5", "supervisor", "", ["camera"]),
    person("PA_6", "expert", "Ana", [], { state: "disconnected" }),
    person("PA_7", "customer", zh() ? "王小明" : "Xiaoming Wang"),
  ];
}

const pausedScreen = () => {
  const by = agent();
  return { ...by, tracks: by.tracks.map((track) => (track.source === "screen" ? { ...track, open: true } : track)) };
};

/** Everybody was here and has gone. */
function SomebodyLeft() {
  const [call] = useState(() => fakeCall());
  useEffect(() => {
    call.others.value = [];
  }, []);
  return <CallView call={call} variant="customer" />;
}

/** A screen is shown, then paused: that is only known to whoever saw it before. */
function ScreenPaused() {
  const [call] = useState(() => fakeCall({ others: [person("PA_agent", "agent", NAMES.agent(), ["microphone", "camera", "screen"]), expert()] }));
  useEffect(() => {
    call.others.value = call.others.value.map((one) => ({ ...one, tracks: one.tracks.map((track) => (one.id === "PA_agent" && track.source === "screen" ? { ...track, on: false } : track)) }));
  }, []);
  return <CallView call={call} variant="customer" />;
}

export const callStories: Story[] = [
  view("live", () => ({ speaking: ["PA_agent"] })),
  view("connecting", () => ({ phase: "connecting", others: [], session: null, quality: [] })),
  view("alone", () => ({ others: [] })),
  view("three", () => ({ others: [agent(), expert()], speaking: ["PA_expert"], unread: 2 })),
  view("grid", () => ({ others: [agent(), expert()], speaking: ["PA_agent"] }), { layout: "grid" }),
  view("many", () => ({ others: crowd(), quality: [["PA_me", "fair"], ["PA_3", "poor"]] })),
  view("many-grid", () => ({ others: crowd(), speaking: ["PA_3"], quality: [["PA_me", "poor"], ["PA_3", "poor"]] }), { layout: "grid" }),
  view("sharing", () => ({ screen: "on" })),
  view("sharing-paused", () => ({ screen: "paused" })),
  view("their-screen", () => ({ others: [person("PA_agent", "agent", NAMES.agent(), ["microphone", "camera", "screen"]), expert()] })),
  view("their-screen-paused-before", () => ({ others: [pausedScreen(), expert()] })),
  { name: "call-left", make: () => <SomebodyLeft /> },
  view("held", () => ({ others: [agent(), expert()], held: ["PA_agent"], quality: [["PA_me", "good"]], network: { downKbps: 180, rttMs: 90, lossPermille: 4, limit: "bandwidth", held: 1 } })),
  view("held-screen", () => ({ others: [person("PA_agent", "agent", NAMES.agent(), ["microphone", "camera", "screen"]), person("PA_expert", "expert", NAMES.expert(), ["camera"])], held: ["PA_agent", "PA_expert"], quality: [["PA_me", "poor"]], network: { downKbps: 60, rttMs: 380, lossPermille: 140, limit: "loss", held: 3 } })),
  view("network-why", () => ({ others: [agent()], quality: [["PA_me", "good"], ["PA_agent", "good"]], held: ["PA_agent"], network: { downKbps: 180, rttMs: 90, lossPermille: 4, limit: "bandwidth", held: 1 } }), { panel: "people" }),
  view("on-hold", () => ({ me: person("PA_me", "customer", NAMES.customer(), ["microphone", "camera"], { on_hold: true }) })),
  view("muted", () => ({ me: person("PA_me", "customer", NAMES.customer(), ["microphone", "camera"], { muted: true }) })),
  view("nameless", () => ({ me: person("PA_me", "customer", ""), others: [person("PA_expert", "expert", ""), person("PA_agent", "agent", "")] }), { panel: "people" }),
  view("leave", () => ({}), { open: { kind: "leave" } }),
  { name: "call-their-screen-paused", make: () => <ScreenPaused /> },
  view("weak", () => ({ quality: [["PA_me", "poor"], ["PA_agent", "poor"]] })),
  view("weak-voice", () => ({ quality: [["PA_me", "poor"]], saver: "audio", others: [person("PA_agent", "agent", NAMES.agent(), ["microphone"])] })),
  view("everything-off", () => ({ consents: [["microphone", "refused"], ["camera", "refused"]], others: [person("PA_agent", "agent", NAMES.agent(), ["microphone"])] })),
  view("chat", () => ({ chat: chat(), seen: [["PA_agent", 5]] }), { panel: "chat" }),
  view("chat-days", () => ({
    chat: [
      { ...message(1, agent(), zh() ? "明天见。" : "See you tomorrow."), sent_at: "2026-03-01T09:30:00Z" },
      message(2, me(), `${zh() ? "是这个网址吗？" : "Is it this address?"} https://bank.example/cards/${"block-".repeat(12)}now`),
      message(3, me(), "x".repeat(120)),
    ],
    seen: [["PA_agent", 2]],
  }), { panel: "chat" }),
  view("chat-empty", () => ({}), { panel: "chat" }),
  view("chat-upload-failed", () => ({
    chat: chat().slice(0, 2),
    uploads: [
      { key: "1", name: zh() ? "身份证正面.jpg" : "Identity card front.jpg", progress: 0.6, error: null },
      { key: "2", name: "a-very-long-file-name-without-any-spaces-in-it-from-a-telephone-camera-2026-11-21.heic", progress: 0, error: "too_large" },
      { key: "3", name: zh() ? "银行卡.jpg" : "Bank card.jpg", progress: 0.4, error: "offline" },
    ],
  }), { panel: "chat" }),
  view("people", () => ({ others: crowd(), quality: [["PA_me", "good"], ["PA_agent", "fair"], ["PA_expert", "poor"]] }), { panel: "people" }),
  view("consent-screen", () => ({}), { open: { kind: "consent", scope: "screen" } }),
  view("asked-screen", () => ({ asked: { by: "PA_agent", source: "screen" } })),
  view("asked-camera", () => ({ asked: { by: "PA_agent", source: "camera" }, devices: fakeDevices({ cameraOn: false }) })),
  view("sharing-review", () => ({ consents: [["microphone", "given"], ["camera", "refused"]] }), { open: { kind: "sharing" } }),
  view("more", () => ({}), { open: { kind: "more" } }),
  view("devices", () => ({}), { open: { kind: "devices" } }),
  view("end", () => ({}), { open: { kind: "end" } }),
  view("reconnecting", () => ({ phase: "reconnecting", mediaState: "connecting", quality: [["PA_me", "poor"]] })),
  view("media-failed", () => ({ mediaState: "failed", others: [person("PA_agent", "agent", NAMES.agent(), [])] })),
  view("no-pictures", () => ({ pictures: false, others: [person("PA_agent", "agent", NAMES.agent(), ["microphone"])] })),
  view("device-lost", () => ({ devices: fakeDevices({ cameraProblem: "busy", microphoneProblem: "none", microphoneOn: false, cameraOn: false }) })),
  view("refused-message", () => ({ failure: "not_allowed" })),
  view("audio-only", () => ({ saver: "audio", others: [person("PA_agent", "agent", NAMES.agent(), ["microphone"])] })),
  view("long-names", () => ({ me: person("PA_me", "customer", NAMES.long()), others: [person("PA_agent", "agent", NAMES.long()), person("PA_x", "expert", NAMES.arabic())] })),
  view("expert", () => ({ me: person("PA_me", "expert", NAMES.expert()), others: [person("PA_c", "customer", NAMES.customer()), agent()], session: session() }), { panel: "context" }, "expert"),
  view("expert-leave", () => ({ me: person("PA_me", "expert", NAMES.expert()), others: [person("PA_c", "customer", NAMES.customer()), agent()] }), { panel: "none", open: { kind: "leave" } }, "expert"),
];
