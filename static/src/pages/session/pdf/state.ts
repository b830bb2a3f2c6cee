/** The page's own state about a PDF that is looked at together. Nothing here is known to the server. */
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import type { Call } from "../../../core/model";
import type { Box } from "../../../core/pdfPlaces";
import type { CallUi } from "../ui";

export type PdfTool = "none" | "highlight" | "ink" | "sign";
export const ZOOMS = [1, 1.25, 1.5, 2, 3] as const;

/** A box that is not told yet. */
export interface Draft extends Box {
  page: number;
}

/** How far the customer is with a signature. */
export type Signing = "card" | "pad" | "review" | "decline";

export interface PdfUi {
  /** The PDF stands where the pictures are otherwise. */
  readonly shown: Signal<boolean>;
  readonly tool: Signal<PdfTool>;
  readonly draft: Signal<Draft | null>;
  readonly drawing: Signal<boolean>; // under the pointer, now: nothing around the page may move
  readonly zoom: Signal<number>; // 1: as wide as there is room
  readonly page: Signal<number>; // that fills most of the view
  readonly signing: Signal<Signing>;
  readonly strokes: Signal<readonly (readonly [number, number][])[]>;
  readonly closing: Signal<boolean>; // it is asked whether it is to be closed
  /** Puts a page, or a box of one, into view as if it was scrolled there; `quiet`: the others stay where they are. */
  go: ((page: number, box?: Box, quiet?: boolean) => void) | null;
}

export function pdfUi(shown = false, change: { tool?: PdfTool; draft?: Draft; signing?: Signing; strokes?: [number, number][][]; closing?: boolean } = {}): PdfUi {
  return {
    shown: signal(shown),
    tool: signal<PdfTool>(change.tool ?? "none"),
    draft: signal<Draft | null>(change.draft ?? null),
    drawing: signal(false),
    zoom: signal(1),
    page: signal(1),
    signing: signal<Signing>(change.signing ?? "card"),
    strokes: signal<readonly (readonly [number, number][])[]>(change.strokes ?? []),
    closing: signal(change.closing ?? false),
    go: null,
  };
}

/** Those who lead open and close it, and ask for a signature. */
export function mayOpen(call: Call): boolean {
  return call.grants.value.has("pdf.show");
}

/** Staff draw on it. */
export function mayDraw(ui: CallUi): boolean {
  return ui.variant !== "customer" && ui.call.grants.value.has("pdf.mark") && ui.call.me.value?.listens !== true;
}

/** Whether the PDF is in the place of the pictures now. */
export function isPdfShown(ui: CallUi): boolean {
  return ui.call.pdf.open.value !== null && ui.pdf.shown.value && ui.call.me.value?.on_hold !== true;
}

export function takeTool(ui: CallUi, tool: PdfTool): void {
  ui.pdf.draft.value = null;
  ui.pdf.tool.value = ui.pdf.tool.peek() === tool ? "none" : tool;
}

/** What was drawn as a box is told. */
export function settleDraft(ui: CallUi): void {
  const { tool, draft } = ui.pdf;
  const now = draft.peek();
  if (now === null) return;
  if (tool.peek() === "sign") {
    ui.call.pdf.askToSign(now.page, now);
    tool.value = "none";
  } else {
    ui.call.pdf.mark(now.page, "highlight", [
      [now.x, now.y],
      [now.x + now.width, now.y + now.height],
    ]);
  }
  draft.value = null;
}

/** A file of the reader's choice is sent and opened for everybody. */
export function choosePdf(call: Call): void {
  const picker = document.createElement("input");
  picker.type = "file";
  picker.accept = "application/pdf,.pdf";
  picker.onchange = () => {
    const file = picker.files?.[0];
    if (file) void call.pdf.show(file);
  };
  picker.click();
}
