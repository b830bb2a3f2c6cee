/** What the reviewers' pages see: the list, one recording, and what may be done with it. `api.ts` implements it; stories fake it. */
import type { ReadonlySignal } from "@preact/signals";
import type { ExportFault, ExportFormat, Language, RecordingId, Role, SessionId, StaffView } from "../../protocol.gen";
import type { Timeline } from "./timeline";

/** `open`: it is being recorded now. `interrupted`: a crash ended it; what was written is whole. */
export type Ending = "open" | "complete" | "failed" | "interrupted" | "erased";

export interface Summary {
  id: RecordingId;
  session: SessionId;
  customerName: string;
  startedAt: string;
  startedBy: string;
  ending: Ending;
  durationMs: number;
  bytes: number;
  people: { name: string; role: Role }[]; // who was recorded at some time
}

export interface RecordingPage {
  recordings: Summary[];
  next: string | null;
}

export interface Detail {
  summary: Summary;
  timeline: Timeline;
}

/** One thing that is not as it was written. `change`: not explained by a crash. */
export interface Finding {
  file: string;
  segment: number | null; // null: the file as a whole
  what: string;
  detail: string;
  change: boolean;
}

export interface Verified {
  files: number;
  findings: Finding[];
}

export interface ExportJob {
  id: string;
  state: "running" | "done" | "failed";
  progress: number; // 0…1
  format: string;
  fault: ExportFault | null; // why it failed
  detail: string; // the exporter's own words, in English
}

/** A signed-in reviewer. Actions reject with an `ApiProblem`. */
export interface Reviewer {
  readonly staff: ReadonlySignal<StaffView>;
  readonly signedIn: ReadonlySignal<boolean>;
  list(session: string, cursor: string | null): Promise<RecordingPage>;
  open(id: RecordingId): Promise<Detail>;
  stream(id: RecordingId, track: string, fromMs: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  verify(id: RecordingId): Promise<Verified>;
  erase(id: RecordingId, reason: string): Promise<void>;
  /** `language`: of the points in it; null: the session's. */
  startExport(id: RecordingId, format: ExportFormat, language: Language | null): Promise<ExportJob>;
  exportJob(id: RecordingId, job: string): Promise<ExportJob>;
  /** The file, with how much of it has come (0…1). */
  exported(id: RecordingId, job: string, progress: (part: number) => void): Promise<Blob>;
  logout(): void;
}

export interface ReviewApi {
  resume(): Promise<Reviewer | null>;
  login(username: string, password: string): Promise<Reviewer>;
}
