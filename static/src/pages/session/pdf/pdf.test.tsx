import { signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LivePdf } from "../../../core/pdf";
import { sha256Of } from "../../../core/pdfFiles";
import { language, t } from "../../../i18n";
import type { ClientBody, PdfState, Role } from "../../../protocol.gen";
import { fakeCall, fakeDevices, person } from "../../../stories/fakes";
import { announce } from "../../../ui/announce";
import { pageUi } from "../cobrowse/state";
import { CallUiContext } from "../ui";
import type { CallUi } from "../ui";
import { PdfDocument } from "./engine";
import { usePdfNews } from "./news";
import { CloseQuestion, PdfOffer } from "./PdfOffer";
import { PdfStage } from "./PdfStage";
import { around } from "./Review";
import { isPdfShown, mayDraw, mayOpen, pdfUi } from "./state";

vi.mock("../../../stories/face", () => ({ faceStream: () => null, screenStream: () => null }));
vi.mock("../Stage", () => ({ PictureStrip: () => null }));
vi.mock("../../../ui/announce", () => ({ announce: vi.fn() }));
vi.mock("../../../styles/pdf.css", () => ({}));
vi.mock("./engine", () => ({ PdfDocument: { read: vi.fn() } }));

const sha = (text: string) => sha256Of(new TextEncoder().encode(text).buffer);
const [FILE, SIGNED, FILE_2] = await Promise.all([sha("PF_1/file"), sha("PF_1/signed"), sha("PF_2/file")]); // of what is fetched below
const SHOWN = { id: "PF_1", name: "a.pdf", pages: 3, sizes: Array.from({ length: 3 }, (): [number, number] => [600, 800]), sha256: FILE };
const ASKED = { request: "RQ_1", page: 2, x: 0.1, y: 0.5, width: 0.4, height: 0.1, by: "PA_a", of: "PA_me", sha256: FILE };
const state = (part: Partial<PdfState> = {}): PdfState => ({ type: "pdf.state", pdf: SHOWN, page: 1, y: 0, by: null, marks: [], asked: null, signed: null, interrupted: false, ...part });
const WIDE = 620; // of the view; 600 of a page

const root = document.createElement("div");
let ui: CallUi;
let live: LivePdf;
let said: ClientBody[];
let fails: boolean;
let comes: (pdf: string, what: string) => string;
const closed = vi.fn();

function Page() {
  usePdfNews(ui);
  const open = live.open.value;
  return (
    <>
      <PdfOffer />
      {open !== null && isPdfShown(ui) && <PdfStage view={open} />}
      <CloseQuestion />
    </>
  );
}

const GRANTS: Partial<Record<Role, string[]>> = { customer: ["pdf.mark", "pdf.sign"], agent: ["pdf.show", "pdf.mark"], service: [] };

async function show(role: Role, told: PdfState | null = state()): Promise<void> {
  said = [];
  live = new LivePdf({ say: (body) => void said.push(body), me: () => "PA_me", upload: () => Promise.reject(new Error()), fetch: async (pdf, what) => (fails ? Promise.reject(new Error()) : new TextEncoder().encode(comes(pdf, what)).buffer) });
  const others = [person("PA_a", role === "agent" ? "expert" : "agent", "Ann")];
  const call = { ...fakeCall({ me: person("PA_me", role, "Me"), others, devices: fakeDevices({ preview: null }), grants: GRANTS[role] ?? [] }), pdf: live };
  ui = { call, variant: role, page: pageUi(), pdf: pdfUi(), panel: signal("none"), open: signal({ kind: "none" }) } as unknown as CallUi;
  await act(() => render(<CallUiContext.Provider value={ui}><Page /></CallUiContext.Provider>, root));
  if (told !== null) await tell(told);
}

vi.setConfig({ testTimeout: 60_000 });
const PATIENT = { timeout: 15_000 }; // a deadline only
const settle = () =>
  vi.waitFor(async () => {
    await act(async () => undefined);
    expect(root.querySelector(".pdf-before")).toBeNull();
  }, PATIENT);
const tell = async (told: PdfState | { type: "pdf.looked"; page: number; y: number; by: string }): Promise<void> => {
  await act(() => void live.handle(told));
  if (!fails && live.open.peek() !== null && ui.pdf.shown.peek()) await settle();
};
const button = (name: string) => [...document.querySelectorAll("button")].find((one) => (one.getAttribute("aria-label") ?? one.textContent)?.trim() === name);
const press = (name: string) => act(() => button(name)?.click());
const enabled = (name: string) =>
  vi.waitFor(async () => {
    await act(async () => undefined);
    expect(button(name)?.disabled).toBe(false);
  }, PATIENT);
const scroller = () => root.querySelector<HTMLElement>(".pdf-scroll") as HTMLElement;
const key = (name: string, shiftKey = false) => act(() => void scroller().dispatchEvent(new KeyboardEvent("keydown", { key: name, shiftKey, bubbles: true, cancelable: true })));
const pointer = (kind: string, on: Element, clientX: number, clientY: number) => act(() => void on.dispatchEvent(new PointerEvent(kind, { clientX, clientY, button: 0, isPrimary: true, pointerId: 1, bubbles: true, cancelable: true })));
const of = <T extends ClientBody["type"]>(type: T) => said.filter((one): one is Extract<ClientBody, { type: T }> => one.type === type);

beforeEach(() => {
  language.value = "en";
  fails = false;
  comes = (pdf, what) => `${pdf}/${what}`;
  document.body.append(root);
  closed.mockClear();
  vi.mocked(announce).mockClear();
  vi.mocked(PdfDocument.read).mockClear();
  vi.mocked(PdfDocument.read).mockImplementation(async () => ({ pages: 3, draw: () => ({ done: Promise.resolve(), stop: () => undefined }), text: async (page: number) => `words of page ${page}`, close: closed }) as unknown as PdfDocument);
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(null);
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(WIDE + 4);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(400);
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({ left: 0, top: 0, width: 600, height: 800, right: 600, bottom: 800, x: 0, y: 0, toJSON: () => ({}) });
  Element.prototype.setPointerCapture = () => undefined;
});

afterEach(() => {
  act(() => render(null, root));
  root.remove();
});

it("comes into view by itself, can be put away and fetched back", async () => {
  await show("customer");
  expect(root.querySelector(".pdf-stage")?.getAttribute("aria-label")).toBe(t("pdf.stage", { name: "a.pdf" }));
  await vi.waitFor(() => expect(root.textContent).toContain("words of page 1"), PATIENT);
  expect(vi.mocked(announce).mock.calls.map(([text]) => text)).toContain(t("pdf.said.opened", { name: "a.pdf" }));
  await press(t("pdf.hide"));
  expect([root.querySelector(".pdf-stage"), closed.mock.calls.length]).toEqual([null, 1]);
  await press(t("pdf.offer.open"));
  await settle();
  expect(root.querySelector(".pdf-stage")).not.toBeNull();
  await tell(state({ pdf: null }));
  expect([root.textContent, vi.mocked(announce).mock.lastCall?.[0]]).toEqual(["", t("pdf.said.closed")]);
});

it("takes the place of the customer's page, and gives it back", async () => {
  await show("agent", null);
  await act(() => void (ui.page.shown.value = true));
  await tell(state());
  expect([ui.pdf.shown.value, ui.page.shown.value]).toEqual([true, false]);
  await act(() => void (ui.page.shown.value = true));
  expect(ui.pdf.shown.value).toBe(false);
});

it("has tools for staff who may, and none for the customer", async () => {
  await show("customer");
  expect([mayOpen(ui.call), mayDraw(ui), button(t("pdf.tool.ink")), button(t("pdf.close"))]).toEqual([false, false, undefined, undefined]);
  await show("service");
  expect([button(t("pdf.tool.ink")), button(t("pdf.tool.sign")), button(t("pdf.close"))]).toEqual([undefined, undefined, undefined]);
  await show("agent");
  expect([button(t("pdf.tool.ink")), button(t("pdf.tool.sign")), button(t("pdf.close"))].every(Boolean)).toBe(true);
  await press(t("pdf.close"));
  expect(of("pdf.close")).toEqual([]);
  await press(t("pdf.close.yes"));
  expect(of("pdf.close")).toEqual([{ type: "pdf.close" }]);
});

it("follows others, and tells where one scrolls oneself", async () => {
  await show("agent");
  await tell({ type: "pdf.looked", page: 2, y: 0.5, by: "PA_a" });
  expect(root.querySelector(".pdf-lead")?.textContent).toBe(t("pdf.lead", { name: "Ann" }));
  const room = 800 + 12;
  expect(Math.abs(scroller().scrollTop - (12 + room + 400))).toBeLessThan(30);
  await act(() => void scroller().dispatchEvent(new Event("scroll")));
  expect(of("pdf.look")).toEqual([]); // the page scrolled itself
  await act(() => {
    scroller().scrollTop = 0;
    scroller().dispatchEvent(new Event("scroll"));
  });
  expect(of("pdf.look")).toEqual([{ type: "pdf.look", pdf: "PF_1", page: 1, y: 0 }]);
  expect(root.querySelector(".pdf-lead")?.textContent).toBe(t("pdf.lead.me"));
});

it("highlights and draws with the pointer", async () => {
  await show("agent");
  const page = root.querySelector(".pdf-page") as Element;
  await press(t("pdf.tool.highlight"));
  await pointer("pointerdown", page, 60, 80);
  await pointer("pointermove", scroller(), 300, 120);
  expect(root.querySelector(".pdf-box.draft")).not.toBeNull();
  expect(button(t("pdf.draft.mark"))).toBeUndefined(); // nothing around the page moves meanwhile
  await pointer("pointerup", scroller(), 300, 120);
  await pointer("pointerdown", page, 60, 80);
  await pointer("pointerup", scroller(), 60, 80); // a click marks nothing
  await press(t("pdf.tool.ink"));
  await pointer("pointerdown", page, 0, 0);
  await pointer("pointermove", scroller(), 600, 800);
  await pointer("pointerup", scroller(), 600, 800);
  expect(of("pdf.mark").map(({ page, kind, points }) => ({ page, kind, points }))).toEqual([
    { page: 1, kind: "highlight", points: [[0.1, 0.1], [0.5, 0.15]] },
    { page: 1, kind: "ink", points: [[0, 0], [1, 1]] },
  ]);
  expect(root.querySelectorAll(".pdf-marks > *")).toHaveLength(2);
  await press(t("pdf.undo"));
  expect(root.querySelectorAll(".pdf-marks > *")).toHaveLength(1);
});

it("asks for a signature where a box was drawn, once that is confirmed", async () => {
  await show("agent");
  await press(t("pdf.tool.sign"));
  await pointer("pointerdown", root.querySelector(".pdf-page") as Element, 60, 400);
  await pointer("pointermove", scroller(), 300, 480);
  await pointer("pointerup", scroller(), 300, 480);
  expect(of("pdf.sign.ask")).toEqual([]);
  await press(t("pdf.draft.ask"));
  expect(of("pdf.sign.ask")).toEqual([{ type: "pdf.sign.ask", pdf: "PF_1", page: 1, x: 0.1, y: 0.5, width: 0.4, height: 0.1 }]);
  await tell(state({ asked: ASKED }));
  expect(button(t("pdf.tool.sign"))).toBeUndefined();
  await press(t("pdf.asked.cancel"));
  expect(of("pdf.sign.cancel")).toHaveLength(1);
});

it("does the same by keyboard alone", async () => {
  await show("agent");
  await key("Enter"); // no tool
  await press(t("pdf.tool.sign"));
  await key("Enter");
  const before = ui.pdf.draft.value;
  await key("ArrowRight");
  await key("ArrowDown", true);
  const after = ui.pdf.draft.value;
  expect([(after?.x ?? 0) - (before?.x ?? 0), (after?.height ?? 0) - (before?.height ?? 0)].map((one) => one.toFixed(3))).toEqual(["0.010", "0.010"]);
  await key("Escape");
  expect([ui.pdf.draft.value, ui.pdf.tool.value]).toEqual([null, "sign"]);
  await key("Enter");
  await key("Enter");
  expect([of("pdf.sign.ask").length, ui.pdf.tool.value]).toEqual([1, "none"]);
  await press(t("pdf.tool.highlight"));
  await key("Enter");
  await key("Enter");
  expect(of("pdf.mark")[0]?.kind).toBe("highlight");
  await key("Escape");
  expect(ui.pdf.tool.value).toBe("none");
});

it("says how it stands with the signature", async () => {
  await show("agent", state({ asked: ASKED }));
  expect(root.textContent).toContain(t("pdf.asked.agent", { n: 2 }));
  await tell(state());
  expect(root.textContent).toContain(t("pdf.declined.agent"));
  await tell(state({ signed: { sha256: SIGNED, at: "" } }));
  expect([root.querySelector(".pdf-print code")?.textContent, button(t("pdf.signed.save")) !== undefined]).toEqual([SIGNED, true]);
});

it("tells both that what was being written is lost, once", async () => {
  await show("agent", state({ asked: ASKED, interrupted: true }));
  expect(root.textContent).toContain(t("pdf.interrupted.agent"));
  expect(vi.mocked(announce).mock.calls.filter(([text]) => text === t("pdf.interrupted.agent"))).toHaveLength(1);
  await tell(state({ asked: { ...ASKED, request: "RQ_2" } }));
  expect(root.textContent).not.toContain(t("pdf.interrupted.agent"));
  await act(() => render(null, root));
  await show("customer", state({ asked: ASKED, interrupted: true }));
  expect(root.textContent).toContain(t("pdf.interrupted.customer"));
  expect(vi.mocked(announce).mock.calls.map(([text]) => text)).toContain(t("pdf.interrupted.customer"));
});

it("lets the customer sign with two yeses, and no sooner", async () => {
  await show("customer", state({ asked: ASKED }));
  expect(of("pdf.look")).toEqual([]); // the place is shown, the others are not taken along
  expect(Math.round(scroller().scrollTop)).toBeGreaterThan(800);
  await enabled(t("pdf.sign.go"));
  await press(t("pdf.sign.go"));
  expect(button(t("pdf.pad.next"))?.disabled).toBe(true);
  const pad = document.querySelector(".pdf-pad") as Element;
  await pointer("pointerdown", pad, 60, 80);
  await pointer("pointermove", pad, 300, 400);
  await pointer("pointerup", pad, 300, 400);
  await pointer("pointermove", pad, 600, 800); // in the air
  await pointer("pointerdown", pad, 0, 0);
  await pointer("pointerup", pad, 0, 0);
  expect(ui.pdf.strokes.value).toEqual([[[0.1, 0.1], [0.5, 0.5]], [[0, 0]]]);
  await press(t("pdf.pad.undo"));
  await press(t("pdf.pad.next"));
  expect(of("pdf.sign")).toEqual([]);
  await press(t("pdf.review.back"));
  await press(t("pdf.pad.next"));
  await enabled(t("pdf.review.yes"));
  await press(t("pdf.review.yes"));
  expect(of("pdf.sign")).toEqual([{ type: "pdf.sign", pdf: "PF_1", request: "RQ_1", strokes: [[[0.1, 0.1], [0.5, 0.5]]] }]);
  await act(() => void live.turnedDown("internal", of("pdf.sign")[0] as ClientBody));
  expect(document.querySelector("[role=alert]")?.textContent).toContain(t("problem.internal"));
  await tell(state({ signed: { sha256: SIGNED, at: "" } }));
  expect([document.querySelector("[role=dialog]"), root.textContent?.includes(t("pdf.thanks.title")), ui.pdf.strokes.value]).toEqual([null, true, []]);
});

it("lets the customer say no, after asking once, from everywhere", async () => {
  await show("customer", state({ asked: ASKED }));
  await press(t("pdf.sign.no"));
  await press(t("pdf.sign.no.back"));
  await enabled(t("pdf.sign.go"));
  await press(t("pdf.sign.go"));
  const [, fromPad] = [...document.querySelectorAll("button")].filter((one) => one.textContent?.trim() === t("pdf.sign.no"));
  await act(() => fromPad?.click());
  expect(of("pdf.sign.decline")).toEqual([]);
  await press(t("pdf.sign.no.yes"));
  expect(of("pdf.sign.decline")).toEqual([{ type: "pdf.sign.decline", pdf: "PF_1", request: "RQ_1" }]);
});

it("brings the document into view when a signature is asked for, and begins anew with each question", async () => {
  await show("customer");
  await press(t("pdf.hide"));
  await tell(state({ asked: ASKED }));
  expect([ui.pdf.shown.value, vi.mocked(announce).mock.lastCall?.[0]]).toEqual([true, t("pdf.sign.title", { name: "Ann" })]);
  await act(() => void (ui.pdf.strokes.value = [[[0, 0]]]));
  await tell(state({ asked: { ...ASKED, request: "RQ_2" } }));
  expect([ui.pdf.strokes.value, ui.pdf.signing.value]).toEqual([[], "card"]);
});

it("says that it cannot be shown, and tries again", async () => {
  fails = true;
  await show("customer");
  await vi.waitFor(() => expect(root.querySelector("[role=alert]")?.textContent).toContain(t("pdf.failed.title")), PATIENT);
  fails = false;
  await press(t("retry"));
  await vi.waitFor(async () => {
    await act(async () => undefined);
    expect(root.textContent).toContain("words of page 1");
  }, PATIENT);
});

const OTHER = { ...SHOWN, id: "PF_2", name: "b.pdf", sha256: FILE_2 };
const ASKED_OTHER = { ...ASKED, request: "RQ_2", sha256: OTHER.sha256 };
const write = (how: "pad" | "review") =>
  act(() => {
    ui.pdf.strokes.value = [[[0, 0], [1, 1]]];
    ui.pdf.signing.value = how;
  });

/** Documents known by what they were read from; those in `hold` are read once they are let go, and their pages drawn. */
function named(hold: { read?: (name: string) => Promise<void>; draw?: (name: string) => Promise<void> } = {}): string[] {
  const drawn: string[] = [];
  vi.mocked(PdfDocument.read).mockImplementation(async (data) => {
    const name = new TextDecoder().decode(data);
    await hold.read?.(name);
    return {
      pages: 3,
      draw: (page: number) => {
        drawn.push(`${name} ${page}`);
        return { done: hold.draw?.(name) ?? Promise.resolve(), stop: () => undefined };
      },
      text: async () => `words of ${name}`,
      close: closed,
    } as unknown as PdfDocument;
  });
  return drawn;
}

it("never shows, reviews or signs one document under the name of another that is still on its way", async () => {
  let letGo = (): void => undefined;
  const held = new Promise<void>((done) => (letGo = done));
  const drawn = named({ read: async (name) => (name === "PF_2/file" ? held : undefined) });
  await show("customer");
  expect(root.textContent).toContain("words of PF_1/file");
  await act(() => void live.handle(state({ pdf: OTHER })));
  await act(() => void live.handle(state({ pdf: OTHER, asked: ASKED_OTHER })));
  expect([root.textContent?.includes("words of"), root.querySelector(".pdf-before")?.textContent, closed.mock.calls.length]).toEqual([false, t("pdf.loading"), 1]);
  drawn.length = 0;
  for (const how of ["pad", "review"] as const) {
    await write(how);
    await press(t("pdf.review.yes"));
    expect([document.querySelector("[role=dialog]"), button(t("pdf.sign.go"))?.disabled, of("pdf.sign"), drawn]).toEqual([null, true, [], []]);
  }
  letGo();
  await settle();
  await enabled(t("pdf.review.yes"));
  await press(t("pdf.review.yes"));
  expect(new Set(drawn.map((one) => one.split(" ")[0]))).toEqual(new Set(["PF_2/file"]));
  expect(of("pdf.sign").map(({ pdf, request }) => [pdf, request])).toEqual([["PF_2", "RQ_2"]]);
});

it("signs nothing while nothing stands on the screen", async () => {
  fails = true;
  await show("customer", state({ asked: ASKED }));
  await vi.waitFor(() => expect(root.querySelector("[role=alert]")?.textContent).toContain(t("pdf.failed.text")), PATIENT);
  await write("review");
  await press(t("pdf.review.yes"));
  expect([document.querySelector("[role=dialog]"), button(t("pdf.sign.go"))?.disabled, of("pdf.sign")]).toEqual([null, true, []]);
  expect(root.textContent).toContain(t("pdf.sign.wait"));
});

it("does not show what has another hash, and says why", async () => {
  fails = true; // `show` waits for no document
  comes = () => "PF_1/something else";
  named();
  await show("customer", null);
  fails = false;
  await act(() => void live.handle(state({ asked: ASKED })));
  await vi.waitFor(() => expect(root.querySelector("[role=alert]")?.textContent).toContain(t("pdf.failed.changed")), PATIENT);
  await write("review");
  expect([vi.mocked(PdfDocument.read).mock.calls.length, document.querySelector("[role=dialog]"), root.textContent?.includes("words of")]).toEqual([0, null, false]);
});

it("asks for a yes only once the page, and then its review, is drawn", async () => {
  const waiting: (() => void)[] = [];
  named({ draw: () => new Promise((done) => waiting.push(done)) });
  const drawAll = async () => {
    await vi.waitFor(() => expect(waiting.length).toBeGreaterThan(0), PATIENT);
    await act(async () => waiting.splice(0).forEach((one) => one()));
  };
  await show("customer", state({ asked: ASKED }));
  await write("review");
  expect([document.querySelector("[role=dialog]"), button(t("pdf.sign.go"))?.disabled]).toEqual([null, true]);
  await drawAll();
  await vi.waitFor(() => expect(button(t("pdf.review.yes"))?.disabled).toBe(true), PATIENT);
  await press(t("pdf.review.yes"));
  expect(of("pdf.sign")).toEqual([]);
  await drawAll();
  await enabled(t("pdf.review.yes"));
});

it("signs the signed copy only once that is what is seen", async () => {
  let letGo = (): void => undefined;
  const held = new Promise<void>((done) => (letGo = done));
  const drawn = named({ read: async (name) => (name === "PF_1/signed" ? held : undefined) });
  await show("customer");
  await act(() => void live.handle(state({ signed: { sha256: SIGNED, at: "" }, asked: { ...ASKED, request: "RQ_2", sha256: SIGNED } })));
  await write("review");
  expect([root.textContent?.includes("words of PF_1/file"), document.querySelector("[role=dialog]"), button(t("pdf.sign.go"))?.disabled]).toEqual([true, null, true]);
  drawn.length = 0;
  letGo();
  await enabled(t("pdf.review.yes"));
  expect(new Set(drawn.map((one) => one.split(" ")[0]))).toEqual(new Set(["PF_1/signed"]));
});

it.each([
  ["the question", state({ asked: { ...ASKED, request: "RQ_2" } })],
  ["the file", state({ asked: { ...ASKED, sha256: SIGNED }, signed: { sha256: SIGNED, at: "" } })],
  ["the document", state({ pdf: OTHER, asked: { ...ASKED, sha256: OTHER.sha256 } })],
])("puts pad and review away, with what was written, when %s is another", async (_, next) => {
  for (const how of ["pad", "review"] as const) {
    await show("customer", state({ asked: ASKED }));
    await enabled(t("pdf.sign.go"));
    await write(how);
    expect(document.querySelector("[role=dialog]")).not.toBeNull();
    await tell(next);
    expect([document.querySelector("[role=dialog]"), ui.pdf.signing.value, ui.pdf.strokes.value]).toEqual([null, "card", []]);
    await act(() => render(null, root));
  }
});

it("says what became of a file that was sent", async () => {
  await show("agent", null);
  await act(() => void (live.sending.value = { name: "b.pdf", progress: 0.421, error: null }));
  expect(root.textContent).toContain(t("pdf.sending", { name: "b.pdf", n: 42 }));
  await act(() => void (live.sending.value = { name: "b.pdf", progress: 0, error: "pdf_encrypted" }));
  expect(root.textContent).toContain(t("pdf.problem.pdf_encrypted"));
  await press(t("close"));
  expect(root.textContent).toBe("");
});

it("shows around a signature as much of the page as there is", () => {
  const part = around({ x: 0.2, y: 0.97, width: 0.3, height: 0.03 }, [600, 800]);
  expect([part.x, part.width, part.y + part.height]).toEqual([0, 1, 1]);
  expect(around({ x: 0, y: 0, width: 1, height: 1 }, [600, 800])).toEqual({ x: 0, y: 0, width: 1, height: 1 });
});
