import { render } from "preact";
import { act } from "preact/test-utils";
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ExportJob, Reviewer, Summary } from "../../core/review/model";
import type { Mark, Timeline } from "../../core/review/timeline";
import { ApiError, OFFLINE } from "../../core/problems";
import { language, t } from "../../i18n";
import { EraseDialog } from "./Erase";
import { ExportDialog, jobWords, useJob } from "./Export";
import { RecordingList } from "./List";
import { RecordingPageOf } from "./Recording";
import { VerifyDialog } from "./Verify";
import { bilingual, findingWords, markWords, spoken } from "./words";

const summary = (id: string, customerName = "Lin"): Summary => ({
  id,
  session: "SE_1",
  customerName,
  startedAt: "2026-01-01T10:00:00Z",
  startedBy: "Wang",
  ending: "complete",
  durationMs: 61_000,
  bytes: 1,
  people: [{ name: "", role: "expert" }],
});

const reviewer = (change: Partial<Reviewer>): Reviewer => {
  const not = () => Promise.reject(new Error("not asked for"));
  return {
    staff: signal({ id: "ST_1", username: "s", name: "S", role: "supervisor", disabled: false }),
    signedIn: signal(true),
    list: not,
    open: not,
    stream: not,
    verify: not,
    erase: not,
    startExport: not,
    exportJob: not,
    exported: not,
    logout: () => undefined,
    ...change,
  };
};

let root: HTMLElement;

async function show(what: preact.JSX.Element): Promise<void> {
  await act(async () => render(what, root));
  await act(async () => undefined);
}

function button(name: string): HTMLButtonElement {
  const found = [...root.querySelectorAll("button")].find((one) => one.textContent?.trim() === name);
  if (!found) throw new Error(`no button ${name} in ${root.textContent}`);
  return found;
}

async function press(name: string): Promise<void> {
  await act(async () => button(name).click());
  await act(async () => undefined);
}

async function type(label: string, text: string): Promise<void> {
  const found = [...root.querySelectorAll("label")].find((one) => one.textContent === label);
  const input = root.querySelector<HTMLInputElement>(`#${CSS.escape(found?.htmlFor ?? "none")}`);
  if (!input) throw new Error(`no field ${label}`);
  await act(async () => {
    input.value = text;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

beforeEach(() => {
  language.value = "en";
  root = document.createElement("div");
  document.body.append(root);
});

afterEach(() => {
  render(null, root);
  root.remove();
});

describe("the list", () => {
  it("shows a page, then the next, and those of one session", async () => {
    const list = vi.fn(async (session: string, cursor: string | null) =>
      session === "" ? { recordings: [summary(cursor === null ? "RE_1" : "RE_2", cursor ?? "Lin")], next: cursor === null ? "Older" : null } : { recordings: [], next: null },
    );
    const onOpen = vi.fn();
    await show(<RecordingList reviewer={reviewer({ list })} onOpen={onOpen} />);
    expect(root.textContent).toContain("1:01");
    expect(root.textContent).toContain(t("role.expert")); // who has no name
    await press(t("review.more"));
    expect(root.querySelectorAll("a.recording-row")).toHaveLength(2);
    expect(root.textContent).not.toContain(t("review.more"));
    await act(async () => root.querySelector<HTMLElement>("a.recording-row")?.click());
    expect(onOpen).toHaveBeenCalledWith("RE_1");
    await type(t("review.search"), " SE_9 ");
    await press(t("review.search.go"));
    expect(list).toHaveBeenLastCalledWith("SE_9", null);
    expect(root.textContent).toContain(t("review.empty.session"));
    await press(t("review.search.clear"));
    expect(root.querySelectorAll("a.recording-row")).toHaveLength(1);
  });

  it("tells who is not entitled, and what else went wrong", async () => {
    await show(<RecordingList reviewer={reviewer({ list: () => Promise.reject(new ApiError("not_allowed", "")) })} onOpen={() => undefined} />);
    expect(root.textContent).toContain(t("review.denied"));
    render(null, root);
    const list = vi.fn(() => Promise.reject(new ApiError("offline", "")));
    await show(<RecordingList reviewer={reviewer({ list })} onOpen={() => undefined} />);
    await press(t("retry"));
    expect(list).toHaveBeenCalledTimes(2);
    expect(root.textContent).toContain(t("problem.offline"));
  });
});

describe("one that cannot be played", () => {
  it.each([["gone", "review.erased"], ["not_found", "review.gone"], ["conflict", "review.still"], ["not_allowed", "review.denied"]] as const)("says so of %s", async (code, key) => {
    await show(<RecordingPageOf reviewer={reviewer({ open: () => Promise.reject(new ApiError(code, "")) })} id="RE_1" onBack={() => undefined} />);
    expect(root.querySelector("h1")?.textContent).toBe(t(key));
  });
});

describe("erasing", () => {
  it("needs a reason and the word, typed", async () => {
    const erase = vi.fn(async () => undefined);
    const onErased = vi.fn();
    await show(<EraseDialog reviewer={reviewer({ erase })} id="RE_1" onClose={() => undefined} onErased={onErased} />);
    await press(t("review.erase.yes"));
    expect(root.textContent).toContain(t("review.erase.reason.missing"));
    await type(t("review.erase.reason"), " asked for ");
    await type(t("review.erase.type", { word: "erase" }), "eras");
    await press(t("review.erase.yes"));
    expect(erase).not.toHaveBeenCalled();
    expect(root.textContent).toContain(t("review.erase.type.wrong", { word: "erase" }));
    await type(t("review.erase.type", { word: "erase" }), " Erase");
    await press(t("review.erase.yes"));
    expect(erase).toHaveBeenCalledExactlyOnceWith("RE_1", "asked for");
    expect(onErased).toHaveBeenCalledOnce();
  });

  it("says what went wrong, and keeps what was typed", async () => {
    await show(<EraseDialog reviewer={reviewer({ erase: () => Promise.reject(new ApiError("internal", "")) })} id="RE_1" onClose={() => undefined} onErased={() => undefined} />);
    await type(t("review.erase.reason"), "asked for");
    await type(t("review.erase.type", { word: "erase" }), "erase");
    await press(t("review.erase.yes"));
    expect(root.textContent).toContain(t("problem.internal"));
    expect(root.querySelector("input")?.value).toBe("asked for");
  });
});

describe("an export that failed", () => {
  const open = async (fault: ExportJob["fault"]): Promise<() => void> => {
    const onVerify = vi.fn();
    const job = signal<ExportJob | null>({ id: "EX_1", state: "failed", progress: 0, format: "mp4", fault, detail: "why, in English" });
    await show(<ExportDialog reviewer={reviewer({})} id="RE_1" bilingual={false} job={job} error={signal(null)} onClose={() => undefined} onVerify={onVerify} />);
    return onVerify;
  };

  it("says why, and leads to the check of what was changed", async () => {
    const onVerify = await open("damaged");
    expect(root.textContent).toContain(t("review.export.failed.damaged"));
    expect(root.querySelector("details")).toBeNull();
    await press(t("review.verify"));
    expect(onVerify).toHaveBeenCalledOnce();
  });

  it.each([["empty", false], ["no_space", false], ["too_long", false], ["other", true]] as const)("says so of %s; the details only where nothing better is known", async (fault, details) => {
    await open(fault);
    expect(root.textContent).toContain(t(`review.export.failed.${fault}`));
    expect(root.textContent).not.toContain(t("review.verify"));
    expect(root.querySelector("details") !== null).toBe(details);
  });
});

describe("an export", () => {
  const begin = async (bilingual: boolean): Promise<ReturnType<typeof vi.fn>> => {
    const startExport = vi.fn(() => new Promise<ExportJob>(() => undefined));
    await show(<ExportDialog reviewer={reviewer({ startExport })} id="RE_1" bilingual={bilingual} job={signal(null)} error={signal(null)} onClose={() => undefined} onVerify={() => undefined} />);
    return startExport;
  };

  it("says its points in the session's language, or in another one", async () => {
    const startExport = await begin(true);
    const [, points] = root.querySelectorAll("select");
    if (!points) throw new Error("no choice of a language");
    await act(async () => {
      points.value = "en";
      points.dispatchEvent(new Event("change", { bubbles: true }));
    });
    await press(t("review.export.go"));
    expect(startExport).toHaveBeenCalledExactlyOnceWith("RE_1", "mp4", "en");
  });

  it("leaves the language alone where there is no choice", async () => {
    const startExport = await begin(false);
    expect(root.querySelectorAll("select")).toHaveLength(1);
    await press(t("review.export.go"));
    expect(startExport).toHaveBeenCalledExactlyOnceWith("RE_1", "mp4", null);
  });
});

describe("a job", () => {
  function Asks({ by, job, error }: { by: Reviewer; job: Signal<ExportJob | null>; error: Signal<unknown> }) {
    useJob(by, "RE_1", job, error);
    return <p>{job.value && jobWords(job.value)}</p>;
  }
  const running: ExportJob = { id: "EX_1", state: "running", progress: 0.4, format: "mp4", fault: null, detail: "" };
  const ask = async (...answers: (ExportJob | ApiError)[]): Promise<Signal<unknown>> => {
    vi.useFakeTimers();
    const exportJob = vi.fn(async () => {
      const answer = answers.shift() ?? new ApiError("internal", "");
      if (answer instanceof ApiError) throw answer;
      return answer;
    });
    const error = signal<unknown>(null);
    await show(<Asks by={reviewer({ exportJob })} job={signal<ExportJob | null>(running)} error={error} />);
    await act(async () => {
      await vi.advanceTimersByTimeAsync(5_000);
    });
    return error;
  };

  afterEach(() => void vi.useRealTimers());

  it("is asked about again after a cut, until it is over", async () => {
    const error = await ask(running, new ApiError(OFFLINE, ""), { ...running, state: "done", progress: 1 });
    expect(root.textContent).toBe(t("review.export.done"));
    expect(error.value).toBeNull();
  });

  it("is given up when the server does not know it any more", async () => {
    const error = await ask(new ApiError("not_found", ""));
    expect(root.textContent).toBe("");
    expect(error.value).toMatchObject({ code: "not_found" });
  });
});

describe("verifying", () => {
  const finding = { file: "a.track", segment: 3, what: "changed", detail: "", change: true };

  it.each([
    [[], "review.verify.whole"],
    [[{ ...finding, what: "torn", change: false }], "review.verify.crash"],
    [[finding, { ...finding, what: "torn", change: false }], "review.verify.changed"],
  ] as const)("gives a verdict in words", async (findings, key) => {
    await show(<VerifyDialog reviewer={reviewer({ verify: async () => ({ files: 2, findings: [...findings] }) })} id="RE_1" onClose={() => undefined} />);
    expect(root.querySelector(".review-verdict")?.textContent).toBe(t(key));
    expect(root.querySelectorAll(".review-findings > li")).toHaveLength(findings.length);
    for (const one of root.querySelectorAll(".review-findings > li")) expect(one.querySelector("details:not([open])")?.textContent).toContain("a.track #3");
  });

  it("has words for what it knows, and shows what it does not", () => {
    expect(findingWords(finding)).toBe(t("review.finding.changed"));
    expect(findingWords({ ...finding, what: "novel" })).toBe("novel");
  });
});

describe("words about what happened", () => {
  const timeline: Pick<Timeline, "parties"> = { parties: [{ id: "A", name: "Wang", role: "agent", there: [] }, { id: "C", name: " ", role: "customer", there: [] }] };
  const say = (mark: Mark): string => markWords(timeline as Timeline, mark);

  it("names people by their name, their role, or as somebody", () => {
    expect([say({ kind: "joined", atMs: 0, by: "A" }), say({ kind: "left", atMs: 0, by: "C" }), say({ kind: "joined", atMs: 0, by: "X" })]).toEqual(["Wang joined", "Customer left", "Somebody joined"]);
  });

  it("has them for every kind", () => {
    const all: Mark[] = [
      { kind: "checkpoint", atMs: 0, by: "A", item: "risk", label: { zh: "风险", en: "Risk" }, done: true, note: "" },
      { kind: "checkpoint", atMs: 0, by: "A", item: "risk", label: { zh: "风险", en: "Risk" }, done: false, note: "" },
      { kind: "note", atMs: 0, by: "A", text: "x" },
      { kind: "chat", atMs: 0, by: "A", text: "{name}" },
      { kind: "file", atMs: 0, by: "A", name: "a.pdf", size: 2_048 },
      { kind: "screen", atMs: 0, by: "A", on: true },
      { kind: "screen", atMs: 0, by: "A", on: false },
      { kind: "consent", atMs: 0, by: "A", given: true },
      { kind: "consent", atMs: 0, by: "A", given: false },
      { kind: "paused", atMs: 0 },
      { kind: "resumed", atMs: 0 },
      { kind: "gap", atMs: 0, toMs: 9_000, by: "A", source: "camera", packets: 7, reason: "disk" },
      { kind: "gap", atMs: 0, toMs: 9_000, by: "A", source: "camera", packets: 0, reason: "novel" },
    ];
    expect(all.map(say)).toEqual([
      "Risk",
      "Taken back: Risk",
      "Wang: x",
      "Wang: {name}",
      "Wang sent a.pdf (2 KB)",
      "Wang shows their screen",
      "Wang no longer shows their screen",
      "Wang agreed to be recorded",
      "Wang did not agree to be recorded, or took it back",
      "Recording paused",
      "Recording goes on",
      "Missing: Camera of Wang, 0:09 (packets: 7). The disk took no more.",
      "Missing: Camera of Wang, 0:09.",
    ]);
  });

  it("says points in the reader's language", () => {
    const both: Mark = { kind: "checkpoint", atMs: 0, by: "A", item: "risk", label: { zh: "风险", en: "Risk" }, done: true, note: "" };
    const older: Mark = { ...both, label: { zh: "费用", en: "费用" } };
    expect([both, older].map(say)).toEqual(["Risk", "费用"]);
    language.value = "zh";
    expect([both, older].map(say)).toEqual(["风险", "费用"]);
    expect([bilingual([both, older]), bilingual([older])]).toEqual([true, false]);
  });

  it("says a position as one says it", () => {
    expect([spoken(61_999), spoken(3_725_000)]).toEqual(["1 min 1 s", "1 h 2 min 5 s"]);
  });
});
