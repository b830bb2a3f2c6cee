import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../../../core/problems";
import { language, t } from "../../../i18n";
import { REASONS, reasonWords } from "../../../i18n/reasons";
import type { ReviewDetail, ReviewEntry, ReviewPicture, VerificationView } from "../../../protocol.gen";
import { attempt, by, caseId, detail, entry, fakeReviews, full, outcome, queue } from "../../../stories/reviewing";
import type { FakeReviews, ReviewSetting } from "../../../stories/reviewing";
import { announce } from "../../../ui/announce";
import { shortcuts } from "../../../ui/prefs";
import { doneWords, refusedWords } from "./Decide";
import { useReviews } from "./news";
import { firstOf } from "./Pictures";
import { ReviewList, mine, nextOf } from "./ReviewList";
import { ReviewPage } from "./ReviewPage";
import { detailName, detailValue, figure, pictureProblem, second, share, shotColour, shotWords } from "./words";

vi.mock("../../../stories/face", () => ({ faceStream: () => null, screenStream: () => null, LOOKS: {}, drawFace: () => undefined }));
vi.mock("../../../ui/announce", () => ({ announce: vi.fn() }));

const root = document.createElement("div");
const ID = caseId("K");
let reviews: FakeReviews;
let drafts: string[];
let went: string[];
let asked: string[];

/** What was asked is answered and drawn, and what that asks in turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 6; turn += 1) await act(async () => void (await new Promise((resolve) => setTimeout(resolve, 0))));
}
const button = (name: string): HTMLButtonElement => {
  const found = [...root.querySelectorAll("button")].find((one) => one.textContent?.trim() === name);
  if (found === undefined) throw new Error(`no button "${name}"`);
  return found;
};
const press = async (name: string): Promise<void> => {
  await act(async () => button(name).click());
  await settle();
};
const field = (): HTMLTextAreaElement => {
  const found = root.querySelector<HTMLTextAreaElement>(".decide textarea");
  if (found === null) throw new Error("no field");
  return found;
};
const write = (text: string): Promise<void> =>
  act(() => {
    field().value = text;
    field().dispatchEvent(new Event("input", { bubbles: true }));
  });
const said = (): string => root.querySelector(".decide-said")?.textContent ?? "";

async function open(setting: ReviewSetting = {}, draft = ""): Promise<void> {
  reviews = fakeReviews(setting);
  const blob = new Blob(["jpeg"]);
  reviews.picture = async (_id, number, name) => {
    asked.push(`${number} ${name}`);
    if (setting.lost !== undefined) throw new ApiError(setting.lost, "");
    return blob;
  };
  reviews.reference = async () => {
    asked.push("reference");
    return blob;
  };
  const page = <ReviewPage reviews={reviews} me="ST_1" id={ID} draft={draft} onDraft={(text) => drafts.push(text)} onNext={() => went.push("next")} onBack={() => went.push("back")} />;
  await act(() => render(page, root));
  await settle();
}

beforeEach(() => {
  language.value = "en";
  shortcuts.value = true;
  drafts = [];
  went = [];
  asked = [];
  vi.mocked(announce).mockClear();
  document.body.append(root);
});
afterEach(() => {
  act(() => render(null, root));
  root.remove();
  vi.useRealTimers();
});

describe("words and figures", () => {
  it("never show a score as if it had reached what it has not", () => {
    expect([0.4999, 0.5, 0.29, 1, 0].map(figure)).toEqual(["0.49", "0.50", "0.29", "1.00", "0.00"]);
    expect([0.3, -0.084, 0.001, -0.001].map(share)).toEqual(["+0.30", "−0.08", "0.00", "0.00"]);
    expect([0, 2_340, -5].map(second)).toEqual(["0.0 s", "2.3 s", "0.0 s"]);
  });

  it("say what a picture shows", () => {
    expect(shotWords({ kind: "action", asked: "turn_left" })).toBe("Head to the left");
    expect(shotWords({ kind: "colour", asked: "#4AA8FF" })).toBe("Coloured light");
    expect(shotWords({ kind: "action", asked: "a_new_one" })).toBe("a_new_one");
    expect(shotWords({ kind: "upload", asked: "" })).toBe("Uploaded");
    expect([shotColour("#4AA8FF"), shotColour("turn_left"), shotColour("#12345")]).toEqual(["#4aa8ff", null, null]);
  });

  it("show details as they were sent, and a bank's own keys as they are called", () => {
    expect(["1250.00", 3, true, false, null, "", ["a", "b"], { b: 1 }].map(detailValue)).toEqual(["1250.00", "3", "Yes", "No", "Empty", "Empty", "a, b", '{"b":1}']);
    expect([detailName("new_phone"), detailName("our_own_key"), detailName("constructor")]).toEqual(["New telephone number", "our own key", "constructor"]);
  });

  it("say why there is no picture", () => {
    expect(["offline", "gone", "not_in_review", "not_allowed", "evidence_changed"].map(pictureProblem)).toEqual(["It did not come.", "It is no longer kept.", "It is no longer kept.", "You may not see it.", "It is damaged, and is not shown."]);
    expect(pictureProblem("a_new_code")).not.toBe("");
  });

  it("of reasons are there in both languages, and a code without words is not hidden", () => {
    for (const [code, both] of Object.entries(REASONS)) {
      expect(both.every((text) => text.trim() !== ""), code).toBe(true);
      expect(both[0], code).toMatch(/\p{Script=Han}/u);
      expect(both[1], code).not.toMatch(/\p{Script=Han}/u);
    }
    expect(reasonWords("no_match", "zh")).toBe("与留存照片不是同一个人");
    expect([reasonWords("a_new_code"), reasonWords("constructor")]).toEqual(["Code a_new_code", "Code constructor"]);
  });

  it("say what came of a decision, also where it was against the reviewer", () => {
    const view = (state: VerificationView["state"], ...reasons: string[]) => outcome(state, reasons);
    expect(doneWords("approve", view("accepted"))).toBe(t("reviews.done.accepted"));
    expect(doneWords("approve", view("second_review"))).toBe(t("reviews.done.second_review"));
    expect(doneWords("decline", view("rejected"))).toBe(t("reviews.done.rejected"));
    expect(doneWords("approve", view("rejected", "customer_locked"))).toContain("The customer is locked");
    expect(doneWords("approve", { state: "cancelled", verdict: null })).toBe(t("reviews.done.other"));
  });

  it("say why a decision was not taken", () => {
    const words = (code: string, waits = true, overdue = false) => refusedWords(new ApiError(code, ""), waits, overdue);
    expect(words("not_in_review", false)).toBe(t("reviews.meanwhile"));
    expect(words("not_in_review", false, true)).toBe(t("reviews.too_late"));
    expect(words("not_allowed")).toBe(t("reviews.refused"));
    expect(words("risk_unavailable")).toBe(t("reviews.risk_unavailable"));
    expect(words("customer_locked")).toBe(t("reviews.locked"));
    expect([words("offline"), words("offline", false)]).toEqual([t("reviews.unknown"), t("reviews.unknown.gone")]);
    expect(words("store_unavailable")).toBe(t("problem.store_unavailable"));
  });
});

describe("the queue", () => {
  const show = (setting: ReviewSetting = {}, inCall = false) => {
    reviews = fakeReviews(setting);
    return act(() => render(<ReviewList reviews={reviews} selected={ID} inCall={inCall} onSelect={(id) => went.push(id)} />, root));
  };
  const titles = () => [...root.querySelectorAll(".task strong")].map((one) => one.textContent);

  it("has the one that is due first on top, with its reason, its time and whether it is theirs", async () => {
    await show();
    expect(titles()).toEqual(["Report of a lost card", "Change of a debit card’s password", "Change of the reserved telephone number", "Reset of a U-shield’s PIN"]);
    expect(root.querySelector(".task")?.textContent).toContain(reasonWords("action_replaced"));
    expect([...root.querySelectorAll(".chip.warn")]).toHaveLength(1);
    expect(root.textContent).toContain(t("reviews.second"));
    expect(root.textContent).toContain(t("reviews.not_yours"));
    act(() => root.querySelector<HTMLElement>(".task")?.click());
    expect(went).toEqual([caseId("B")]);
  });

  it("moves nothing under the pointer, and is in order again when it has gone", async () => {
    await show();
    const box = root.querySelector(".stack");
    await act(() => void box?.dispatchEvent(new Event("pointerenter")));
    await act(() => void (reviews.queue.value = [entry({ id: caseId("N"), title: { zh: "新", en: "New one" }, review_until: new Date().toISOString() }), ...queue().slice(1)]));
    expect(titles()).toEqual(["Report of a lost card", "Change of a debit card’s password", "Change of the reserved telephone number", "Reset of a U-shield’s PIN", "New one"]);
    expect(root.querySelector<HTMLButtonElement>(".task")?.disabled).toBe(true);
    expect(root.querySelector(".task")?.textContent).toContain(t("reviews.decided"));
    await act(() => void box?.dispatchEvent(new Event("pointerleave")));
    expect(titles()[0]).toBe("New one");
    expect(titles()).toHaveLength(4);
  });

  it("says when it is empty, old, or for later", async () => {
    await show({ queue: [] });
    expect(root.textContent).toContain(t("reviews.empty"));
    await show({ problem: "offline" });
    expect(root.textContent).toContain(t("reviews.old"));
    await show({ queue: null, problem: "offline" });
    expect(root.textContent).toContain(t("reviews.old"));
    await show({}, true);
    expect(root.textContent).toContain(t("reviews.in_call"));
    expect([...root.querySelectorAll<HTMLButtonElement>(".task")].every((one) => one.disabled)).toBe(true);
  });

  it("knows which comes next, and never one that is another's", () => {
    const all = queue();
    expect(mine(all).map(({ id }) => id)).toEqual([caseId("B"), ID, caseId("C")]);
    expect(nextOf(all, caseId("B"))).toBe(ID);
    expect(nextOf(all, caseId("C"))).toBe(caseId("B"));
    expect(nextOf(all, caseId("Z"))).toBe(caseId("B"));
    expect(nextOf([entry()], ID)).toBeNull();
    expect(nextOf(null, ID)).toBeNull();
  });

  it("tells of what comes, not of what was there", async () => {
    reviews = fakeReviews({ queue: [entry()] });
    const Told = () => (useReviews(reviews), null);
    await act(() => render(<Told />, root));
    expect(announce).not.toHaveBeenCalled();
    await act(() => void (reviews.queue.value = [entry(), entry({ id: caseId("O"), yours: false })]));
    expect(announce).not.toHaveBeenCalled();
    await act(() => void (reviews.queue.value = [entry(), entry({ id: caseId("N"), title: { zh: "新", en: "New one" } })]));
    expect(announce).toHaveBeenLastCalledWith("A verification waits for a review: New one");
  });

  it("tells nothing of what waited on a page that was not loaded", async () => {
    const due = (letter: string, minutes: number) => entry({ id: caseId(letter), review_until: new Date(Date.now() + minutes * 60_000).toISOString(), title: { zh: letter, en: letter } });
    reviews = fakeReviews({ queue: [due("A", 5), due("B", 10)], more: true, behind: 2 });
    const Told = () => (useReviews(reviews), null);
    const come = (behind: number, ...entries: ReviewEntry[]) =>
      act(() => {
        reviews.behind.value = behind;
        reviews.queue.value = entries;
      });
    await act(() => render(<Told />, root));
    await come(1, due("A", 5), due("B", 10), due("C", 20));
    expect(announce).not.toHaveBeenCalled();
    await come(1, due("A", 5), due("N", 7), due("B", 10), due("C", 20));
    expect(announce).toHaveBeenLastCalledWith("A verification waits for a review: N");
  });

  it("tells that more wait behind the pages that are loaded, and of nothing that was only pushed there", async () => {
    const due = (letter: string, minutes: number, yours = true) => entry({ id: caseId(letter), review_until: new Date(1_900_000_000_000 + minutes * 60_000).toISOString(), title: { zh: letter, en: letter }, yours });
    reviews = fakeReviews({ queue: [due("A", 5), due("B", 10)], more: true, behind: 1 });
    const Told = () => (useReviews(reviews), null);
    const come = (behind: number, ...entries: ReviewEntry[]) =>
      act(() => {
        reviews.behind.value = behind;
        reviews.queue.value = entries;
      });
    await act(() => render(<Told />, root));
    await come(2, due("A", 5), due("B", 10));
    expect(announce).toHaveBeenLastCalledWith("More verifications wait for a review: 4 in all");
    vi.mocked(announce).mockClear();
    await come(2, due("A", 5), due("B", 10));
    await come(3, due("A", 5), due("O", 7, false)); // another's came, and pushed one behind
    await come(2, due("O", 7, false), due("B", 10)); // the first was decided, and one came back from behind
    await come(2, due("O", 7, false), due("B", 10));
    expect(announce).not.toHaveBeenCalled();
    await come(2, due("B", 10), due("C", 20)); // one was decided as another came behind
    expect(announce).toHaveBeenCalledTimes(1);
    await come(1, due("C", 20), due("D", 30)); // one was decided, and none came
    expect(announce).toHaveBeenCalledTimes(1);
  });

  it("is narrowed by whose it is, by how urgent it is and by type, and says when nothing of that waits", async () => {
    await show();
    await press(t("reviews.filter.others"));
    expect(titles()).toEqual(["Reset of a U-shield’s PIN"]);
    expect(button(t("reviews.filter.others")).getAttribute("aria-pressed")).toBe("true");
    await press(t("reviews.filter.yours"));
    expect(titles()).toHaveLength(3);
    await press(t("reviews.filter.soon"));
    expect(titles()).toEqual(["Report of a lost card"]);
    const select = root.querySelector("select");
    expect([...(select?.options ?? [])].map(({ textContent }) => textContent)).toEqual(["All types (4)", "Report of a lost card (1)", "Change of a debit card’s password (1)", "Change of the reserved telephone number (1)", "Reset of a U-shield’s PIN (1)"]);
    await act(() => {
      if (select) select.value = "ushield_pin_reset";
      select?.dispatchEvent(new Event("change", { bubbles: true }));
    });
    expect(titles()).toEqual([]);
    expect(root.textContent).toContain(t("reviews.empty.found"));
    await press(t("reviews.filter.none"));
    expect(titles()).toHaveLength(4);
  });

  it("has the next page behind a button, where there is one", async () => {
    await show({ more: true, behind: 13 });
    const buttons = () => [...root.querySelectorAll("button")].map((one) => one.textContent).filter((text) => text?.startsWith(t("reviews.more")));
    expect(buttons()).toEqual(["More (13)"]);
    await act(() => void (reviews.behind.value = 14));
    expect(buttons()).toEqual(["More (14)"]);
    await press(t("reviews.filter.yours"));
    expect(buttons()).toEqual(["More"]); // nobody counts those
    await press(t("reviews.more"));
    expect(buttons()).toEqual([]);
  });
});

describe("one review", () => {
  it("names colleagues, also those whose accounts are switched off or gone, and itself", async () => {
    const said = [by("ST_2", "Wu Min"), by("ST_3", "Li Na", false), by("ST_4", "", false), by("ST_1", "Me")].map((one, at) => ({ by: one, at: new Date(at).toISOString(), approved: true, reason: "OK" }));
    await open({ detail: detail({ reviews: said }) });
    const words = [...root.querySelectorAll("[aria-labelledby=review-earlier] .soft")].map(({ textContent }) => textContent ?? "");
    const starts = ["Approved by Wu Min (ST_2), ", "Approved by Li Na (ST_3, account switched off), ", "Approved by ST_4 (no such account any more), ", "Approved by you, "];
    expect(words.map((one, at) => one.slice(0, starts[at]?.length))).toEqual(starts);
  });

  it("marks an attempt that ended through us, and what does not count of it", async () => {
    const ours = attempt({ excused: true, fault: "engine_lost", checks: [{ name: "challenge", outcome: "refer", score: null, reasons: ["action_missed", "action_replaced"], excused: ["action_missed"] }] }, 1);
    await open({ detail: detail({ attempts: [ours, attempt({}, 2)] }) });
    expect(root.textContent).not.toContain(t("reviews.excused.attempt"));
    await press("Attempt 1 · referred · through us");
    expect(root.textContent).toContain(t("reviews.excused.attempt"));
    const reasons = [...root.querySelectorAll(".finding .why-list li")].map(({ textContent }) => textContent);
    expect(reasons).toEqual([t("reviews.excused.reason", { why: reasonWords("action_missed") }), reasonWords("action_replaced")]);
  });

  it("shows everything to decide by: details, checks and risk with figures, earlier words", async () => {
    const whole = full();
    await open({ detail: { ...whole, review: { ...whole.review, id: ID } }, queue: [entry({ second: true })] });
    const text = root.textContent ?? "";
    for (const words of ["13800138000", "0.53, asked for: 0.50", reasonWords("portrait_unsure"), reasonWords("light_unseen"), "Rejected attempts in 24 hours", "+0.41", "−0.08", "Raised: 0.57 of 1", "Movements and voice fit", "ST_7KQ2"]) {
      expect(text).toContain(words);
    }
    expect(said()).toBe(t("reviews.is_second"));
  });

  it("fetches the pictures of the attempt that is looked at, and lets go of them", async () => {
    const made = vi.spyOn(URL, "createObjectURL");
    const left = vi.spyOn(URL, "revokeObjectURL");
    const whole = full();
    await open({ detail: { ...whole, review: { ...whole.review, id: ID } }, queue: [entry({ second: true })] });
    expect(asked.filter((one) => one.startsWith("VA_2"))).toHaveLength(whole.attempts[1]?.pictures.length ?? -1);
    expect(asked.filter((one) => one.startsWith("VA_1"))).toEqual([]);
    expect(root.querySelectorAll(".beside img")).toHaveLength(2);
    await press("Attempt 1 · not confirmed");
    expect(asked.filter((one) => one.startsWith("VA_1"))).toHaveLength(2);
    expect(root.textContent).toContain("below what is asked for");
    act(() => render(null, root));
    expect(left.mock.calls.length).toBe(made.mock.calls.length);
    expect(made.mock.calls.length).toBeGreaterThan(8);
  });

  it("goes through the pictures by keys, and says which is shown", async () => {
    await open();
    const strip = root.querySelector(".shots");
    const chosen = () => [...root.querySelectorAll(".shot")].findIndex((one) => one.getAttribute("aria-pressed") === "true");
    const key = (name: string) => act(() => void strip?.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true })));
    expect(chosen()).toBe(4);
    await key("ArrowRight");
    await key("ArrowRight");
    expect(chosen()).toBe(5);
    await key("Home");
    await key("ArrowLeft");
    expect(chosen()).toBe(0);
    await key("End");
    expect([chosen(), root.querySelectorAll(".shot[tabindex='0']").length]).toEqual([5, 1]);
    expect(root.querySelector(".beside figure:last-child img")?.getAttribute("alt")).toBe("The customer, At the end");
  });

  it("shows the reference that the attempt was compared with: the portrait of the case, or the picture of the enrolment, kept with the attempt", async () => {
    await open();
    expect(asked).toContain("reference");
    expect(root.querySelector(".beside figure:first-child img")?.getAttribute("alt")).toBe(t("reviews.picture.large.reference"));
    act(() => render(null, root));
    asked = [];
    await open({ detail: detail({ template: "FT_1", reference_picture: false, attempts: [attempt({ reference: "enrolment" }, 1), attempt({ reference: "none" }, 2)].toReversed() }) });
    expect(asked).toContain("VA_1 reference-1");
    expect(asked).not.toContain("reference");
    expect(root.querySelector(".beside figure:first-child img")?.getAttribute("alt")).toBe(t("reviews.picture.large.reference"));
    expect(root.querySelectorAll(".shot")).toHaveLength(6);
  });

  it.each(["none", "changed", "lost"] as const)("says why there is no reference to hold an attempt against: %s", async (reference) => {
    await open({ detail: detail({ template: "FT_1", reference_picture: false, attempts: [attempt({ reference })] }) });
    expect(root.querySelector(".beside figure:first-child")?.textContent).toContain(t(`reviews.picture.reference.${reference}`));
    expect(asked.filter((one) => one.includes("reference"))).toEqual([]);
  });

  it("says when no pictures were kept, when they are lost, and when they do not come", async () => {
    await open({ detail: detail({ attempts: [attempt({ pictures: [], reference: "none" })], reference_picture: false }) });
    expect(root.textContent).toContain(t("reviews.pictures.none"));
    expect(asked).toEqual([]);
    act(() => render(null, root));
    await open({ detail: detail({ attempts: [attempt({ pictures: [], evidence_lost: true })] }) });
    expect(root.textContent).toContain(t("reviews.pictures.lost"));
    act(() => render(null, root));
    await open({ lost: "offline" });
    expect(root.textContent).toContain(t("reviews.picture.failed"));
    asked = [];
    await press(t("retry"));
    expect(asked).toEqual(["VA_1 04-match"]);
  });

  it.each(["own_session", "reviewed_already"] as const)("asks for no decision and fetches no picture of who may not: %s", async (why_not) => {
    await open({ detail: detail({ review: entry({ yours: false, why_not }) }), queue: [entry({ yours: false, why_not })] });
    expect(root.textContent).toContain(t(`reviews.${why_not}`));
    expect(root.querySelector(".decide")).toBeNull();
    expect(asked).toEqual([]);
    expect(root.textContent).toContain(t("reviews.pictures.theirs"));
  });

  it("says that nobody need decide any more, and goes on", async () => {
    await open({ fails: "not_in_review" });
    expect(root.textContent).toContain(t("reviews.gone.title"));
    await press(t("reviews.next"));
    await press(t("reviews.list.back"));
    expect(went).toEqual(["next", "back"]);
    act(() => render(null, root));
    await open({ fails: "offline" });
    expect(root.textContent).toContain(t("problem.offline"));
    expect(button(t("retry"))).toBeTruthy();
  });

  it("shows an agent's word in place of a check", async () => {
    await open({ detail: detail({ attempts: [], identified: { by: by("ST_1", "Wu Min"), at: "2026-11-22T10:00:00Z", methods: ["document_seen", "called_back"], note: "Passport, photograph fits" } }) });
    expect(root.textContent).toContain("Passport, photograph fits");
    expect(root.textContent).toContain(t("reviews.proof.called_back"));
    expect(root.textContent).toContain("By you");
  });
});

describe("the decision", () => {
  let decisions: [string, string, string][];
  const answering = (answer: () => Promise<VerificationView>, setting: ReviewSetting = {}) => open(setting).then(() => {
    decisions = [];
    reviews.decide = (id, decision, reason) => {
      decisions.push([id, decision, reason]);
      return answer();
    };
  });

  it("asks for a reason first, at the field, and keeps what was written", async () => {
    await answering(() => Promise.resolve(outcome("accepted")));
    await write("  ");
    await press(t("reviews.approve"));
    expect([decisions, said(), field().getAttribute("aria-invalid"), document.activeElement === field()]).toEqual([[], t("reviews.reason.missing"), "true", true]);
    await write("It is her");
    expect(drafts.at(-1)).toBe("It is her");
    await press(t("reviews.approve"));
    expect(decisions).toEqual([[ID, "approve", "It is her"]]);
    expect([said(), drafts.at(-1)]).toEqual([t("reviews.done.accepted"), ""]);
    expect([button(t("reviews.approve")).disabled, button(t("reviews.decline")).disabled]).toEqual([true, true]);
    expect(announce).toHaveBeenLastCalledWith(t("reviews.done.accepted"));
    await press(t("reviews.next"));
    expect(went).toEqual(["next"]);
  });

  it("has what was begun before", async () => {
    await open({}, "Half a sen");
    expect(field().value).toBe("Half a sen");
  });

  it("is sent once, however often one presses", async () => {
    let answer: (view: VerificationView) => void = () => undefined;
    await answering(() => new Promise((resolve) => (answer = resolve)));
    await write("no");
    await press(t("reviews.decline"));
    await press(t("reviews.decline"));
    expect(button(t("reviews.approve")).disabled).toBe(true);
    answer(outcome("rejected"));
    await settle();
    expect(decisions).toHaveLength(1);
    expect(said()).toBe(t("reviews.done.rejected"));
  });

  it("tells of a colleague who was faster, and sends nothing", async () => {
    await answering(() => Promise.reject(new ApiError("not_in_review", "")));
    await write("It is her");
    await act(() => void (reviews.queue.value = []));
    expect(said()).toBe(t("reviews.meanwhile"));
    expect([button(t("reviews.approve")).disabled, decisions]).toEqual([true, []]);
    expect(announce).toHaveBeenLastCalledWith(t("reviews.meanwhile"));
  });

  it("keeps the reason when it was refused or the answer was lost", async () => {
    let code = "offline";
    await answering(() => Promise.reject(new ApiError(code, "")));
    await write("It is her");
    await press(t("reviews.approve"));
    expect([said(), field().value, button(t("reviews.approve")).disabled]).toEqual([t("reviews.unknown"), "It is her", false]);
    code = "not_allowed";
    await press(t("reviews.approve"));
    expect(said()).toBe(t("reviews.refused"));
  });

  it("says that the time is over rather than that somebody was faster", async () => {
    const over = entry({ review_until: new Date(Date.now() - 1_000).toISOString() });
    await open({ detail: detail({ review: over }), queue: [over] });
    await act(() => void (reviews.queue.value = []));
    expect(said()).toBe(t("reviews.too_late"));
  });

  it("becomes the second one when a colleague approves meanwhile", async () => {
    await open();
    let now: ReviewDetail = detail();
    reviews.open = async () => now;
    now = detail({ review: entry({ second: true }), reviews: [{ by: by("ST_9", "Wu Min"), at: "2026-11-22T10:00:00Z", approved: true, reason: "Knew everything" }] });
    await act(() => void (reviews.queue.value = [entry({ second: true })]));
    await settle();
    expect(root.textContent).toContain("Knew everything");
    expect(said()).toBe(t("reviews.is_second"));
  });

  it("is reached by a key, and by none by accident", async () => {
    await answering(() => Promise.resolve(outcome("accepted")));
    await act(() => void window.dispatchEvent(new KeyboardEvent("keydown", { key: "f", cancelable: true })));
    expect(document.activeElement).toBe(field());
    await write("It is her");
    for (const key of ["Enter", "a", "d", " "]) field().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ctrlKey: true }));
    await settle();
    expect(decisions).toEqual([]);
  });
});

it("begins with the picture that is most like the reference, never with a document", () => {
  const one = (kind: ReviewPicture["kind"], match: number | null): ReviewPicture => ({ name: kind, kind, at_ms: 0, asked: "", match, pad: null, quality: null });
  expect(firstOf([one("first", 0.6), one("document", 0.9), one("match", 0.7)])).toBe(2);
  expect(firstOf([one("first", null), one("last", null)])).toBe(0);
  expect(firstOf([])).toBe(0);
  const none: ReviewEntry[] = [];
  expect(mine(none)).toEqual([]);
});
