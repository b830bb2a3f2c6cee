/** Tells the server where in the site the customer is while nothing is shared, and shows an offer of help. The page itself is nobody's to see. */
import type { SiteHello, SiteMessage, SiteOffer, ToSite } from "../../cobrowse.gen";
import { calm, nameOf } from "./card";
import type { PresenceDeps, PresencePart } from "./parts";
import { wordsIn } from "./words";

export const EVERY_MS = 15_000;
const FIRST_MS = 2_000;
const MOST_MS = 60_000;
const LATE_MS = 10_000;

export class Presence implements PresencePart {
  private readonly say;
  private socket: WebSocket | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private every: ReturnType<typeof setInterval> | undefined;
  private told: ReturnType<typeof setTimeout> | undefined;
  private tries = 0;
  private last = "";
  private on = false;
  private shown: HTMLElement | null = null;
  private offer = "";

  constructor(private readonly deps: PresenceDeps) {
    this.say = wordsIn(deps.language);
  }

  start(): void {
    if (this.on) return;
    this.on = true;
    this.tries = 0;
    this.connect();
  }

  stop(): void {
    this.on = false;
    clearTimeout(this.retry);
    clearTimeout(this.told);
    clearInterval(this.every);
    this.show(null);
    const socket = this.socket;
    this.socket = null;
    if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
    else socket?.close();
  }

  moved(): void {
    this.tell();
  }

  private connect(): void {
    let socket: WebSocket;
    try {
      socket = (this.deps.socket ?? ((url) => new WebSocket(url)))(this.deps.url);
    } catch {
      return;
    }
    this.socket = socket;
    socket.onopen = () => {
      if (this.socket !== socket) return;
      const { site, visitor, language } = this.deps;
      this.send({ type: "site.hello", site, visitor, language } satisfies SiteHello);
      this.last = "";
      this.tell();
      clearInterval(this.every);
      this.every = setInterval(() => this.tell(), EVERY_MS);
    };
    socket.onmessage = ({ data }) => {
      if (this.socket === socket) this.took(JSON.parse(String(data)) as ToSite);
    };
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  private lost(): void {
    clearInterval(this.every);
    this.socket = null;
    if (this.offer !== "") this.show(null);
    const pause = Math.min(FIRST_MS * 2 ** this.tries, MOST_MS) * (0.75 + Math.random() / 2); // not all pages of a bank at once
    this.tries += 1;
    this.retry = setTimeout(() => this.connect(), pause);
  }

  private took(message: ToSite): void {
    this.tries = 0;
    switch (message.type) {
      case "site.offer":
        this.offered(message);
        break;
      case "site.withdrawn":
        if (message.late) this.late();
        else this.show(null);
        break;
      case "site.accepted":
        this.stop();
        this.deps.accepted(message.token);
        break;
      case "bye":
        if (!message.again) this.stop();
        break;
    }
  }

  private offered(offer: SiteOffer): void {
    if (offer.offer === this.offer) return;
    const { say } = this;
    const name = nameOf(offer.name, say("someone"));
    const bank = (this.deps.language === "zh" ? offer.bank_zh : offer.bank_en) || say("the_bank");
    const title = say("offer.title", { who: say("of", { name, bank }) });
    const reply = (given: boolean) => (): void => {
      this.send({ type: "site.answer", offer: offer.offer, given });
      this.show(given ? calm(say("offer.wait", { name }), [name], [], []) : null);
    };
    this.show(calm(title, [name], [say("offer.text")], [{ words: say("offer.no"), run: reply(false) }, { words: say("offer.yes"), run: reply(true) }]));
    this.offer = offer.offer;
    this.deps.announce(`${title} ${say("reach")}`);
  }

  private late(): void {
    this.show(calm(this.say("offer.late"), [], [], [{ words: this.say("close"), run: () => this.show(null) }], "row"));
    this.told = setTimeout(() => this.show(null), LATE_MS);
  }

  private show(element: HTMLElement | null): void {
    if (element === null) this.offer = "";
    if (element === this.shown) return;
    this.shown = element;
    this.deps.card(element);
  }

  private tell(): void {
    const at: SiteMessage = { type: "site.at", ...this.deps.at() };
    const { dwell_s: _, ...rest } = at;
    const text = JSON.stringify(rest);
    if (text !== this.last && this.send(at)) this.last = text;
  }

  private send(message: SiteMessage): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }
}
