/** The network of a session in its states. */
import { EVERY_MS, record } from "../core/mediaCounters";
import type { History } from "../core/mediaCounters";
import { NetworkPanel } from "../pages/agent/NetworkPanel";
import type { Poll } from "../pages/agent/networkPoll";
import { Workbench } from "../pages/agent/Workbench";
import type { MediaLayer, MediaParticipant, MediaSlot, ParticipantId, Source } from "../protocol.gen";
import { NAMES, fakeCall, fakeDesk, person, site } from "./fakes";
import type { Story } from "./list";

const END_MS = new Date("2030-01-01T10:42:07").getTime();

const layer = (change: Partial<MediaLayer>): MediaLayer => ({
  rid: "", packets: 5_000, bytes: 4_000_000, lost: 3, late: 2, recovered: 9, nacked: 12, key_frames: 4, loss_permille: 2, bitrate_kbps: 40, temporal_kbps: [40], height: 0, jitter_ms: 4, ...change,
});

const slot = (mid: string, participant: ParticipantId, source: Source, change: Partial<MediaSlot> = {}): MediaSlot => ({
  mid, participant, source, packets: 4_000, bytes: 3_000_000, resent: 6, nacked: 8, left_out: 0, loss_permille: 3, rtt_ms: 42, jitter_ms: 5, rid: "f", height: 720, temporal: null, held: false, ...change,
});

/** A wave that is the same each time: 0 … 1. */
const wave = (step: number, of: number): number => 0.5 + 0.5 * Math.sin((step / of) * 2 * Math.PI);

function sender(step: number, kbps: number, lossPart: number): MediaParticipant["sources"] {
  const came = 100 * step;
  return [
    { source: "microphone", open: true, flowing: true, forwarded: came, plis: 0, layers: [layer({ packets: came, lost: 0 })] },
    { source: "camera", open: true, flowing: true, forwarded: came, plis: 3, layers: [layer({ rid: "f", packets: came, lost: Math.round(came * lossPart), bitrate_kbps: kbps, height: 720 })] },
  ];
}

/** One moment: the customer's path falls to 300 kbit/s in the middle and is back at the end; the expert comes late. */
function moment(step: number): MediaParticipant[] {
  const narrow = step > 22 && step < 42;
  const network = { wanted_kbps: 2_100, probe_bytes: 51_000, held: 0, key_requests: 2 };
  const me: MediaParticipant = {
    participant: "PA_me",
    state: "connected",
    sources: sender(step, 1_150, 0.001),
    slots: [slot("4", "PA_c", "camera"), slot("5", "PA_e", "camera", { rid: "h", height: 360 })],
    steps_ms: {},
    network: { ...network, estimate_kbps: 4_200 + Math.round(500 * wave(step, 20)), sent_kbps: 1_700 + Math.round(220 * wave(step, 7)), rtt_ms: 18 + Math.round(6 * wave(step, 9)), loss_permille: 0, limit: "none" },
  };
  const customer: MediaParticipant = {
    participant: "PA_c",
    state: "connected",
    sources: sender(step, 820, 0.012),
    slots: [
      slot("4", "PA_me", "camera", narrow ? { rid: "q", height: 180, temporal: 0 } : step >= 42 && step < 47 ? { rid: "h", height: 360 } : {}),
      slot("5", "PA_e", "camera", narrow ? { rid: null, height: 0, held: true } : { rid: "h", height: 360 }),
    ],
    steps_ms: {},
    network: {
      ...network,
      estimate_kbps: narrow ? 290 + Math.round(30 * wave(step, 6)) : Math.min(2_600, 900 + (step < 42 ? 1_500 : (step - 41) * 130)),
      sent_kbps: narrow ? 240 + Math.round(40 * wave(step, 5)) : Math.min(1_500, 700 + (step < 42 ? 700 : (step - 41) * 60)),
      rtt_ms: narrow ? 140 + Math.round(70 * wave(step, 8)) : 64 + Math.round(14 * wave(step, 11)),
      loss_permille: narrow ? 35 + Math.round(30 * wave(step, 7)) : Math.round(6 * wave(step, 13)),
      limit: step > 22 && step < 47 ? "bandwidth" : "none",
      held: narrow ? 1 : 0,
    },
  };
  const expert: MediaParticipant = {
    participant: "PA_e",
    state: step < 34 ? "connecting" : "connected",
    sources: step < 34 ? [] : sender(step, 640, 0),
    slots: step < 34 ? [] : [slot("4", "PA_me", "camera", { rid: "h", height: 360 }), slot("5", "PA_c", "camera", { rid: "h", height: 360 })],
    steps_ms: {},
    network: step < 34 ? null : { ...network, estimate_kbps: 2_000, sent_kbps: 950, rtt_ms: 33, loss_permille: 1, limit: "none" },
  };
  return [me, customer, ...(step < 30 ? [] : [expert])];
}

function history(steps: number, first = 0): History {
  let all: History = [];
  for (let step = first; step <= steps; step += 1) all = record(all, { participants: moment(step) }, END_MS - (steps - step) * EVERY_MS);
  return all;
}

function story(name: string, still: () => Poll): Story {
  const make = () => {
    const call = fakeCall({ me: person("PA_me", "agent", NAMES.agent()), others: [person("PA_c", "customer", NAMES.customer()), person("PA_e", "expert", NAMES.expert())], speaking: ["PA_c"] });
    const desk = fakeDesk({ call });
    return <Workbench desk={desk} site={site()} callProps={{ panel: "network", network: () => <NetworkPanel call={call} read={() => desk.media("SE_1")} still={still()} /> }} />;
  };
  return { name: `bench-network${name}`, make };
}

const offline = { code: "offline", detail: "", retryAfterS: null };

export const networkStories: Story[] = [
  story("", () => ({ history: history(60), atMs: END_MS, problem: null })),
  story("-narrow", () => ({ history: history(36), atMs: END_MS, problem: null })),
  story("-first", () => ({ history: history(3, 3), atMs: END_MS, problem: null })),
  story("-gone", () => ({ history: record(history(50), { participants: moment(51).slice(0, 1).map((one) => ({ ...one, state: "disconnected" })) }, END_MS + EVERY_MS), atMs: END_MS + EVERY_MS, problem: null })),
  story("-stale", () => ({ history: history(60), atMs: END_MS, problem: offline })),
  story("-loading", () => ({ history: [], atMs: null, problem: null })),
  story("-empty", () => ({ history: [], atMs: END_MS, problem: null })),
  story("-error", () => ({ history: [], atMs: null, problem: { code: "media_unavailable", detail: "", retryAfterS: null } })),
];
