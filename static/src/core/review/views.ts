/** The server's views of a recording, as the player has them. Pure. */
import type { RecordedEvent, RecordingDetail, RecordingExport, RecordingVerified, RecordingView, Role, Source } from "../../protocol.gen";
import type { Detail, ExportJob, Summary, Verified } from "./model";
import type { Mark, PageTrack, Party, Span, Track } from "./timeline";

const ROLES: readonly Role[] = ["customer", "agent", "expert", "supervisor", "service"];
const SOURCES: readonly Source[] = ["microphone", "camera", "screen"];

const span = ({ from_ms, to_ms }: { from_ms: number; to_ms: number }): Span => ({ fromMs: from_ms, toMs: to_ms });
const known = <T extends string>(all: readonly T[], text: string): T | undefined => all.find((one) => one === text);

export function summaryOf(view: RecordingView): Summary {
  return {
    id: view.id,
    session: view.session,
    customerName: view.customer_name,
    startedAt: view.started_at,
    startedBy: view.started_by,
    ending: view.standing,
    durationMs: view.duration_ms,
    bytes: view.bytes,
    people: view.participants.map(({ name, role }) => ({ name, role: known(ROLES, role) ?? "customer" })),
  };
}

/** An older recording has only the words that were shown then. */
function labelOf({ zh, en, text, item }: RecordedEvent): { zh: string; en: string } {
  const shown = text || item;
  return { zh: zh || shown, en: en || shown };
}

/** An event as a mark; null for kinds that this page does not show. */
export function markOf(event: RecordedEvent): Mark | null {
  const at = { atMs: event.at_ms, by: event.participant };
  switch (event.kind) {
    case "checkpoint":
      if (event.item === "") return { ...at, kind: "note", text: event.note };
      return { ...at, kind: "checkpoint", item: event.item, label: labelOf(event), done: event.on, note: event.note };
    case "chat":
      return { ...at, kind: "chat", text: event.text };
    case "file":
      return { ...at, kind: "file", name: event.text, size: event.size };
    case "joined":
    case "left":
      return { ...at, kind: event.kind };
    case "paused":
    case "resumed":
      return { atMs: event.at_ms, kind: event.kind };
    case "screen":
      return { ...at, kind: "screen", on: event.on };
    case "consent":
      return event.scope === "recording" ? { ...at, kind: "consent", given: event.on } : null;
    default:
      return null;
  }
}

export function detailOf(view: RecordingDetail): Detail {
  const marks: Mark[] = view.events.flatMap((event) => markOf(event) ?? []);
  const tracks: Track[] = [];
  const pages: PageTrack[] = view.tracks.filter(({ source }) => source === "page").map(({ track, participant, spans }) => ({ id: track, participant, spans: spans.map(span) }));
  for (const { track, participant, source, mime, spans, gaps } of view.tracks) {
    const which = known(SOURCES, source);
    if (which === undefined) continue;
    tracks.push({ id: track, participant, source: which, mime, spans: spans.map(span) });
    for (const gap of gaps) marks.push({ kind: "gap", atMs: gap.from_ms, toMs: gap.to_ms, by: participant, source: which, packets: gap.packets, reason: gap.reason });
  }
  marks.sort((a, b) => a.atMs - b.atMs);
  return {
    summary: summaryOf(view.recording),
    timeline: {
      durationMs: view.duration_ms,
      startedAt: view.recording.started_at,
      parties: view.parties.map(({ participant, name, role, there }): Party => ({ id: participant, name, role: known(ROLES, role) ?? "customer", there: there.map(span) })),
      tracks,
      pages,
      marks,
      speaking: view.speaking.map(({ at_ms, participants }) => ({ atMs: at_ms, who: participants })),
      pauses: view.pauses.map(span),
      damaged: view.damaged,
    },
  };
}

export function verifiedOf(view: RecordingVerified): Verified {
  return { files: view.files, findings: view.findings.map(({ file, segment, what, detail, tampering }) => ({ file, segment: segment < 0 ? null : segment, what, detail, change: tampering })) };
}

export function exportJobOf(view: RecordingExport): ExportJob {
  const state = view.state === "queued" ? "running" : view.state === "cancelled" ? "failed" : view.state;
  return { id: view.id, state, progress: view.progress, format: view.format, fault: state === "failed" ? (view.fault ?? "other") : null, detail: view.problem };
}
