/** A PDF that everybody in a session looks at together: which, where, what is drawn on it, whether a signature is asked for. */
import { batch, computed, signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import type { ClientBody, ErrorCode, ParticipantId, PdfAsked, PdfLooked, PdfMark, PdfMarkView, PdfMarked, PdfShown, PdfSigned, PdfState, PdfUnmarked, PdfView, ServerBody } from "../protocol.gen";
import { randomKey } from "./http";
import { sha256Of } from "./pdfFiles";
import { inside, roomToSign, thinned } from "./pdfPlaces";
import type { Box, Place, Point } from "./pdfPlaces";
import { ApiError } from "./problems";

export const MAX_PDF_BYTES = 20 * 1024 * 1024;
/** Of one stroke, and of a signature. */
export const MAX_STROKE_POINTS = 200;
export const MAX_STROKES = 60;

export type PdfMarkKind = PdfMark["kind"];

/** A file on its way to the others. `error`: a problem's code; it stands until it is put away. */
export interface PdfSending {
  name: string;
  progress: number; // 0…1
  error: string | null;
}

export interface PdfLook extends Place {
  by: ParticipantId | null; // nobody has scrolled yet
}

/** The bytes that everybody looks at now: the PDF as it was sent, or signed once it is. */
export interface PdfFile {
  id: string; // of the PDF
  what: "file" | "signed";
  sha256: string;
}

/** What a customer had before them when they said yes or no. */
export interface PdfAnswered {
  pdf: string;
  request: string;
  sha256: string; // of the file that was drawn
}

export interface Pdf {
  readonly file: ReadonlySignal<PdfFile | null>;
  readonly open: ReadonlySignal<PdfShown | null>;
  readonly look: ReadonlySignal<PdfLook>;
  readonly marks: ReadonlySignal<readonly PdfMarkView[]>;
  readonly asked: ReadonlySignal<PdfAsked | null>;
  readonly signed: ReadonlySignal<PdfSigned | null>;
  readonly interrupted: ReadonlySignal<boolean>; // the question is from before the server was started anew: what was written since then is lost
  readonly declined: ReadonlySignal<boolean>; // the newest question was taken away without a signature, and not by this page
  readonly sending: ReadonlySignal<PdfSending | null>;
  readonly signing: ReadonlySignal<boolean>; // a signature is on its way
  readonly refused: ReadonlySignal<string | null>; // why the newest signature was not taken
  /** Uploads it, then opens it for everybody. */
  show(file: File): Promise<void>;
  putAwaySending(): void;
  close(): void;
  lookAt(place: Place): void;
  mark(page: number, kind: PdfMarkKind, points: readonly Point[]): void;
  /** The newest of one's own. */
  undo(): void;
  clear(): void;
  askToSign(page: number, box: Box): void;
  cancelAsk(): void;
  /** Says nothing where something else is asked by now, or for another file. */
  sign(reviewed: PdfAnswered, strokes: readonly (readonly Point[])[]): void;
  decline(answered: Omit<PdfAnswered, "sha256">): void;
  /** Rejects with ApiError; `pdf_changed`: what came has another hash. */
  bytes(file: PdfFile): Promise<ArrayBuffer>;
  /** Object URL of the signed file; kept until the call ends. */
  signedUrl(): Promise<string>;
}

export interface PdfNeeds {
  say(body: ClientBody): void;
  me(): ParticipantId | null;
  upload(file: File, progress: (part: number) => void): Promise<PdfView>;
  fetch(pdf: string, what: "file" | "signed"): Promise<ArrayBuffer>;
}

export class LivePdf implements Pdf {
  readonly open = signal<PdfShown | null>(null);
  readonly look = signal<PdfLook>({ page: 1, y: 0, by: null });
  readonly marks = signal<readonly PdfMarkView[]>([]);
  readonly asked = signal<PdfAsked | null>(null);
  readonly signed = signal<PdfSigned | null>(null);
  readonly interrupted = signal(false);
  readonly declined = signal(false);
  readonly sending = signal<PdfSending | null>(null);
  readonly signing = signal(false);
  readonly refused = signal<string | null>(null);

  readonly file = computed((): PdfFile | null => {
    const [pdf, signed] = [this.open.value, this.signed.value];
    if (pdf === null) return null;
    return signed === null ? { id: pdf.id, what: "file", sha256: pdf.sha256 } : { id: pdf.id, what: "signed", sha256: signed.sha256 };
  });

  private cancelled: string | null = null; // by this page
  private url: { sha256: string; made: Promise<string> } | null = null;

  constructor(
    private readonly needs: PdfNeeds,
    private readonly hash: (bytes: ArrayBuffer) => Promise<string> = sha256Of,
  ) {}

  // ---------------------------------------------------------------- from the server

  /** Whether the message was about this. */
  handle(body: ServerBody): boolean {
    if (!isToPdf(body)) return false;
    batch(() => {
      switch (body.type) {
        case "pdf.state":
          this.told(body);
          break;
        case "pdf.looked":
          this.look.value = { page: body.page, y: body.y, by: body.by };
          break;
        case "pdf.marked": {
          const { mark, by, page, kind, points } = body;
          this.marks.value = [...this.marks.peek().filter((one) => one.mark !== mark || one.by !== by), { mark, by, page, kind, points }];
          break;
        }
        case "pdf.unmarked":
          this.marks.value = this.marks.peek().filter((one) => one.by !== body.by || (body.mark !== "" && one.mark !== body.mark));
          break;
      }
    });
    return true;
  }

  /** A whole snapshot: if a PDF is open, it is told after it. */
  drawn(): void {
    batch(() => this.told({ type: "pdf.state", pdf: null, page: 1, y: 0, by: null, marks: [], asked: null, signed: null, interrupted: false }));
  }

  /** Whether the refusal needs no other words than those here. */
  turnedDown(code: ErrorCode, body: ClientBody): boolean {
    if (body.type === "pdf.mark") this.marks.value = this.marks.peek().filter(({ by, mark }) => by !== this.needs.me() || mark !== body.mark);
    if (body.type === "pdf.look" || body.type === "pdf.unmark") return true; // comes again, or the next state shows it
    if (body.type !== "pdf.sign") return false;
    this.signing.value = false;
    this.refused.value = code;
    return true;
  }

  private told(state: PdfState): void {
    const [before, asked, signed] = [this.open.peek(), this.asked.peek(), this.signed.peek()];
    const same = before !== null && before.id === state.pdf?.id;
    this.open.value = unchanged(before, state.pdf);
    const { page, y, by } = state;
    this.look.value = { page, y, by };
    this.marks.value = state.marks;
    this.asked.value = unchanged(asked, state.asked);
    this.interrupted.value = state.interrupted;
    this.signed.value = signed !== null && signed.sha256 === state.signed?.sha256 ? signed : state.signed;
    const fresh = state.signed !== null && state.signed.sha256 !== signed?.sha256;
    if (!same || state.asked !== null || fresh) this.declined.value = false;
    else if (asked !== null && asked.request !== this.cancelled) this.declined.value = true;
    if (state.asked === null || state.asked.request !== asked?.request) {
      this.signing.value = false;
      this.refused.value = null;
    }
  }

  /** What was kept for the page is let go. */
  end(): void {
    this.letUrlGo();
  }

  // ---------------------------------------------------------------- actions

  async show(file: File): Promise<void> {
    if (this.sending.peek() !== null && this.sending.peek()?.error === null) return;
    const { name } = file;
    this.sending.value = { name, progress: 0, error: null };
    try {
      if (file.size === 0) throw new ApiError("empty", "");
      if (file.size > MAX_PDF_BYTES) throw new ApiError("too_large", "");
      const { id } = await this.needs.upload(file, (progress) => void (this.sending.value = { name, progress, error: null }));
      this.sending.value = null;
      this.needs.say({ type: "pdf.open", pdf: id });
    } catch (error) {
      this.sending.value = { name, progress: 0, error: error instanceof ApiError ? error.code : "failed" };
    }
  }

  putAwaySending(): void {
    if (this.sending.peek()?.error !== null) this.sending.value = null;
  }

  close(): void {
    if (this.open.peek() !== null) this.needs.say({ type: "pdf.close" });
  }

  lookAt({ page, y }: Place): void {
    const pdf = this.open.peek();
    if (pdf === null) return;
    this.look.value = { page, y, by: this.needs.me() };
    this.needs.say({ type: "pdf.look", pdf: pdf.id, page, y });
  }

  mark(page: number, kind: PdfMarkKind, points: readonly Point[]): void {
    const pdf = this.open.peek();
    const me = this.needs.me();
    if (pdf === null || me === null) return;
    const drawn = { mark: randomKey(), page, kind, points: kind === "ink" ? stroke(points) : points.map(inside) };
    this.marks.value = [...this.marks.peek(), { ...drawn, by: me }];
    this.needs.say({ type: "pdf.mark", pdf: pdf.id, ...drawn });
  }

  undo(): void {
    const me = this.needs.me();
    const last = this.marks.peek().findLast(({ by }) => by === me);
    if (last !== undefined) this.unmark(last.mark);
  }

  clear(): void {
    this.unmark("");
  }

  askToSign(page: number, box: Box): void {
    const pdf = this.open.peek();
    if (pdf === null || this.asked.peek() !== null) return;
    this.declined.value = false;
    this.needs.say({ type: "pdf.sign.ask", pdf: pdf.id, page, ...roomToSign(box, pdf.sizes[page - 1] ?? []) });
  }

  cancelAsk(): void {
    const [pdf, asked] = [this.open.peek(), this.asked.peek()];
    if (pdf === null || asked === null) return;
    this.cancelled = asked.request;
    this.needs.say({ type: "pdf.sign.cancel", pdf: pdf.id });
  }

  sign({ pdf, request, sha256 }: PdfAnswered, strokes: readonly (readonly Point[])[]): void {
    const asked = this.asked.peek();
    if (this.signing.peek() || this.open.peek()?.id !== pdf || asked?.request !== request || asked.sha256 !== sha256) return;
    this.signing.value = true;
    this.refused.value = null;
    this.needs.say({ type: "pdf.sign", pdf, request, strokes: strokes.slice(0, MAX_STROKES).map(stroke) });
  }

  decline({ pdf, request }: Omit<PdfAnswered, "sha256">): void {
    if (this.open.peek()?.id !== pdf || this.asked.peek()?.request !== request) return;
    this.cancelled = request;
    this.needs.say({ type: "pdf.sign.decline", pdf, request });
  }

  async bytes({ id, what, sha256 }: PdfFile): Promise<ArrayBuffer> {
    const bytes = await this.needs.fetch(id, what);
    if ((await this.hash(bytes)) !== sha256) throw new ApiError("pdf_changed", "");
    return bytes;
  }

  signedUrl(): Promise<string> {
    const [pdf, signed] = [this.open.peek(), this.signed.peek()];
    if (pdf === null || signed === null) return Promise.reject(new ApiError("gone", ""));
    if (this.url?.sha256 === signed.sha256) return this.url.made;
    this.letUrlGo();
    const made = this.bytes({ id: pdf.id, what: "signed", sha256: signed.sha256 }).then((bytes) => URL.createObjectURL(new Blob([bytes], { type: "application/pdf" })));
    this.url = { sha256: signed.sha256, made };
    made.catch(() => (this.url = null)); // the next wish tries again
    return made;
  }

  private unmark(mark: string): void {
    const pdf = this.open.peek();
    const me = this.needs.me();
    if (pdf === null) return;
    this.marks.value = this.marks.peek().filter((one) => one.by !== me || (mark !== "" && one.mark !== mark));
    this.needs.say({ type: "pdf.unmark", pdf: pdf.id, mark });
  }

  private letUrlGo(): void {
    this.url?.made.then((made) => URL.revokeObjectURL(made), () => undefined);
    this.url = null;
  }
}

type ToPdf = PdfState | PdfLooked | PdfMarked | PdfUnmarked;

function isToPdf(body: ServerBody): body is ToPdf {
  return body.type.startsWith("pdf.");
}

/** The one there was, where the new one says the same: nothing that depends on it is made anew. */
function unchanged<T>(before: T, now: T): T {
  return JSON.stringify(before) === JSON.stringify(now) ? before : now;
}

/** As it is sent: a dot is a line to where it is. */
function stroke(points: readonly Point[]): [number, number][] {
  const short = thinned(points, MAX_STROKE_POINTS);
  const [first] = short;
  return short.length === 1 && first !== undefined ? [first, first] : short;
}
