/** The PDF that is open, read. What was fetched has the hash that the server told, or it is not shown; nothing of another PDF stays in its place. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Pdf, PdfFile } from "../../../core/pdf";
import { ApiError } from "../../../core/problems";
import type { PdfDocument } from "./engine";

interface Reading {
  file: PdfFile | null; // that was read, or could not be
  document: PdfDocument | null;
  failed: "failed" | "changed" | null;
}

export interface Read {
  /** Of the PDF that is open; while a signed copy is on its way, still the one before. */
  document: PdfDocument | null;
  /** Of the bytes that `document` was read from. */
  sha256: string | null;
  failed: Reading["failed"];
  again: () => void;
}

const NOTHING: Reading = { file: null, document: null, failed: null };

export function useDocument(pdf: Pdf): Read {
  const reading = useSignal(NOTHING);
  const turn = useSignal(0);
  const current = useRef<PdfDocument | null>(null);
  const file = pdf.file.value;
  useEffect(() => {
    const before = reading.peek();
    if (before.file?.id !== file?.id) {
      current.current?.close();
      current.current = null;
      reading.value = NOTHING;
    } else reading.value = { ...before, failed: null };
    if (file === null) return;
    let over = false;
    const load = async (): Promise<void> => {
      const [{ PdfDocument }, bytes] = await Promise.all([import("./engine"), pdf.bytes(file)]);
      const document = await PdfDocument.read(bytes);
      if (over) return document.close();
      current.current?.close();
      current.current = document;
      reading.value = { file, document, failed: null };
    };
    load().catch((error: unknown) => {
      if (!over) reading.value = { file, document: null, failed: error instanceof ApiError && error.code === "pdf_changed" ? "changed" : "failed" };
    });
    return () => {
      over = true;
    };
  }, [file?.id, file?.sha256, turn.value]);
  useEffect(() => () => current.current?.close(), []);
  // By the render itself: the effect above comes after what it puts away was on the screen.
  const { document, failed, file: read } = file !== null && reading.value.file?.id === file.id ? reading.value : NOTHING;
  return { document, failed, sha256: document === null ? null : (read?.sha256 ?? null), again: () => void (turn.value += 1) };
}
