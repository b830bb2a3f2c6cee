/** A session's recording, as this page knows it: the whole state comes with every message; what is asked for goes out by `send`. */
import { signal } from "@preact/signals";
import type { CheckpointMark, ParticipantId, RecordingChanged, RecordingSet, RecordingStatus, RecordingWanted, ServerBody } from "../protocol.gen";
import type { ServerClock } from "./clock";

export const NO_RECORDING: RecordingChanged = {
  type: "recording",
  state: "off",
  id: null,
  started_at: null,
  recorded: [],
  missing: [],
  checklist: [],
  problem: null,
  available: false,
  retention_days: 0,
};

/** How many characters of a note the server takes. */
export const MAX_NOTE_CHARS = 200;

/** Nobody is recorded now, and nobody is asked. */
export function isIdle(state: RecordingStatus): boolean {
  return state === "off" || state === "failed";
}

/** Whether this person is being asked now. One's own answer counts from the press on, not from when the server has it. */
export function asks(view: RecordingChanged, me: ParticipantId | undefined, answered: boolean): boolean {
  return me !== undefined && !answered && view.state !== "off" && view.missing.includes(me);
}

export class LiveRecording {
  readonly view = signal<RecordingChanged>(NO_RECORDING);
  /** This page has answered, and the server has not said yet that it knows. */
  readonly answered = signal(false);

  /** When it began, in milliseconds of this machine's clock. */
  readonly startedMs = signal<number | null>(null);

  constructor(
    private readonly send: (body: RecordingSet | CheckpointMark) => void,
    private readonly clock: Pick<ServerClock, "here">,
  ) {}

  /** Whether the message was about this. */
  handle(body: ServerBody, me: ParticipantId | undefined): boolean {
    if (body.type !== "recording") return false;
    this.told(body, me);
    return true;
  }

  /** The whole state, in the snapshot or as it changes. */
  told(view: RecordingChanged, me: ParticipantId | undefined): void {
    const askedAnew = view.state === "asking" && this.view.peek().state !== "asking";
    if (me === undefined || !view.missing.includes(me) || askedAnew) this.answered.value = false; // the next question is a new one
    this.startedMs.value = view.started_at === null ? null : this.clock.here(view.started_at);
    this.view.value = view;
  }

  /** The page said yes or no, or took it back. */
  decided(): void {
    this.answered.value = true;
  }

  /** The answer was refused: the question stands again. */
  undecided(): void {
    this.answered.value = false;
  }

  wish(state: RecordingWanted): void {
    this.send({ type: "recording.set", state });
  }

  mark(item: string, done: boolean, note = ""): void {
    this.send({ type: "checkpoint.mark", item, done, note: note.trim().slice(0, MAX_NOTE_CHARS) });
  }
}
