import { render } from "preact";
import { act } from "preact/test-utils";
import { signal } from "@preact/signals";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ApiError } from "../../core/problems";
import { LiveVerification } from "../../core/verification";
import { language, t } from "../../i18n";
import type { CaseBrief, ClientBody, Proof, ServerBody } from "../../protocol.gen";
import { fakeCall, fakeDevices, person } from "../../stories/fakes";
import { announce } from "../../ui/announce";
import { PROOFS } from "./IdentifyForm";
import { VerificationPanel } from "./VerificationPanel";
import { caseState } from "./VerificationCases";
import { CallUiContext } from "./ui";
import type { CallUi } from "./ui";

vi.mock("../../stories/face", () => ({ faceStream: () => null, screenStream: () => null }));
vi.mock("../../ui/announce", () => ({ announce: vi.fn() }));

const A = `VE_${"A2".repeat(13)}`;
const B = `VE_${"B3".repeat(13)}`;
const brief = (change: Partial<CaseBrief> = {}): CaseBrief => ({ case: A, type: "limit_change", title: { zh: "限额", en: "Limit" }, state: "open", attempts_left: 3, attempts_used: 0, expires_at: "2030-01-01T10:00:00Z", steps: ["face", "light"], without_face: true, retention_days: 1825, return_url: "", reasons: [], ...change });
const agreed: ServerBody = { type: "consent.changed", consent: { participant: "PA_c", scope: "face", decision: "given", decided_at: "" } };

const root = document.createElement("div");
let sent: ClientBody[];
let live: LiveVerification;
let identified: [string, readonly Proof[], string][];
let refusal: ApiError | null;

const button = (name: string): HTMLButtonElement => {
  const found = [...root.querySelectorAll("button")].find((one) => one.textContent?.trim() === name);
  if (found === undefined) throw new Error(`no button "${name}"`);
  return found;
};
const press = (name: string): Promise<void> => act(async () => button(name).click());
const submit = (): Promise<void> => act(async () => void root.querySelector("form")?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true })));
const tell = (...bodies: ServerBody[]): void => {
  void act(() => bodies.forEach((body) => live.handle(body, "PA_me")));
};
const list = (...cases: CaseBrief[]): void => tell({ type: "verification.cases", cases });

beforeEach(() => {
  language.value = "en";
  [sent, identified, refusal] = [[], [], null];
  live = new LiveVerification((body) => void sent.push(body));
  const call = {
    ...fakeCall({ me: person("PA_me", "agent", "A"), others: [person("PA_c", "customer", "C")], consents: [], devices: fakeDevices({ preview: null }) }),
    verification: live,
    identify: async (id: string, methods: readonly Proof[], note: string) => {
      if (refusal !== null) throw refusal;
      identified.push([id, methods, note]);
    },
  };
  document.body.append(root);
  act(() => render(<CallUiContext.Provider value={{ call, open: signal({ kind: "none" }) } as unknown as CallUi}><VerificationPanel /></CallUiContext.Provider>, root));
});
afterEach(() => {
  act(() => render(null, root));
  root.remove();
});

it("begins the case that the bank asks for, without anything to type", async () => {
  tell(agreed);
  expect(root.querySelector("input")).not.toBeNull(); // nothing was said of cases yet
  list(brief());
  expect(root.querySelector("input")).toBeNull();
  expect(root.textContent).toContain("Asks for: face, coloured light · 3 attempts left");
  await submit();
  expect(sent).toEqual([{ type: "verification.begin", case: A, participant: "PA_c" }]);
});

it("lets one choose where there are several, of those that may begin", async () => {
  tell(agreed);
  list(brief(), brief({ case: B, title: { zh: "挂失", en: "Lost card" } }), brief({ case: `VE_${"C4".repeat(13)}`, state: "accepted" }));
  const radios = [...root.querySelectorAll<HTMLInputElement>("input[type=radio]")];
  expect(radios.map((one) => one.checked)).toEqual([true, false]);
  act(() => radios[1]?.click());
  await submit();
  expect(sent).toMatchObject([{ case: B }]);
  list(brief(), brief({ case: B, state: "review" }));
  expect(root.querySelector("input")).toBeNull();
  await submit();
  expect(sent.at(-1)).toMatchObject({ case: A });
});

it("asks for the consent that is missing for the case that is meant", async () => {
  list(brief());
  expect(button(t("staff.verify.begin")).disabled).toBe(true);
  await press(t("staff.verify.consent"));
  expect(sent).toEqual([{ type: "verification.begin", case: A, participant: "PA_c" }]);
});

it("offers nothing where nothing may begin", () => {
  list();
  expect([root.textContent?.includes(t("staff.cases.none")), root.querySelectorAll("button").length]).toEqual([true, 0]);
  list(brief({ state: "rejected" }));
  expect([root.textContent?.includes(t("staff.cases.state.rejected")), root.querySelectorAll("button").length]).toEqual([true, 0]);
  expect([caseState(brief()), caseState(brief({ attempts_used: 1 }))]).toEqual([t("staff.cases.state.open"), t("staff.cases.state.again")]);
});

it("identifies without a check of the face, by proofs and words, and only where the policy has that way", async () => {
  list(brief({ without_face: false }));
  expect(root.textContent).not.toContain(t("staff.identify.open"));
  list(brief());
  await press(t("staff.identify.open"));
  await submit();
  expect([identified, root.textContent?.includes(t("staff.identify.how.missing")), root.textContent?.includes(t("staff.identify.note.missing"))]).toEqual([[], true, true]);
  const boxes = [...root.querySelectorAll<HTMLInputElement>("input[type=checkbox]")];
  expect(boxes).toHaveLength(PROOFS.length);
  for (const at of [2, 0, 1, 1]) act(() => boxes[at]?.click()); // the second: yes, and no again
  const note = root.querySelector("textarea");
  if (note === null) throw new Error("no field");
  act(() => {
    note.value = "  Passport seen, photograph fits ";
    note.dispatchEvent(new Event("input", { bubbles: true }));
  });
  refusal = new ApiError("invalid", "methods: 3 at least are needed.");
  await submit();
  expect([identified, root.textContent?.includes(t("staff.identify.problem.invalid")), note.value]).toEqual([[], true, "  Passport seen, photograph fits "]);
  refusal = null;
  await submit();
  expect(identified).toEqual([[A, ["document_seen", "called_back"], "Passport seen, photograph fits"]]);
  expect(announce).toHaveBeenLastCalledWith(t("staff.identify.sent"));
  expect(root.querySelector("textarea")).toBeNull();
  expect(sent).toEqual([]);
});

it("lets go of the form when the case is under way or over meanwhile", async () => {
  list(brief());
  await press(t("staff.identify.open"));
  list(brief({ state: "checking", attempts_used: 1 }));
  expect(root.querySelector("textarea")).toBeNull();
});
