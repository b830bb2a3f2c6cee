/** Everything that the customer sees of a share, and the order in which cards come: one at a time. */
import type { Act, AskConsent, Scope, Viewer } from "../cobrowse.gen";
import type { Proposal } from "./acts";
import type { SeenPart } from "./help/parts";
import { Bar, type BarView } from "./ui/bar";
import { AskCard, CodeCard, lastWord } from "./ui/cards";
import { press } from "./ui/dom";
import { Ghost } from "./ui/ghost";
import { Host } from "./ui/host";
import { Marks, type MarksDeps } from "./ui/marks";
import { Typing } from "./ui/typing";
import { sayIn, type Language, type Say } from "./words";

const LAST_WORD_MS = 12_000;
/** So long after a no the same question of the same person is answered by that no; after so many of theirs, each of theirs. */
export const NO_MS = 120_000;
export const MOST_NOS = 3;

export interface PageActs {
  start(): void;
  pause(paused: boolean): void;
  stop(): void;
  take(): void;
  consent(viewer: string, scope: Scope, given: boolean, rules: string): void;
  proposal(accepted: boolean): void;
}

export class SharePage {
  readonly marks: Marks;
  private readonly host: Host;
  private readonly say: Say;
  private seen: SeenPart | null = null;
  private readonly ghost: Ghost;
  private bar: Bar | null = null;
  private view: BarView | null = null;
  private code: CodeCard | null = null;
  private ask: { card: AskCard; question: AskConsent } | null = null;
  private readonly asks: AskConsent[] = [];
  private last: HTMLElement | null = null;
  private lastTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly typing = new Typing();
  private readonly nos = new Map<string, number[]>();
  private launcher: HTMLButtonElement | null = null;
  private help: HTMLElement | null = null;
  private running = false;
  /** The bank's name in the page's language. */
  bank = "";

  /** `hatching`: what the agent sees, loaded when the customer asks for it. */
  constructor(
    readonly language: Language,
    private readonly hatching: (layer: HTMLElement) => Promise<SeenPart>,
    marks: Omit<MarksDeps, "layer">,
    private readonly acts: PageActs,
  ) {
    this.say = sayIn(language);
    this.host = new Host(language);
    this.host.onLost = () => void (this.view?.line === "watch" && this.acts.pause(true)); // who cannot press Stop is not shown
    this.marks = new Marks({ ...marks, layer: this.host.layer });
    this.ghost = new Ghost(this.host.root, this.say, (accepted) => this.acts.proposal(accepted), (text) => this.reach(text));
  }

  /** A button that begins it. */
  offer(label: string): void {
    this.launcher ??= press(label || this.say("button"), () => this.acts.start(), { class: "start" });
    this.settle();
  }

  /** A card of the third file. */
  card(element: HTMLElement | null): void {
    this.help = element;
    this.settle();
  }

  announce(text: string): void {
    this.host.say(text);
  }

  /** It need not be offered any more, until it has ended. */
  begun(): void {
    this.running = true;
    this.putAway();
    this.typing.start();
    this.settle();
  }

  /** Six digits to read, "" while they are on their way; null: not now. */
  showCode(code: string | null, seconds = 0): void {
    if (code === null) {
      this.code?.close();
      this.code = null;
    } else {
      const first = this.code === null;
      this.code ??= new CodeCard(this.say, () => this.acts.stop());
      this.code.show(code, seconds);
      this.settle();
      if (first && !this.typing.now) this.code.focus();
    }
    this.settle();
  }

  /** Null: there is nothing to say. */
  showBar(view: BarView | null): void {
    this.view = view;
    if (view === null || view.line === "elsewhere" || view.line === "attached") this.seen?.turn(false);
    if (view === null) {
      this.bar?.element.remove();
      this.bar = null;
    } else {
      this.bar ??= this.newBar();
      this.bar.show({ ...view, seen: this.seen?.on === true });
    }
    this.settle();
  }

  question(question: AskConsent): void {
    this.withdrawn(({ viewer, scope }) => viewer.id === question.viewer.id && scope === question.scope);
    if (this.isAnswered(question)) {
      this.acts.consent(question.viewer.id, question.scope, false, question.rules);
      return;
    }
    this.asks.push(question);
    this.next();
  }

  /** Questions of those who are gone, or all. */
  withdrawn(which: (question: AskConsent) => boolean): void {
    this.asks.splice(0, this.asks.length, ...this.asks.filter((one) => !which(one)));
    if (this.ask !== null && which(this.ask.question)) this.answered();
  }

  propose(proposal: Proposal | null): void {
    this.ghost.show(proposal);
    this.settle();
  }

  tell(viewer: Viewer, kind: Act["kind"], element: Element): void {
    if (kind === "propose") return;
    const words = this.say(`tell.${kind}`, { name: viewer.name || this.say("someone") });
    this.marks.tell(viewer, element, words);
    if (kind !== "scroll") this.host.say(words);
  }

  /** How it ended; "" without a word. */
  ended(code: string): void {
    this.running = false;
    this.typing.stop();
    this.nos.clear();
    this.withdrawn(() => true);
    this.showCode(null);
    this.showBar(null);
    this.ghost.show(null);
    this.marks.clear();
    this.putAway();
    if (code !== "") {
      const known = { unreachable: "bar.unreachable", invalid: "bar.refused", too_many: "bar.too_many", expired: "bar.expired" } as const;
      const text = this.say(code in known ? known[code as keyof typeof known] : "bar.ended");
      const close = (): void => {
        this.putAway();
        this.settle();
      };
      this.last = lastWord(this.say, text, close);
      this.lastTimer = setTimeout(close, LAST_WORD_MS);
      this.host.say(text);
    }
    this.settle();
  }

  /** The last word. */
  private putAway(): void {
    clearTimeout(this.lastTimer);
    this.last?.remove();
    this.last = null;
  }

  private newBar(): Bar {
    return new Bar(
      this.say,
      {
        pause: (paused) => this.acts.pause(paused),
        stop: () => this.acts.stop(),
        take: () => this.acts.take(),
        withdraw: (viewer, scope) => this.acts.consent(viewer.id, scope, false, ""),
        seen: (on) => void this.look(on),
      },
      (text) => this.host.say(text),
    );
  }

  private async look(on: boolean): Promise<void> {
    const made = await this.hatching(this.host.layer).catch(() => null);
    this.seen ??= made;
    this.seen?.turn(on);
    this.showBar(this.view); // which may be of none by now
  }

  /** To somebody who is at something else: what waits, and how to come to it. */
  private reach(text: string): void {
    this.host.say(`${text} ${this.say("reach")}`, true);
  }

  private next(): void {
    const question = this.ask === null ? this.asks.shift() : undefined;
    if (question === undefined) return;
    const card = new AskCard(this.say, this.bank, question, (given) => {
      if (given === false) this.declined(question);
      if (given !== null) this.acts.consent(question.viewer.id, question.scope, given, question.rules);
      this.answered();
    });
    this.ask = { card, question };
    this.settle();
    if (this.typing.now) this.reach(card.words);
    else card.focus();
  }

  private declined({ viewer, scope }: AskConsent): void {
    this.nos.set(`${viewer.id} ${scope}`, [...(this.nos.get(`${viewer.id} ${scope}`) ?? []), Date.now()]);
  }

  /** A no is not asked away. */
  private isAnswered({ viewer, scope }: AskConsent): boolean {
    const last = this.nos.get(`${viewer.id} ${scope}`)?.at(-1);
    const all = [...this.nos].filter(([key]) => key.startsWith(`${viewer.id} `)).flatMap(([, times]) => times);
    return all.length >= MOST_NOS || (last !== undefined && Date.now() - last < NO_MS);
  }

  private answered(): void {
    this.ask?.card.close();
    this.ask = null;
    this.settle();
    this.next();
  }

  /** What stands at the edge, in this order; what is not there any more is taken away without moving what stays. */
  private settle(): void {
    const idle = !this.running && this.last === null;
    const wanted = [this.ask?.card.element, this.help, this.code?.element, this.bar?.element, this.last, idle ? this.launcher : null].filter((one) => one !== null && one !== undefined);
    if (wanted.length === 0) {
      this.host.hide();
      return;
    }
    this.host.show();
    for (const one of [...this.host.panel.children]) if (!wanted.includes(one as HTMLElement)) one.remove();
    wanted.forEach((one, index) => {
      if (this.host.panel.children[index] !== one) this.host.panel.insertBefore(one, this.host.panel.children[index] ?? null);
    });
  }
}
