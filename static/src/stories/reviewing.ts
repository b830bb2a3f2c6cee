/** Verifications that wait for a review, for the stories: drawn faces, real signals. */
import { computed, signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { EVERYTHING, SOON_MS } from "../core/reviews";
import type { Reviews } from "../core/reviews";
import { ApiError } from "../core/problems";
import { language } from "../i18n";
import type { CheckView, PictureKind, ReviewDetail, ReviewEntry, ReviewPicture, ReviewedAttempt, StaffRef, VerificationView, WaitingType } from "../protocol.gen";
import { LOOKS, drawFace } from "./face";

const zh = () => language.value === "zh";
const inS = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
const settled = () => Promise.resolve();
export const caseId = (letter: string) => `VE_${letter.repeat(24)}A7`;

export function entry(change: Partial<ReviewEntry> = {}): ReviewEntry {
  return {
    id: caseId("K"),
    type: "debit_card_password_change",
    title: { zh: "修改借记卡密码", en: "Change of a debit card’s password" },
    customer: "cif-88421907",
    session: null,
    created_at: inS(-420),
    review_until: inS(1_867),
    reasons: ["pad_unavailable"],
    second: false,
    yours: true,
    why_not: null,
    ...change,
  };
}

export function queue(): ReviewEntry[] {
  return [
    entry({ id: caseId("B"), type: "card_loss_report", title: { zh: "挂失银行卡", en: "Report of a lost card" }, customer: "cif-31170426", session: "SE_4f9c27a1e5b84d0f9a3c6e7712d0b8aa", review_until: inS(244), reasons: ["action_replaced"] }),
    entry(),
    entry({ id: caseId("C"), type: "reserved_phone_change", title: { zh: "变更预留手机号", en: "Change of the reserved telephone number" }, customer: "cif-50028814", review_until: inS(5_410), reasons: ["risk_referred", "light_unseen"], second: true }),
    entry({ id: caseId("D"), type: "ushield_pin_reset", title: { zh: "重置U盾密码", en: "Reset of a U-shield’s PIN" }, customer: "cif-77120093", review_until: inS(6_900), reasons: ["document_unreadable"], yours: false, why_not: "own_session" }),
  ];
}

const picture = (number: number, kind: PictureKind, at_ms: number, match: number | null, asked = "", pad: number | null = null): ReviewPicture => ({ name: `${String(number).padStart(2, "0")}-${kind}`, kind, at_ms, asked, match, pad, quality: match === null ? null : 0.7 + (number % 4) * 0.06 });

export function pictures(): ReviewPicture[] {
  return [
    picture(0, "first", 0, 0.71),
    picture(1, "action", 2_340, 0.52, "turn_left"),
    picture(2, "action", 4_980, 0.49, "turn_right"),
    picture(3, "action", 8_120, 0.66, "come_closer"),
    picture(4, "match", 9_460, 0.74),
    picture(5, "last", 11_020, 0.69),
  ];
}

export function lit(): ReviewPicture[] {
  const colours = ["#f4e9c8", "#4aa8ff", "#ff9b6a", "#5fe08a"];
  return [picture(0, "first", 0, 0.71, "", 0.93), ...colours.map((colour, at) => picture(at + 1, "colour", 1_200 + at * 1_250, 0.62 - at * 0.03, colour, 0.81)), picture(5, "match", 9_460, 0.74, "", 0.92), picture(6, "document", 14_800, null)];
}

const check = (name: CheckView["name"], outcome: CheckView["outcome"], score: number | null, reasons: string[] = []): CheckView => ({ name, outcome, score, reasons, excused: [] });

export const by = (id: string, name: string, active = true): StaffRef => ({ id, name, active });

export function attempt(change: Partial<ReviewedAttempt> = {}, number = 1): ReviewedAttempt {
  return {
    attempt: { id: `VA_${number}`, number, assurance: "live", started_at: inS(-300 + number * 60), ended_at: inS(-240 + number * 60), outcome: "refer", reasons: ["pad_unavailable"] },
    checks: [check("match", "pass", 0.68), check("challenge", "pass", 1)],
    match_score: 0.68,
    match_threshold: 0.5,
    frames: 142,
    pack_name: "base",
    fault: null,
    risk_score: 0.08,
    risk_level: "low",
    risk_reasons: [{ code: "model_new_device", words: { zh: "新设备", en: "A new device" }, contribution: 0.03 }],
    rules_hash: "ab".repeat(32),
    model_hash: "cd".repeat(32),
    pictures: pictures(),
    reference: "portrait",
    evidence_lost: false,
    excused: false,
    ...change,
  };
}

export function detail(change: Partial<ReviewDetail> = {}): ReviewDetail {
  return {
    review: entry(),
    details: { card_last4: "2207", channel: "app", request_reference: "R-20261122-0815" },
    template: null,
    reference_picture: true,
    attempts: [attempt()],
    identified: null,
    reviews: [],
    ...change,
  };
}

/** Everything at once: coloured light, a document, raised risk, an attempt before, a first approval. */
export function full(): ReviewDetail {
  const risky: Partial<ReviewedAttempt> = {
    checks: [
      check("match", "refer", 0.53, ["portrait_unsure"]),
      check("pad", "pass", 0.88),
      check("challenge", "refer", 0.75, ["action_replaced"]),
      check("light", "refer", 0.31, ["light_unseen"]),
      check("document", "refer", null, ["document_unreadable", "document_name_unconfirmed"]),
    ],
    pack_name: "open",
    risk_score: 0.57,
    risk_level: "refer",
    risk_reasons: [
      { code: "listed_watch_customer", words: { zh: "客户在关注名单中", en: "The customer is on the watch list" }, contribution: 0 },
      { code: "model_failures", words: { zh: "24 小时内多次失败", en: "Rejected attempts in 24 hours" }, contribution: 0.41 },
      { code: "new_device_at_night", words: { zh: "夜间使用新设备", en: "A new device at night" }, contribution: 0.2 },
      { code: "long_standing", words: { zh: "开户多年", en: "A customer for many years" }, contribution: -0.08 },
    ],
    pictures: lit(),
  };
  const before = attempt({ checks: [check("match", "fail", 0.21, ["no_match"])], match_score: 0.21, pictures: pictures().slice(0, 2).map((one) => ({ ...one, match: 0.2 })) }, 1);
  before.attempt.outcome = "reject";
  return detail({
    review: { ...(queue()[2] ?? entry()) },
    details: { new_phone: "13800138000", old_phone_last4: "6612", request_reference: "R-20261122-0907" },
    attempts: [before, attempt(risky, 2)],
    reviews: [{ by: by("ST_7KQ2", zh() ? "吴敏" : "Wu Min"), at: inS(-600), approved: true, reason: zh() ? "动作与声音都对得上，客户能说出最近一笔交易。" : "Movements and voice fit; the customer knew their last payment." }],
  });
}

/** A drawn picture as a JPEG, in the light of a colour where there was one. */
function drawn(look: keyof typeof LOOKS, colour: string | null, card = false): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = card ? 506 : 640;
  canvas.height = card ? 319 : 480;
  const context = canvas.getContext("2d");
  if (context === null) return Promise.reject(new ApiError("internal", ""));
  if (card) {
    context.fillStyle = "#e6ecec";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = "#8fa6a8";
    for (let line = 0; line < 5; line += 1) context.fillRect(36, 50 + line * 48, 220 - (line % 3) * 40, 16);
    context.fillStyle = "#c3b29a";
    context.fillRect(350, 50, 120, 160);
  } else {
    drawFace(context, canvas.width, canvas.height, LOOKS[look], 0);
  }
  if (colour !== null) {
    context.globalAlpha = 0.22;
    context.fillStyle = colour;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new ApiError("internal", ""))), "image/jpeg", 0.85));
}

export interface ReviewSetting {
  queue?: ReviewEntry[] | null;
  problem?: string;
  more?: boolean;
  behind?: number; // how many wait that are not loaded
  detail?: ReviewDetail;
  fails?: string; // code that opening it is refused with
  lost?: string; // code that its pictures are refused with
  decided?: () => Promise<VerificationView>;
}

function typesOf(queue: readonly ReviewEntry[]): WaitingType[] {
  const titles = new Map(queue.map(({ type, title }) => [type, title]));
  return [...titles].map(([type, title]) => ({ type, title, count: queue.filter((one) => one.type === type).length }));
}

export type FakeReviews = Reviews & { queue: Signal<readonly ReviewEntry[] | null>; behind: Signal<number> };

export function fakeReviews(setting: ReviewSetting = {}): FakeReviews {
  const waiting = signal<readonly ReviewEntry[] | null>(setting.queue === undefined ? queue() : setting.queue);
  const shown = setting.detail ?? detail();
  const image = (look: keyof typeof LOOKS, colour: string | null = null, card = false) => (setting.lost === undefined ? drawn(look, colour, card) : Promise.reject(new ApiError(setting.lost, "")));
  const filter = signal(EVERYTHING);
  const more = signal(setting.more ?? false);
  const behind = signal(setting.behind ?? 0);
  const found = computed(() => {
    const { type, yours, soon } = filter.value;
    return waiting.value?.filter((one) => (type === null || one.type === type) && (yours === null || one.yours === yours) && (!soon || Date.parse(one.review_until) - Date.now() < SOON_MS)) ?? null;
  });
  return {
    queue: waiting,
    more,
    behind,
    types: computed(() => typesOf(waiting.value ?? []).map((one, at) => ({ ...one, count: one.count + (at === 0 ? behind.value : 0) }))),
    filter,
    found,
    foundMore: more,
    loadMore: async () => {
      more.value = false;
    },
    narrow: async (chosen) => {
      filter.value = chosen;
    },
    problem: signal(setting.problem ?? null),
    refresh: settled,
    watch: () => () => undefined,
    open: async (id) => {
      if (setting.fails !== undefined) throw new ApiError(setting.fails, "");
      return { ...shown, review: setting.detail ? shown.review : (waiting.peek()?.find((one) => one.id === id) ?? shown.review) };
    },
    decide: setting.decided ?? (() => Promise.reject(new ApiError("offline", ""))),
    picture: (_id, _attempt, name) => {
      const one = shown.attempts.flatMap(({ pictures }) => pictures).find((picture) => picture.name === name);
      return image("customer", one && one.asked.startsWith("#") ? one.asked : null, one?.kind === "document");
    },
    reference: () => image("customer"),
  };
}

export function outcome(state: VerificationView["state"], reasons: string[] = []): VerificationView {
  return {
    id: caseId("K"), type: "debit_card_password_change", customer: "cif-88421907", state, details_hash: "", policy_hash: "", reference: "portrait", session: null, created_at: inS(-420), expires_at: inS(480),
    attempts_allowed: 3, attempts_used: 1, attempt_until: null, review_until: null, verdict: { outcome: "reject", reasons, assurance: "live", risk_level: "low" }, ended_at: null, result: null, result_until: null, redeemed_at: null, links: null,
  };
}
