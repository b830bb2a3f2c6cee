/** What a desk is offered: conversations that a colleague hands over, or that lost their agent. Told by `LiveDesk`. */
import { signal } from "@preact/signals";
import type { ClientBody, ErrorCode, HandoverOffered, HandoverTaken, ServerBody, SessionId } from "../protocol.gen";
import { ServerClock } from "./clock";
import type { Offer } from "./model";
import { ApiError, OFFLINE } from "./problems";

const ANSWER_MS = 10_000;
/** More than a desk can be offered at once; the oldest go. */
export const MOST_OFFERS = 20;

export interface OfferEvents {
  /** False when it cannot be sent now. */
  send(body: ClientBody): boolean;
}

interface Answering {
  resolve(taken: HandoverTaken): void;
  reject(problem: ApiError): void;
}

export class Offers {
  readonly list = signal<Offer[]>([]);
  readonly clock = new ServerClock();
  private readonly answering = new Map<SessionId, Answering>();
  private readonly timers = new Map<SessionId, ReturnType<typeof setTimeout>>();

  constructor(private readonly events: OfferEvents) {}

  /** Whether that was about offers. */
  handle(body: ServerBody): boolean {
    switch (body.type) {
      case "handover.offered":
        this.offered(body);
        return true;
      case "handover.withdrawn":
        this.drop(body.session);
        this.answering.get(body.session)?.reject(new ApiError("gone", ""));
        return true;
      case "handover.taken":
        this.drop(body.session.id);
        this.answering.get(body.session.id)?.resolve(body);
        return true;
      default:
        return false;
    }
  }

  /** The server knows nothing of the old connection: it offers again what still stands. */
  anew(): void {
    for (const offer of this.list.peek()) this.drop(offer.session.id);
  }

  refused(code: ErrorCode, detail: string, body: ClientBody | null): void {
    if (body?.type !== "handover.answer") return;
    this.drop(body.session);
    this.answering.get(body.session)?.reject(new ApiError(code, detail));
  }

  decline(session: SessionId): void {
    this.drop(session);
    this.events.send({ type: "handover.answer", session, accepted: false });
  }

  /** Resolves with one's place in it. Rejects with `conflict` or `gone` when somebody else was faster or it is over, `offline`. */
  accept(session: SessionId): Promise<HandoverTaken> {
    return new Promise<HandoverTaken>((resolve, reject) => {
      const timer = setTimeout(() => settle(() => reject(new ApiError(OFFLINE, ""))), ANSWER_MS);
      const settle = (how: () => void): void => {
        clearTimeout(timer);
        this.answering.delete(session);
        how();
      };
      this.answering.get(session)?.reject(new ApiError("conflict", ""));
      this.answering.set(session, {
        resolve: (taken) => settle(() => resolve(taken)),
        reject: (problem) => settle(() => reject(problem)),
      });
      if (!this.events.send({ type: "handover.answer", session, accepted: true })) settle(() => reject(new ApiError(OFFLINE, "")));
    });
  }

  close(): void {
    this.anew();
    for (const one of [...this.answering.values()]) one.reject(new ApiError(OFFLINE, ""));
  }

  private offered(body: HandoverOffered): void {
    const now = Date.now();
    const untilMs = this.clock.here(body.expires_at, now);
    if (untilMs <= now) return;
    const offer: Offer = { session: body.session, fromName: body.from_name, warm: body.warm, note: body.note, lost: body.lost, fromMs: now, untilMs };
    this.drop(body.session.id);
    const list = [...this.list.peek(), offer];
    for (const old of list.slice(0, -MOST_OFFERS)) this.drop(old.session.id);
    this.list.value = list.slice(-MOST_OFFERS);
    // Beyond 2^31 ms a timer fires at once.
    this.timers.set(body.session.id, setTimeout(() => this.drop(body.session.id), Math.min(untilMs - now, 2 ** 31 - 1)));
  }

  private drop(session: SessionId): void {
    clearTimeout(this.timers.get(session));
    this.timers.delete(session);
    if (this.list.peek().some((offer) => offer.session.id === session)) this.list.value = this.list.peek().filter((offer) => offer.session.id !== session);
  }
}
