/** The PDF that is open, read: one at a time, the last one stays until the next is there. */
import { useSignal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Pdf } from "../../../core/pdf";
import type { PdfDocument } from "./engine";

export interface Reading {
  document: PdfDocument | null;
  failed: boolean;
}

export function useDocument(pdf: Pdf): { reading: ReadonlySignal<Reading>; again: () => void } {
  const reading = useSignal<Reading>({ document: null, failed: false });
  const turn = useSignal(0);
  const current = useRef<PdfDocument | null>(null);
  const [open, signed] = [pdf.open.value, pdf.signed.value];
  useEffect(() => {
    let over = false;
    reading.value = { document: current.current, failed: false };
    const load = async (): Promise<void> => {
      const [{ PdfDocument }, bytes] = await Promise.all([import("./engine"), pdf.bytes()]);
      const document = await PdfDocument.read(bytes);
      if (over) return document.close();
      current.current?.close();
      current.current = document;
      reading.value = { document, failed: false };
    };
    load().catch(() => {
      if (!over) reading.value = { document: null, failed: true };
    });
    return () => {
      over = true;
    };
  }, [open?.id, signed?.sha256, turn.value]);
  useEffect(() => () => current.current?.close(), []);
  return { reading, again: () => void (turn.value += 1) };
}
