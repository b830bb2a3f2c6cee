/** Somebody who looks wants to talk: the conversation opens in a window of its own, by a link that is made once the customer has said yes. */
import { el } from "../ui/dom";
import { calm, nameOf } from "./card";
import type { CallDeps, CallPart } from "./parts";
import { wordsIn } from "./words";

const WAIT_MS = 15_000;

export class CallCard implements CallPart {
  private readonly say;
  private opened: Window | null = null;
  private timer: ReturnType<typeof setTimeout>;

  constructor(private readonly deps: CallDeps) {
    const say = (this.say = wordsIn(deps.language));
    const name = nameOf(deps.viewer.name, say("someone"));
    const title = say("call.title", { who: say("of", { name, bank: deps.bank || say("the_bank") }) });
    this.timer = setTimeout(() => this.close(), deps.seconds * 1000);
    deps.card(calm(title, [name], [say("call.text")], [{ words: say("call.no"), run: () => this.answer(false) }, { words: say("call.yes"), run: () => this.answer(true) }]));
    deps.announce(`${title} ${say("reach")}`);
  }

  /** Where the customer's own press opened a window, it goes there; else a link stands here. */
  link(url: string): void {
    clearTimeout(this.timer);
    if (!/^https?:\/\//.test(url)) {
      this.failed();
      return;
    }
    if (this.opened !== null && !this.opened.closed) {
      this.opened.location.replace(url);
      this.opened = null;
      this.close();
      return;
    }
    const link = el("a", { href: url, target: "_blank", rel: "noopener noreferrer", class: "link", click: () => this.close() }, this.say("call.open"));
    this.deps.card(calm(this.say("call.open"), [], [this.say("call.blocked"), link], [{ words: this.say("close"), run: () => this.close() }], "row"));
    this.deps.announce(this.say("call.blocked"));
  }

  close(): void {
    clearTimeout(this.timer);
    this.opened?.close(); // nothing came of it
    this.opened = null;
    this.deps.card(null);
  }

  private answer(given: boolean): void {
    clearTimeout(this.timer);
    this.deps.answer(given);
    if (!given) {
      this.close();
      return;
    }
    this.opened = window.open("about:blank", "_blank");
    if (this.opened !== null) this.opened.opener = null; // the conversation knows nothing of this page
    this.deps.card(calm(this.say("call.wait"), [], [], []));
    this.timer = setTimeout(() => this.failed(), WAIT_MS);
  }

  private failed(): void {
    this.opened?.close();
    this.opened = null;
    this.deps.card(calm(this.say("call.failed"), [], [], [{ words: this.say("close"), run: () => this.close() }], "row"));
  }
}
