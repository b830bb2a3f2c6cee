/** Reviews of verifications in the workbench, in their states. */
import { useLayoutEffect, useState } from "preact/hooks";
import { Workbench } from "../pages/agent/Workbench";
import type { WorkbenchProps } from "../pages/agent/Workbench";
import { NAMES, fakeDesk, site } from "./fakes";
import type { Story } from "./list";
import { attempt, by, caseId, detail, entry, fakeReviews, full, outcome, queue } from "./reviewing";
import type { FakeReviews, ReviewSetting } from "./reviewing";

declare global {
  interface Window {
    storySettles?: Promise<unknown>;
  }
}

function bench(name: string, setting: () => ReviewSetting, id: string | null = caseId("K"), props: Partial<WorkbenchProps> = {}): Story {
  const make = () => <Workbench desk={fakeDesk({ reviews: fakeReviews(setting()) })} site={site()} list="reviews" view={id === null ? { kind: "home" } : { kind: "review", id }} {...props} />;
  return { name: `bench-review-${name}`, make };
}

/** Something happens a moment after the page was opened; `storySettles` is for whoever waits until it has. */
function Then({ setting, happens, id }: { setting: () => ReviewSetting; happens: (reviews: FakeReviews) => void; id: string | null }) {
  const [reviews] = useState(() => fakeReviews(setting()));
  const [desk] = useState(() => fakeDesk({ reviews }));
  useLayoutEffect(() => {
    let timer = 0;
    window.storySettles = new Promise((settled) => {
      timer = window.setTimeout(() => {
        happens(reviews);
        setTimeout(settled, 60);
      }, 120);
    });
    return () => {
      clearTimeout(timer);
      delete window.storySettles;
    };
  }, []);
  return <Workbench desk={desk} site={site()} list="reviews" view={id === null ? { kind: "home" } : { kind: "review", id }} />;
}

const then = (name: string, setting: () => ReviewSetting, happens: (reviews: FakeReviews) => void, id: string | null = caseId("K")): Story => ({
  name: `bench-review-${name}`,
  make: () => <Then setting={setting} happens={happens} id={id} />,
});

/** Writes a reason and presses the button, as a reviewer does. */
function press(words: "decline" | "approve", reason: string): void {
  const form = document.querySelector(".decide");
  const field = form?.querySelector("textarea");
  if (!form || !field) return;
  field.value = reason;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  form.querySelector<HTMLButtonElement>(`.decide-${words === "approve" ? "yes" : "no"} button`)?.click();
}

export const reviewsStories: Story[] = [
  bench("queue", () => ({}), null),
  bench("queue-empty", () => ({ queue: [] }), null),
  bench("queue-loading", () => ({ queue: null }), null),
  bench("queue-more", () => ({ more: true, behind: 13 }), null),
  then("queue-filtered", () => ({}), () => [...document.querySelectorAll<HTMLButtonElement>(".review-filters .tab")].at(1)?.click(), null),
  then("queue-found-none", () => ({ queue: queue().slice(0, 3) }), () => [...document.querySelectorAll<HTMLButtonElement>(".review-filters .tab")].at(1)?.click(), null),
  bench("queue-offline", () => ({ problem: "offline" }), null),
  bench("queue-long", () => ({ queue: queue().map((one) => ({ ...one, customer: NAMES.long(), title: { zh: NAMES.long(), en: NAMES.long() } })) }), null),
  bench("referred", () => ({ detail: detail() })),
  bench("full", () => ({ detail: full() }), caseId("C")),
  bench("template", () => ({ detail: detail({ template: "FT_1", reference_picture: false, attempts: [attempt({ reference: "enrolment" })] }) })),
  bench("template-alone", () => ({ detail: detail({ template: "FT_1", reference_picture: false, attempts: [attempt({ reference: "none" })] }) })),
  bench("template-changed", () => ({ detail: detail({ template: "FT_1", reference_picture: false, attempts: [attempt({ reference: "changed" })] }) })),
  bench("no-pictures", () => ({ detail: detail({ attempts: [attempt({ pictures: [] })] }) })),
  bench("evidence-lost", () => ({ detail: detail({ attempts: [attempt({ pictures: [], reference: "lost", evidence_lost: true })] }) })),
  bench("pictures-refused", () => ({ detail: detail(), lost: "offline" })),
  bench("fault", () => ({ detail: detail({ review: entry({ reasons: ["engine_lost"] }), attempts: [attempt({ checks: [], fault: "engine_lost", match_score: null, match_threshold: null, frames: 0, pack_name: "", risk_level: null, risk_score: null, risk_reasons: [], pictures: [] })] }) })),
  bench("identified", () => ({
    detail: detail({
      review: entry({ session: "SE_4f9c27a1e5b84d0f9a3c6e7712d0b8aa", reasons: ["identified_by_agent"] }),
      reference_picture: false,
      attempts: [],
      identified: { by: by("ST_2", NAMES.long()), at: new Date(Date.now() - 90_000).toISOString(), methods: ["document_seen", "questions_answered"], note: NAMES.long() },
    }),
  })),
  bench("own-session", () => ({ detail: detail({ review: entry({ yours: false, why_not: "own_session" }) }) })),
  bench("reviewed-already", () => ({ detail: detail({ review: entry({ yours: false, why_not: "reviewed_already", second: true }), reviews: [{ by: by("ST_1", ""), at: new Date().toISOString(), approved: true, reason: "OK" }] }) })),
  bench("colleagues", () => ({
    detail: detail({
      review: entry({ second: true }),
      reviews: [by("ST_7KQ2XW4N6PZ3C5V8B1M0J9L2HD", "吴敏 Wu Min", false), by("ST_4ZQ2XW4N6PZ3C5V8B1M0J9L2HD", "")].map((one) => ({ by: one, at: new Date().toISOString(), approved: true, reason: "OK" })),
    }),
  })),
  bench("excused", () => ({
    detail: detail({
      review: entry({ reasons: ["engine_lost"] }),
      attempts: [attempt({ excused: true, fault: "engine_lost", checks: [{ name: "challenge", outcome: "refer", score: null, reasons: ["action_missed", "action_replaced"], excused: ["action_missed"] }] }, 1), attempt({}, 2)].toReversed(),
    }),
  })),
  bench("soon", () => ({ queue: [entry({ review_until: new Date(Date.now() + 61_000).toISOString() })] })),
  bench("gone", () => ({ fails: "not_in_review" })),
  bench("offline", () => ({ fails: "offline" })),
  bench("long", () => ({ detail: detail({ review: entry({ customer: NAMES.long(), title: { zh: NAMES.long(), en: NAMES.long() } }), details: { [`a_${"very_".repeat(12)}long_key`]: NAMES.long().repeat(2), nested: { amount: "1250.00", to: [NAMES.arabic()] }, agreed: true, empty: "" } }) })),
  then("reason-missing", () => ({}), () => press("approve", " ")),
  then("approved", () => ({ decided: () => Promise.resolve(outcome("accepted")) }), () => press("approve", "Voice and face fit")),
  then("approved-against", () => ({ decided: () => Promise.resolve(outcome("rejected", ["customer_locked"])) }), () => press("approve", "Voice and face fit")),
  then("answer-lost", () => ({}), () => press("decline", "Another person")),
  then("meanwhile", () => ({}), (reviews) => (reviews.queue.value = (reviews.queue.peek() ?? []).filter((one) => one.id !== caseId("K")))),
];
