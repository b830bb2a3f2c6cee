import { beforeEach, expect, it, vi } from "vitest";
import type { ClientBody, PdfAsked, PdfState, PdfView } from "../protocol.gen";
import { LivePdf, MAX_PDF_BYTES, MAX_STROKES, MAX_STROKE_POINTS } from "./pdf";
import { sha256Of } from "./pdfFiles";
import { ApiError } from "./problems";

const SHOWN = { id: "PF_1", name: "a.pdf", pages: 2, sizes: [[595, 842], [595, 842]] as [number, number][], sha256: "aa" };
const VIEW: PdfView = { ...SHOWN, bytes: 10, created_at: "", opened: false, signed_sha256: "" };
const ASKED: PdfAsked = { request: "RQ_1", page: 2, x: 0.1, y: 0.2, width: 0.4, height: 0.1, by: "PA_a", of: "PA_me", sha256: "aa" };
const state = (part: Partial<PdfState> = {}): PdfState => ({ type: "pdf.state", pdf: SHOWN, page: 1, y: 0, by: null, marks: [], asked: null, signed: null, interrupted: false, ...part });

let said: ClientBody[];
let fetched: [string, string][];
let upload: (file: File, progress: (part: number) => void) => Promise<PdfView>;
let pdf: LivePdf;
let came: string; // the hash of what is fetched
const REVIEWED = { pdf: "PF_1", request: "RQ_1", sha256: "aa" };

beforeEach(() => {
  said = [];
  fetched = [];
  came = "aa";
  upload = async () => VIEW;
  pdf = new LivePdf({
    say: (body) => void said.push(body),
    me: () => "PA_me",
    upload: (file, progress) => upload(file, progress),
    fetch: async (id, what) => {
      fetched.push([id, what]);
      return new ArrayBuffer(4);
    },
  }, async () => came);
});

const of = <T extends ClientBody["type"]>(type: T) => said.filter((one): one is Extract<ClientBody, { type: T }> => one.type === type);
const file = (bytes: number): File => Object.defineProperty(new File(["x"], "a.pdf"), "size", { value: bytes });

it("is told a state whole, and changes to it", () => {
  expect(pdf.handle({ type: "media.lost" })).toBe(false);
  expect(pdf.handle(state({ page: 2, y: 0.3, by: "PA_a", marks: [{ mark: "1", by: "PA_a", page: 1, kind: "ink", points: [[0, 0], [1, 1]] }], asked: ASKED }))).toBe(true);
  expect([pdf.open.value?.id, pdf.look.value, pdf.marks.value.length, pdf.asked.value?.request]).toEqual(["PF_1", { page: 2, y: 0.3, by: "PA_a" }, 1, "RQ_1"]);
  pdf.handle({ type: "pdf.looked", page: 1, y: 0.5, by: "PA_c" });
  pdf.handle({ type: "pdf.marked", mark: "2", by: "PA_c", page: 1, kind: "highlight", points: [[0, 0], [1, 1]] });
  pdf.handle({ type: "pdf.marked", mark: "2", by: "PA_c", page: 2, kind: "highlight", points: [[0, 0], [1, 1]] }); // said twice
  expect([pdf.look.value.by, pdf.marks.value.map(({ by, mark, page }) => [by, mark, page])]).toEqual(["PA_c", [["PA_a", "1", 1], ["PA_c", "2", 2]]]);
  pdf.handle({ type: "pdf.unmarked", by: "PA_a", mark: "2" }); // another's
  expect(pdf.marks.value).toHaveLength(2);
  pdf.handle({ type: "pdf.unmarked", by: "PA_c", mark: "" });
  expect(pdf.marks.value.map(({ by }) => by)).toEqual(["PA_a"]);
  pdf.drawn();
  expect([pdf.open.value, pdf.marks.value, pdf.asked.value]).toEqual([null, [], null]);
});

it("knows that a question was interrupted, until there is another or none", () => {
  pdf.handle(state({ asked: ASKED, interrupted: true }));
  expect(pdf.interrupted.value).toBe(true);
  pdf.handle(state({ asked: { ...ASKED, request: "RQ_2" } }));
  expect(pdf.interrupted.value).toBe(false);
  pdf.handle(state({ asked: ASKED, interrupted: true }));
  pdf.drawn();
  expect(pdf.interrupted.value).toBe(false);
});

it("keeps the same document and question for those who draw them", () => {
  pdf.handle(state({ asked: ASKED }));
  const before = [pdf.open.value, pdf.asked.value];
  pdf.handle(state({ pdf: { ...SHOWN }, asked: { ...ASKED } }));
  expect(pdf.open.value).toBe(before[0]);
  expect(pdf.asked.value).toBe(before[1]);
});

it("uploads, then opens; says how far it is, and why it failed", async () => {
  upload = async (_, progress) => {
    progress(0.5);
    expect(pdf.sending.value).toEqual({ name: "a.pdf", progress: 0.5, error: null });
    await pdf.show(file(10)); // a second one waits for its turn
    return VIEW;
  };
  await pdf.show(file(10));
  expect([said, pdf.sending.value]).toEqual([[{ type: "pdf.open", pdf: "PF_1" }], null]);
  upload = () => Promise.reject(new ApiError("pdf_encrypted", ""));
  await pdf.show(file(10));
  expect(pdf.sending.value?.error).toBe("pdf_encrypted");
  await pdf.show(file(0));
  expect(pdf.sending.value?.error).toBe("empty");
  await pdf.show(file(MAX_PDF_BYTES + 1));
  expect(pdf.sending.value?.error).toBe("too_large");
  pdf.putAwaySending();
  expect([pdf.sending.value, said.length]).toEqual([null, 1]);
});

it("says nothing while no document is open", () => {
  pdf.lookAt({ page: 1, y: 0 });
  pdf.mark(1, "ink", [[0, 0]]);
  pdf.undo();
  pdf.clear();
  pdf.askToSign(1, ASKED);
  pdf.cancelAsk();
  pdf.sign(REVIEWED, [[[0, 0]]]);
  pdf.decline(REVIEWED);
  pdf.close();
  expect(said).toEqual([]);
});

it("draws at once, takes back one's own only, and what the server refuses", () => {
  pdf.handle(state({ marks: [{ mark: "t", by: "PA_a", page: 1, kind: "ink", points: [[0, 0], [1, 1]] }] }));
  pdf.mark(1, "highlight", [[0.1, 0.1], [1.4, 0.2]]);
  pdf.mark(2, "ink", [[0.5, 0.5]]);
  const [highlight, ink] = said as Extract<ClientBody, { type: "pdf.mark" }>[];
  expect([highlight?.points, ink?.points]).toEqual([[[0.1, 0.1], [1, 0.2]], [[0.5, 0.5], [0.5, 0.5]]]);
  expect(pdf.marks.value).toHaveLength(3);
  pdf.undo();
  expect(said.at(-1)).toEqual({ type: "pdf.unmark", pdf: "PF_1", mark: ink?.mark });
  if (highlight) expect(pdf.turnedDown("too_many", highlight)).toBe(false); // said in the page's words
  expect(pdf.marks.value.map(({ mark }) => mark)).toEqual(["t"]);
  pdf.clear();
  expect([said.at(-1), pdf.marks.value.length]).toEqual([{ type: "pdf.unmark", pdf: "PF_1", mark: "" }, 1]);
  expect(pdf.turnedDown("too_many", { type: "pdf.look", pdf: "PF_1", page: 1, y: 0 })).toBe(true);
});

it("tells a question that was answered with no from one that this page took back", () => {
  pdf.handle(state());
  pdf.askToSign(2, ASKED);
  expect(said.at(-1)).toEqual({ type: "pdf.sign.ask", pdf: "PF_1", page: 2, x: 0.1, y: 0.2, width: 0.4, height: 0.1 });
  pdf.handle(state({ asked: ASKED }));
  pdf.askToSign(2, ASKED); // one at a time
  expect(said).toHaveLength(1);
  pdf.handle(state());
  expect(pdf.declined.value).toBe(true);
  pdf.handle(state({ asked: { ...ASKED, request: "RQ_2" } }));
  expect(pdf.declined.value).toBe(false);
  pdf.cancelAsk();
  pdf.handle(state());
  expect([pdf.declined.value, said.at(-1)]).toEqual([false, { type: "pdf.sign.cancel", pdf: "PF_1" }]);
});

it("signs once, in strokes as short as they are taken", async () => {
  pdf.handle(state({ asked: ASKED }));
  const wild = Array.from({ length: 3_000 }, (_, n): [number, number] => [n / 3_000, n % 2]);
  pdf.sign(REVIEWED, [wild, ...Array.from({ length: MAX_STROKES + 5 }, (): [number, number][] => [[0, 0], [1, 1]])]);
  pdf.sign(REVIEWED, [wild]);
  const sent = said.filter((one) => one.type === "pdf.sign");
  expect(sent).toHaveLength(1);
  expect([sent[0]?.request, sent[0]?.strokes.length, sent[0]?.strokes[0]?.length]).toEqual(["RQ_1", MAX_STROKES, MAX_STROKE_POINTS]);
  if (sent[0]) expect(pdf.turnedDown("internal", sent[0])).toBe(true);
  expect([pdf.signing.value, pdf.refused.value]).toEqual([false, "internal"]);
  pdf.sign(REVIEWED, [[[0.5, 0.5]]]);
  expect([pdf.signing.value, pdf.refused.value]).toEqual([true, null]);
  pdf.handle(state({ signed: { sha256: "bb", at: "" } }));
  expect([pdf.signing.value, pdf.declined.value, pdf.signed.value?.sha256]).toEqual([false, false, "bb"]);
});

it("answers only what was reviewed: not another question, another document, another file", () => {
  const asks = (part: Partial<PdfAsked>, shown = SHOWN): void => void pdf.handle(state({ pdf: shown, asked: { ...ASKED, ...part } }));
  asks({ request: "RQ_2" });
  pdf.sign(REVIEWED, [[[0, 0]]]);
  pdf.decline(REVIEWED);
  asks({}, { ...SHOWN, id: "PF_2" });
  pdf.sign(REVIEWED, [[[0, 0]]]);
  pdf.decline(REVIEWED);
  asks({ sha256: "bb" });
  pdf.sign(REVIEWED, [[[0, 0]]]);
  expect([said, pdf.signing.value]).toEqual([[], false]);
  asks({});
  pdf.sign(REVIEWED, [[[0, 0]]]);
  expect(of("pdf.sign").map(({ pdf: id, request }) => [id, request])).toEqual([["PF_1", "RQ_1"]]);
});

it("takes the same id with other contents for what it is", () => {
  pdf.handle(state({ asked: ASKED }));
  pdf.handle(state({ pdf: { ...SHOWN, sha256: "bb" }, asked: { ...ASKED, page: 1, sha256: "bb" } }));
  expect([pdf.open.value?.sha256, pdf.file.value?.sha256, pdf.asked.value?.sha256, pdf.asked.value?.page]).toEqual(["bb", "bb", "bb", 1]);
});

it("hands out what it was told of by its hash, and nothing else", async () => {
  expect(pdf.file.value).toBeNull();
  pdf.handle(state());
  const file = pdf.file.value;
  expect(file).toEqual({ id: "PF_1", what: "file", sha256: "aa" });
  if (file === null) return;
  expect(await pdf.bytes(file)).toBeInstanceOf(ArrayBuffer);
  pdf.handle(state({ signed: { sha256: "bb", at: "" } }));
  const signed = pdf.file.value;
  expect(signed).toEqual({ id: "PF_1", what: "signed", sha256: "bb" });
  if (signed === null) return;
  await expect(pdf.bytes(signed)).rejects.toMatchObject({ code: "pdf_changed" });
  await expect(pdf.signedUrl()).rejects.toMatchObject({ code: "pdf_changed" });
  came = "bb";
  expect(await pdf.bytes(signed)).toBeInstanceOf(ArrayBuffer);
  expect(fetched).toEqual([["PF_1", "file"], ["PF_1", "signed"], ["PF_1", "signed"], ["PF_1", "signed"]]);
});

it("knows a file by its SHA-256", async () => {
  const abc = new TextEncoder().encode("abc");
  expect(await sha256Of(abc.buffer)).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

it("declines, and does not call that a refusal of the others", () => {
  pdf.handle(state({ asked: ASKED }));
  pdf.decline(REVIEWED);
  pdf.handle(state());
  expect([said.at(-1), pdf.declined.value]).toEqual([{ type: "pdf.sign.decline", pdf: "PF_1", request: "RQ_1" }, false]);
});

it("fetches a signed file once, and again when it was signed again", async () => {
  vi.spyOn(URL, "createObjectURL").mockReturnValueOnce("blob:1").mockReturnValueOnce("blob:2");
  const revoke = vi.spyOn(URL, "revokeObjectURL").mockReturnValue();
  await expect(pdf.signedUrl()).rejects.toMatchObject({ code: "gone" });
  came = "bb";
  pdf.handle(state({ signed: { sha256: "bb", at: "" } }));
  expect([await pdf.signedUrl(), await pdf.signedUrl()]).toEqual(["blob:1", "blob:1"]);
  came = "cc";
  pdf.handle(state({ signed: { sha256: "cc", at: "" } }));
  expect(await pdf.signedUrl()).toBe("blob:2");
  pdf.end();
  await vi.waitFor(() => expect(revoke.mock.calls).toEqual([["blob:1"], ["blob:2"]]));
});
