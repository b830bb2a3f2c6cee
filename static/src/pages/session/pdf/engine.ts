/** pdf.js, loaded only once there is a PDF. It compiles nothing at run time and fetches nothing but from here: the pages' policy allows neither. */
import { AnnotationMode, GlobalWorkerOptions, getDocument, version } from "pdfjs-dist/legacy/build/pdf.mjs";
import type { PDFDocumentProxy } from "pdfjs-dist";
import worker from "pdfjs-dist/legacy/build/pdf.worker.min.mjs?url";

GlobalWorkerOptions.workerSrc = worker;

const MOST_PIXELS = 16 * 1024 * 1024; // of one canvas; some telephones have no more

export interface Drawing {
  done: Promise<void>; // rejects when it was stopped
  stop(): void;
}

/** Part of a page, in parts of its size. */
export interface Part {
  x: number;
  y: number;
  width: number;
  height: number;
}

const WHOLE: Part = { x: 0, y: 0, width: 1, height: 1 };

export class PdfDocument {
  private constructor(private readonly inner: PDFDocumentProxy) {}

  /** Rejects where it cannot be read. */
  static async read(data: ArrayBuffer): Promise<PdfDocument> {
    const from = new URL(`/assets/pdfjs-${version}/`, location.href).href;
    const task = getDocument({ data, cMapUrl: from, standardFontDataUrl: from, wasmUrl: from, useWasm: false, disableWorkerRendering: true, enableXfa: false, verbosity: 0 });
    return new PdfDocument(await task.promise);
  }

  get pages(): number {
    return this.inner.numPages;
  }

  /** So many device pixels wide, as far as there is room for them. */
  draw(page: number, canvas: HTMLCanvasElement, width: number, part: Part = WHOLE): Drawing {
    let stop = (): void => undefined;
    let stopped = false;
    const done = this.inner.getPage(page).then(async (proxy) => {
      if (stopped) throw new Error("stopped");
      const plain = proxy.getViewport({ scale: 1 });
      const [across, down] = [plain.width * part.width, plain.height * part.height];
      const scale = Math.min(width / across, Math.sqrt(MOST_PIXELS / (across * down)));
      canvas.width = Math.max(1, Math.round(across * scale));
      canvas.height = Math.max(1, Math.round(down * scale));
      const viewport = proxy.getViewport({ scale, offsetX: -plain.width * part.x * scale, offsetY: -plain.height * part.y * scale });
      const task = proxy.render({ canvas, viewport, annotationMode: AnnotationMode.ENABLE });
      stop = () => task.cancel();
      await task.promise;
    });
    return {
      done,
      stop: () => {
        stopped = true;
        stop();
      },
    };
  }

  /** What is written on it, line by line, for those who listen. */
  async text(page: number): Promise<string> {
    const { items } = await (await this.inner.getPage(page)).getTextContent();
    return items
      .map((item) => ("str" in item ? item.str + (item.hasEOL ? "\n" : "") : ""))
      .join("")
      .trim();
  }

  close(): void {
    void this.inner.loadingTask.destroy();
  }
}
