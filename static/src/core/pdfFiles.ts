/** PDFs of a session over REST. */
import type { PdfView } from "../protocol.gen";
import { randomKey, send, upload } from "./http";

const FETCH_MS = 120_000; // 20 MiB on a slow line

function pathOf(session: string): string {
  return `/sessions/${encodeURIComponent(session)}/pdfs`;
}

/** What is no PDF by its type is sent as one all the same: the server looks at what is in it. */
export function uploadPdf(session: string, file: File, token: () => string, progress: (part: number) => void): Promise<PdfView> {
  const typed = file.type === "application/pdf" ? file : new File([file], file.name, { type: "application/pdf" });
  return upload<PdfView>(`${pathOf(session)}?name=${encodeURIComponent(nameOf(file))}`, typed, token, progress, randomKey());
}

export async function fetchPdf(session: string, pdf: string, what: "file" | "signed", token: string): Promise<ArrayBuffer> {
  const response = await send(`${pathOf(session)}/${encodeURIComponent(pdf)}/${what}`, { token, timeoutMs: FETCH_MS });
  return response.arrayBuffer();
}

/** In hexadecimal digits, as the server tells it. */
export async function sha256Of(bytes: ArrayBuffer): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const NAME_CHARS = 200;

function nameOf(file: File): string {
  const name = file.name.trim() || "document.pdf";
  return [...name].slice(0, NAME_CHARS).join("");
}
