/** A PDF looked at together, in its states: at the desk and with the customer. */
import { useEffect } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { PdfLook } from "../core/pdf";
import { LivePdf } from "../core/pdf";
import { Workbench } from "../pages/agent/Workbench";
import { CallView } from "../pages/session/CallView";
import { pdfUi } from "../pages/session/pdf/state";
import type { PdfUi } from "../pages/session/pdf/state";
import { ApiError } from "../core/problems";
import type { PdfAsked, PdfMarkView, PdfSigned, Role } from "../protocol.gen";
import { LEAD, NAMES, fakeCall, fakeDesk, person, site, zh } from "./fakes";
import type { FakeCall } from "./fakes";
import type { Story } from "./list";
import { SIZES, storyPdf } from "./pdfFile";

interface Setting {
  open?: boolean;
  name?: string;
  look?: Partial<PdfLook>;
  marks?: PdfMarkView[];
  asked?: PdfAsked | null;
  signed?: PdfSigned | null;
  declined?: boolean;
  sending?: LivePdf["sending"]["value"];
  signing?: boolean;
  refused?: string;
  never?: boolean; // the file does not come
  broken?: boolean;
  changed?: boolean; // another file comes
  interrupted?: boolean; // the server was started anew while it was asked
}

const BOX = { page: 1, x: 0.34, y: 0.71, width: 0.36, height: 0.075 };
const asked = (): PdfAsked => ({ request: "RQ_1", by: "PA_agent", of: "PA_me", sha256: "", ...BOX });
const signed = (): PdfSigned => ({ sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", at: "2030-01-01T10:30:00Z" });
const wave = (from: number, to: number, y: number): [number, number][] => Array.from({ length: 40 }, (_, n) => [from + ((to - from) * n) / 39, y + 0.22 * Math.sin(n * 0.9) * Math.cos(n * 0.13)]);
const STROKES: [number, number][][] = [wave(0.08, 0.5, 0.5), wave(0.46, 0.92, 0.48), [[0.1, 0.86], [0.5, 0.8], [0.92, 0.84]]];
const MARKS: PdfMarkView[] = [
  { mark: "1", by: "PA_agent", page: 1, kind: "highlight", points: [[0.09, 0.172], [0.75, 0.196]] },
  { mark: "2", by: "PA_me", page: 1, kind: "highlight", points: [[0.09, 0.252], [0.6, 0.276]] },
  { mark: "3", by: "PA_agent", page: 1, kind: "ink", points: [[0.08, 0.44], [0.3, 0.448], [0.55, 0.438], [0.8, 0.446]] },
];

function fakePdf(setting: Setting): LivePdf {
  const live = new LivePdf({
    say: (body) => {
      if (body.type === "pdf.sign.decline" || body.type === "pdf.sign.cancel") live.asked.value = null;
      if (body.type === "pdf.close") live.open.value = null;
      if (body.type === "pdf.sign.ask") live.asked.value = { request: "RQ_2", by: "PA_me", of: "PA_customer", sha256: "", page: body.page, x: body.x, y: body.y, width: body.width, height: body.height };
      if (body.type === "pdf.sign") live.signed.value = signed();
    },
    me: () => "PA_me",
    upload: () => new Promise(() => undefined),
    fetch: async () => (setting.never === true ? new Promise<never>(() => undefined) : setting.broken === true ? Promise.reject(new ApiError("offline", "")) : storyPdf(zh())),
  }, async () => (setting.changed === true ? "another" : (live.file.peek()?.sha256 ?? "")));
  if (setting.open !== false) live.open.value = { id: "PF_1", name: setting.name ?? (zh() ? "个人账户服务协议.pdf" : "Agreement on a personal account.pdf"), pages: 3, sizes: SIZES, sha256: "" };
  live.look.value = { page: 1, y: 0, by: "PA_agent", ...setting.look };
  live.marks.value = setting.marks ?? [];
  live.asked.value = setting.asked ?? null;
  live.signed.value = setting.signed ?? null;
  live.declined.value = setting.declined ?? false;
  live.interrupted.value = setting.interrupted ?? false;
  live.sending.value = setting.sending ?? null;
  live.signing.value = setting.signing ?? false;
  live.refused.value = setting.refused ?? null;
  return live;
}

/** The story is whole when its pages are drawn. */
function Settled({ until, children }: { until: string; children: ComponentChildren }) {
  useEffect(() => {
    const settled = new Promise<void>((done) => {
      const ask = (): void => {
        const shown = [...document.querySelectorAll<HTMLElement>(".pdf-page canvas, .pdf-review")];
        if (document.querySelector(until) !== null && shown.every((one) => (one.dataset["drawn"] ?? "false") !== "false")) done();
        else timer = setTimeout(ask, 30);
      };
      let timer = setTimeout(ask, 30);
      stop = () => clearTimeout(timer);
    });
    window.storySettles = Promise.race([settled, new Promise((late) => setTimeout(late, 5_000))]);
    return () => {
      stop();
      delete window.storySettles;
    };
  }, []);
  let stop = (): void => undefined;
  return <>{children}</>;
}

function call(setting: Setting, role: Role): FakeCall {
  const agent = person(role === "agent" ? "PA_me" : "PA_agent", "agent", NAMES.agent());
  const customer = person(role === "customer" ? "PA_me" : "PA_c", "customer", NAMES.customer());
  const expert = person(role === "expert" ? "PA_me" : "PA_e", "expert", NAMES.expert());
  const all = [agent, customer, expert];
  const grants = role === "agent" ? [...LEAD, "pdf.show", "pdf.mark"] : role === "expert" ? ["chat", "pdf.show", "pdf.mark"] : ["chat", "pdf.mark", "pdf.sign"];
  return { ...fakeCall({ me: all.find(({ id }) => id === "PA_me") ?? agent, others: all.filter(({ id }) => id !== "PA_me"), grants }), pdf: fakePdf(setting) };
}

function story(name: string, role: Role, setting: () => Setting, ui: () => PdfUi = () => pdfUi(true)): Story {
  const view = (): Story["make"] => () => {
    const props = { pdf: ui(), panel: "none" as const };
    return role === "agent" ? <Workbench desk={fakeDesk({ call: call(setting(), role) })} site={site()} callProps={props} /> : <CallView call={call(setting(), role)} variant={role} {...props} />;
  };
  const made = setting();
  const until = made.open === false ? null : made.never === true ? ".pdf-stage" : made.broken === true || made.changed === true ? ".pdf-before .card" : ".pdf-canvas";
  return { name: `pdf-${name}`, make: () => (until === null ? view()() : <Settled until={until}>{view()()}</Settled>) };
}

export const pdfStories: Story[] = [
  story("sending", "agent", () => ({ open: false, sending: { name: NAMES.long(), progress: 0.42, error: null } })),
  story("sending-failed", "agent", () => ({ open: false, sending: { name: "scan.pdf", progress: 0, error: "too_large" } })),
  story("agent", "agent", () => ({ look: { by: "PA_me" } })),
  story("agent-marks", "agent", () => ({ marks: MARKS }), () => pdfUi(true, { tool: "highlight" })),
  story("agent-box", "agent", () => ({ name: NAMES.long() }), () => pdfUi(true, { tool: "sign", draft: BOX })),
  story("agent-asked", "agent", () => ({ asked: asked() })),
  story("agent-interrupted", "agent", () => ({ asked: asked(), interrupted: true })),
  story("agent-declined", "agent", () => ({ declined: true })),
  story("agent-signed", "agent", () => ({ signed: signed() })),
  story("agent-close", "agent", () => ({}), () => pdfUi(true, { closing: true })),
  story("agent-failed", "agent", () => ({ broken: true })),
  story("expert", "expert", () => ({ marks: MARKS, look: { page: 2, y: 0.4 } })),
  story("customer-loading", "customer", () => ({ never: true })),
  story("customer-failed", "customer", () => ({ broken: true })),
  story("customer-changed", "customer", () => ({ changed: true, asked: asked() })),
  story("customer", "customer", () => ({ marks: MARKS })),
  story("customer-last-page", "customer", () => ({ name: NAMES.long(), look: { page: 3, y: 0 } })),
  story("customer-asked", "customer", () => ({ asked: asked() })),
  story("customer-interrupted", "customer", () => ({ asked: asked(), interrupted: true })),
  story("customer-pad", "customer", () => ({ asked: asked() }), () => pdfUi(true, { signing: "pad" })),
  story("customer-pad-drawn", "customer", () => ({ asked: asked() }), () => pdfUi(true, { signing: "pad", strokes: STROKES })),
  story("customer-review", "customer", () => ({ asked: asked() }), () => pdfUi(true, { signing: "review", strokes: STROKES })),
  story("customer-review-refused", "customer", () => ({ asked: asked(), refused: "conflict" }), () => pdfUi(true, { signing: "review", strokes: STROKES })),
  story("customer-decline", "customer", () => ({ asked: asked() }), () => pdfUi(true, { signing: "decline" })),
  story("customer-signed", "customer", () => ({ signed: signed() })),
];
