/** Verifying a transaction in a session, as this page knows it: how the attempt stands, and what the person before the camera is shown. */
import { signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import type {
  AgentReason,
  CaseBrief,
  ClientBody,
  ConsentDecision,
  ConsentView,
  ErrorCode,
  ParticipantId,
  ServerBody,
  VerificationAgent,
  VerificationBegin,
  VerificationCannot,
  VerificationChanged,
  VerificationCue,
  VerificationStop,
} from "../protocol.gen";
import { ScreenLight } from "./light";
import type { Light } from "./light";

/** What is asked of the person now. `number` counts from 1. */
export interface Asked {
  cue: "settle" | "ask" | "rest" | "hold_on" | "document";
  action: string;
  number: number;
  of: number;
  withinS: number;
  sinceMs: number; // of this machine's clock
}

export interface Verification {
  readonly view: ReadonlySignal<VerificationChanged | null>; // the newest attempt here, also when it is over
  readonly asked: ReadonlySignal<Asked | null>;
  readonly light: ReadonlySignal<Light | null>; // what the screen shows now; null: there was none in this attempt
  readonly advice: ReadonlySignal<readonly string[]>; // codes, worst first
  readonly slips: ReadonlySignal<number>; // so often something else was done than what is asked now
  readonly beginning: ReadonlySignal<boolean>; // said by this page, and not answered yet
  readonly refused: ReadonlySignal<string | null>; // why the newest beginning was
  readonly waiting: ReadonlySignal<boolean>; // there was no room for it; this page asks again by itself
  readonly closed: ReadonlySignal<boolean>; // how it went has been read
  /** Others' decisions about a check of their face. */
  readonly agreed: ReadonlySignal<ReadonlyMap<ParticipantId, ConsentDecision>>;
  /** Of this session, newest first; null: the server has not said yet. */
  readonly cases: ReadonlySignal<readonly CaseBrief[] | null>;
  readonly calling: ReadonlySignal<boolean>; // asked for a person, and not answered yet
  readonly callRefused: ReadonlySignal<string | null>; // why the newest asking was
  /** `light`: with coloured light, where the case has it. */
  begin(id: string, participant: ParticipantId, light?: boolean): void;
  /** Of a customer who is alone: a person comes instead. `wanted` false: no longer. */
  callPerson(reason: AgentReason, wanted?: boolean): void;
  /** `light`: the colours; they are not shown any more. */
  cannot(light?: boolean): void;
  stop(): void;
  /** They would rather not wait until there is room. */
  stopWaiting(): void;
  putAway(): void;
}

/** As the server makes them. */
const CASE = /^VE_[A-Z2-7]{26}$/;

export function isCase(text: string): boolean {
  return CASE.test(text);
}

/** Whether this person's own attempt fills the page: while it runs, and until they have read how it went. */
export function fills(verification: Verification, me: ParticipantId | undefined): boolean {
  const view = verification.view.value;
  return view !== null && view.participant === me && !verification.closed.value;
}

/** All places where checks are looked at are taken: nothing has begun, nothing is used up. */
export const NO_ROOM = "attempts_busy";
const AGAIN_MS = 3_000; // asked again so long after the answer, and by chance up to twice that: many pages wait at once
const PATIENCE_MS = 180_000; // then they are told that it is no use for now

/** Began, or would have, if there had been room. */
export function hasNoRoom(view: VerificationChanged | null): boolean {
  return view !== null && view.state === "over" && view.number === 0 && view.problem === NO_ROOM;
}

type Sent = VerificationAgent | VerificationBegin | VerificationCannot | VerificationStop;

export class LiveVerification implements Verification {
  readonly view = signal<VerificationChanged | null>(null);
  readonly asked = signal<Asked | null>(null);
  readonly advice = signal<readonly string[]>([]);
  readonly slips = signal(0);
  readonly beginning = signal(false);
  readonly refused = signal<string | null>(null);
  readonly closed = signal(false);
  readonly agreed = signal<ReadonlyMap<ParticipantId, ConsentDecision>>(new Map());
  readonly cases = signal<readonly CaseBrief[] | null>(null);
  readonly calling = signal(false);
  readonly callRefused = signal<string | null>(null);
  readonly waiting = signal(false);

  private readonly screen = new ScreenLight();
  readonly light = this.screen.shown;
  private over = false; // the document's other side is asked for
  private wanted: VerificationBegin | null = null; // by this page, until it is known what became of it
  private askedMs = 0; // first
  private again: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly send: (body: Sent) => void,
    private readonly now: () => number = Date.now,
    private readonly chance: () => number = Math.random, // 0 to 1
  ) {}

  /** Whether the message was about this alone. */
  handle(body: ServerBody, me: ParticipantId | undefined): boolean {
    if (body.type === "verification.changed") this.changed(body);
    else if (body.type === "verification.cue") this.cue(body, me);
    else if (body.type === "verification.cases") this.cases.value = body.cases;
    else if (body.type === "consent.changed") this.decided([body.consent]);
    else if (body.type === "session.changed") {
      this.calling.value = false;
      if (body.session.status !== "open") this.stopWaiting(); // they wait for a person, or it is over
    }
    return body.type === "verification.changed" || body.type === "verification.cue" || body.type === "verification.cases";
  }

  /** A whole snapshot: what ran may have ended meanwhile; if it goes on, the next cue says so. */
  drawn(consents: readonly ConsentView[]): void {
    if (this.view.peek()?.state === "playing") this.view.value = null;
    this.beginning.value = false;
    this.calling.value = false;
    this.clear();
    if (this.waiting.peek()) this.askAgain(); // whether the last asking arrived is not known
    this.decided(consents);
  }

  /** Whether the refusal needs no other words than those here. */
  turnedDown(code: ErrorCode, body: ClientBody): boolean {
    if (body.type === "verification.begin") {
      this.beginning.value = false;
      this.stopWaiting();
      this.refused.value = code;
    }
    if (body.type === "verification.agent") {
      this.calling.value = false;
      this.callRefused.value = code;
    }
    // The others are refused when it was over a moment before: then that is what the page shows.
    return body.type === "verification.begin" || body.type === "verification.agent" || body.type === "verification.cannot" || body.type === "verification.stop";
  }

  begin(id: string, participant: ParticipantId, light = true): void {
    this.stopWaiting();
    this.callRefused.value = null;
    this.wanted = light ? { type: "verification.begin", case: id, participant } : { type: "verification.begin", case: id, participant, light };
    this.askedMs = this.now();
    this.ask();
  }

  private ask(): void {
    if (this.wanted === null) return;
    this.beginning.value = true;
    this.refused.value = null;
    this.send(this.wanted);
  }

  /** Unless it has been too long. */
  private askAgain(): void {
    if (this.again !== null) clearTimeout(this.again);
    this.again = null;
    if (this.wanted === null || this.now() - this.askedMs >= PATIENCE_MS) {
      this.stopWaiting();
      return;
    }
    this.waiting.value = true;
    this.again = setTimeout(() => this.ask(), AGAIN_MS * (1 + this.chance()));
  }

  stopWaiting(): void {
    if (this.again !== null) clearTimeout(this.again);
    this.again = null;
    this.wanted = null;
    this.waiting.value = false;
  }

  callPerson(reason: AgentReason, wanted = true): void {
    if (this.calling.peek()) return;
    if (wanted) this.stopWaiting();
    this.calling.value = true;
    this.callRefused.value = null;
    this.send(wanted ? { type: "verification.agent", reason } : { type: "verification.agent", reason, wanted });
  }

  cannot(light = false): void {
    this.send(light ? { type: "verification.cannot", light } : { type: "verification.cannot" });
  }

  stop(): void {
    this.send({ type: "verification.stop" });
  }

  putAway(): void {
    this.stopWaiting();
    this.closed.value = true;
  }

  private changed(body: VerificationChanged): void {
    this.beginning.value = false;
    this.refused.value = null;
    const before = this.view.peek();
    // That there is still no room is no news to who has read it.
    if (!hasNoRoom(body) || !hasNoRoom(before) || before?.case !== body.case) this.closed.value = false;
    if (body.state === "playing") this.clear();
    else if (body.case === before?.case) this.screen.end();
    this.view.value = body;
    if (hasNoRoom(body) && this.wanted?.case === body.case) this.askAgain();
    else this.stopWaiting();
  }

  private clear(): void {
    this.asked.value = null;
    this.screen.clear();
    this.advice.value = [];
    this.slips.value = 0;
  }

  private cue(body: VerificationCue, me: ParticipantId | undefined): void {
    const view = this.view.peek();
    if (me === undefined) return;
    if (view === null || view.case !== body.case) {
      // A page that came in the middle of it.
      this.clear();
      this.closed.value = false;
      this.view.value = { type: "verification.changed", case: body.case, participant: me, state: "playing", number: 0, left: 0, warning: false, outcome: null, problem: "" };
    } else if (view.state === "over" && body.cue !== "colour") {
      return; // only the light has something to say after the end
    }
    switch (body.cue) {
      case "advise":
        this.advice.value = body.reasons;
        break;
      case "slipped":
        this.slips.value = this.slips.peek() + 1;
        break;
      case "colour":
        this.screen.tell(body.colour, body.wait_s, body.fade_s);
        break;
      case "document":
        this.advice.value = body.reasons;
        this.slips.value = 0;
        this.asked.value = { cue: "document", action: body.action, number: body.number + 1, of: body.of, withinS: body.within_s, sinceMs: this.begun(body) };
        break;
      default:
        this.advice.value = [];
        this.slips.value = 0;
        this.asked.value = { cue: body.cue, action: body.action, number: body.number + 1, of: body.of, withinS: body.within_s, sinceMs: this.now() };
    }
  }

  /** Cues about one side of a document follow each other while its time runs, from when that side was first asked for. */
  private begun(body: VerificationCue): number {
    const before = this.asked.peek();
    const other = body.action === "turn_over" && (before?.cue !== "document" || !this.over);
    this.over = before?.cue === "document" ? this.over || other : other;
    return before?.cue === "document" && !other ? before.sinceMs : this.now();
  }

  private decided(consents: readonly ConsentView[]): void {
    const faces = consents.filter(({ scope }) => scope === "face");
    if (faces.length === 0) return;
    this.agreed.value = new Map([...this.agreed.peek(), ...faces.map(({ participant, decision }): [ParticipantId, ConsentDecision] => [participant, decision])]);
  }
}
