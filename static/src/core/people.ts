/** Who may come in and who leads: what a call knows of the waiting room, of hand-overs and of an agent who was lost. Told by
 *  `LiveCall`, which owns the connection; knows no page. */
import { signal } from "@preact/signals";
import type { ClientBody, LeaveReason, ParticipantId, ParticipantView, ServerBody, SessionView, Snapshot, StaffId } from "../protocol.gen";
import { ServerClock } from "./clock";
import type { CallPeople, HandoverNow, StaffRole } from "./model";

/** How long a page shows that a hand-over is over. */
export const OVER_MS = 12_000;

export interface PeopleEvents {
  send(body: ClientBody): void;
  me(): ParticipantView | null;
  /** Somebody who is or was here; "" when nobody knows. */
  name(participant: ParticipantId): string;
  admitted(snapshot: Snapshot): void;
  grants(grants: string[]): void;
}

export class LivePeople implements CallPeople {
  readonly waiting = signal<ParticipantView[]>([]);
  readonly handover = signal<HandoverNow | null>(null);
  readonly lost = signal<{ untilMs: number } | null>(null);
  readonly back = signal(false);
  readonly requeued = signal(false);
  readonly left = signal<{ participant: ParticipantId; name: string; reason: LeaveReason } | null>(null);
  readonly clock = new ServerClock();
  private asked = ""; // to whom this page offered last
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly events: PeopleEvents) {}

  // ---------------------------------------------------------------- actions

  lock(locked: boolean): void {
    this.events.send({ type: "session.lock", locked });
  }

  waitingRoom(on: boolean): void {
    this.events.send({ type: "session.waiting_room", on });
  }

  admit(participant: ParticipantId, admitted: boolean): void {
    this.events.send({ type: "participant.admit", participant, admitted });
  }

  setRole(participant: ParticipantId, role: StaffRole): void {
    this.events.send({ type: "participant.role", participant, role });
  }

  handOver(to: StaffId | null, warm: boolean, note: string, name = ""): void {
    this.asked = name;
    this.events.send({ type: "handover.offer", to, warm, note });
  }

  cancelHandover(): void {
    this.events.send({ type: "handover.cancel" });
  }

  completeHandover(): void {
    this.events.send({ type: "handover.complete" });
  }

  putAway(): void {
    clearTimeout(this.timer);
    this.handover.value = null;
    this.back.value = false;
  }

  // ---------------------------------------------------------------- from the server

  /** Anew, with everything: what was going on is told again after it. Returns those who are inside. */
  drawn(participants: readonly ParticipantView[]): ParticipantView[] {
    clearTimeout(this.timer);
    this.handover.value = null;
    this.lost.value = null;
    this.back.value = false;
    this.waiting.value = participants.filter(({ waits }) => waits);
    return participants.filter(({ waits }) => !waits);
  }

  /** Whether this one is outside still; whoever was let in is no longer. */
  outside(participant: ParticipantView): boolean {
    const others = this.waiting.peek().filter(({ id }) => id !== participant.id);
    if (participant.waits) {
      const index = this.waiting.peek().findIndex(({ id }) => id === participant.id);
      this.waiting.value = index === -1 ? [...others, participant] : this.waiting.peek().with(index, participant);
    } else if (others.length !== this.waiting.peek().length) this.waiting.value = others;
    return participant.waits;
  }

  /** Before `others` forgets them. */
  gone(participant: ParticipantId, reason: LeaveReason): void {
    this.left.value = { participant, name: this.events.name(participant), reason };
    if (this.waiting.peek().some(({ id }) => id === participant)) this.waiting.value = this.waiting.peek().filter(({ id }) => id !== participant);
    const now = this.handover.peek();
    if (now !== null && now.state !== "done" && now.to === participant) this.handover.value = null;
  }

  /** One's own view changed: a hold that is lifted ends a private talk that one was not told the end of. */
  mine(before: ParticipantView | null, now: ParticipantView): void {
    const talk = this.handover.peek();
    if (talk === null || !talk.warm || talk.state === "done") return;
    if (before?.on_hold === true && !now.on_hold) this.handover.value = null;
  }

  session(session: SessionView): void {
    if (session.status === "waiting" && this.lost.peek() !== null) this.requeued.value = true;
    if (session.status === "open") this.requeued.value = false;
    if (session.status !== "open") this.drawn(this.waiting.peek());
  }

  /** Whether that was about people. */
  handle(body: ServerBody): boolean {
    switch (body.type) {
      case "admitted":
        this.events.admitted(body.snapshot);
        return true;
      case "grants":
        this.events.grants(body.grants);
        return true;
      case "handover":
        this.handedOver({
          state: body.state,
          warm: body.warm,
          from: body.from,
          to: body.to,
          fromName: this.events.name(body.from) || (this.handover.peek()?.fromName ?? ""),
          toName: body.to_name || (body.to !== null ? this.events.name(body.to) : body.from === this.events.me()?.id ? this.asked : ""),
        });
        return true;
      case "agent.lost":
        if (this.handover.peek()?.state === "done") this.handover.value = null; // of what was well a moment ago nothing is said any more
        this.back.value = false;
        this.lost.value = { untilMs: this.clock.here(body.until) };
        return true;
      case "agent.back":
        this.lost.value = null;
        this.back.value = true;
        this.later(() => (this.back.value = false));
        return true;
      default:
        return false;
    }
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private handedOver(now: HandoverNow): void {
    clearTimeout(this.timer);
    this.handover.value = now;
    if (now.state === "done") {
      this.lost.value = null;
      this.later(() => (this.handover.value = null));
    }
    // Whoever leads reads why it came to nothing; for the others it is as if it had not been.
    if ((now.state === "declined" || now.state === "expired" || now.state === "cancelled") && now.from !== this.events.me()?.id) this.handover.value = null;
  }

  private later(what: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(what, OVER_MS);
  }
}
