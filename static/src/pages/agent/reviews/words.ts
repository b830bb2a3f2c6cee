/** Figures, times and names of a review, as they are read. */
import { hasWords, language, t } from "../../../i18n";
import type { ReviewPicture, StaffId, StaffRef } from "../../../protocol.gen";
import { codeText } from "../../../ui/problems";

const LOCALES = { zh: "zh-CN", en: "en-GB" } as const;

/** 0 to 1 with two digits; what rounds up to a threshold that it has not reached is not shown as if it had. */
export function figure(score: number): string {
  return (Math.floor(score * 100 + 1e-9) / 100).toFixed(2);
}

/** What a reason adds to the risk, with its sign. */
export function share(contribution: number): string {
  const two = Math.abs(contribution).toFixed(2);
  return two === "0.00" ? "0.00" : `${contribution < 0 ? "−" : "+"}${two}`;
}

export function moment(iso: string): string {
  return new Intl.DateTimeFormat(LOCALES[language.value], { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" }).format(new Date(iso));
}

/** Where in the attempt a picture was taken. */
export function second(atMs: number): string {
  return `${(Math.max(0, atMs) / 1000).toFixed(1)} s`;
}

const COLOUR = /^#[0-9a-f]{6}$/i;

/** What a picture shows: what was asked for just then, else why it was kept. */
export function shotWords(picture: Pick<ReviewPicture, "kind" | "asked">): string {
  const asked = `reviews.shot.${picture.asked}`;
  const kind = `reviews.shot.${picture.kind}`;
  const why = t(hasWords(kind) ? kind : "reviews.shot.other");
  if (picture.asked === "") return why;
  return hasWords(asked) ? t(asked) : COLOUR.test(picture.asked) ? why : picture.asked;
}

/** The colour that the screen had, where it had one. */
export function shotColour(asked: string): string | null {
  return COLOUR.test(asked) ? asked.toLowerCase() : null;
}

/** Who of the bank it was: the name, and the id that record and audit have. */
export function byWords(by: StaffRef, me: StaffId): string {
  if (by.id === me) return t("reviews.by.you");
  if (by.name === "") return t("reviews.by.gone", { id: by.id });
  return t(by.active ? "reviews.by.name" : "reviews.by.off", { name: by.name, id: by.id });
}

/** Why a picture is not shown. */
export function pictureProblem(code: string): string {
  switch (code) {
    case "offline":
    case "unavailable":
    case "internal":
    case "busy":
      return t("reviews.picture.failed");
    case "not_found":
    case "gone":
    case "not_in_review":
      return t("reviews.picture.gone");
    case "not_allowed":
      return t("reviews.picture.denied");
    case "evidence_changed":
      return t("reviews.picture.damaged");
    default:
      return codeText(code);
  }
}

/** Keys of details that the shipped policies have; a bank's own are shown as they are called. */
const DETAILS: Readonly<Record<string, readonly [string, string]>> = {
  account: ["账户", "Account"],
  amount: ["金额", "Amount"],
  card_last4: ["卡号后四位", "Card, last four digits"],
  channel: ["渠道", "Channel"],
  currency: ["币种", "Currency"],
  limit: ["限额", "Limit"],
  lost_on: ["遗失日期", "Lost on"],
  new_phone: ["新手机号", "New telephone number"],
  old_phone_last4: ["原手机号后四位", "Old telephone number, last four digits"],
  request_reference: ["申请编号", "Reference of the request"],
  ushield_serial: ["U盾序列号", "Serial number of the U-shield"],
};

export function detailName(key: string): string {
  const words = Object.hasOwn(DETAILS, key) ? DETAILS[key] : undefined;
  return words === undefined ? key.replaceAll("_", " ") : words[language.value === "zh" ? 0 : 1];
}

/** A value as it was sent: nothing is rounded or put into another form, for it is what will be executed. */
export function detailValue(value: unknown): string {
  if (value === true) return t("reviews.yes");
  if (value === false) return t("reviews.no");
  if (value === null || value === "") return t("reviews.empty_value");
  if (typeof value === "string" || typeof value === "number") return String(value);
  if (Array.isArray(value) && value.every((one) => typeof one === "string" || typeof one === "number")) return value.join(t("list.separator"));
  return JSON.stringify(value);
}
