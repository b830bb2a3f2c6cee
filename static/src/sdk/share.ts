/** One customer's share in one document: from the greeting to the end. What may happen is decided by the server; what of it happens here, by this and `Acts`. */
import type { AskCall, Scope, ShareState, TabHello, TabState, TabWelcome, ToTab, Viewer } from "../cobrowse.gen";
import { Acts } from "./acts";
import { Capture } from "./capture";
import type { CallPart, HelpFile } from "./help/parts";
import type { Journey } from "./journey";
import type { Keeping } from "./keeping";
import { Link } from "./link";
import { Masking } from "./masking";
import { SharePage } from "./page";
import type { Record_ } from "./recording";
import { Rules } from "./rules";
import type { Line } from "./ui/bar";
import { clean } from "./clean";
import type { ToServer } from "./wire";
import { Wishes } from "./wishes";
import type { Language } from "./words";

/** For the bank's page. `off`: nothing is shared. `offered`: a code can be read. `paused`: by the customer. */
export type Shown = "off" | "offered" | "attached" | "sharing" | "paused";
const CONTROL: ReadonlySet<Scope> = new Set<Scope>(["scroll", "fill", "click"]);
const named = (viewer: Viewer): Viewer => ({ ...viewer, name: clean(viewer.name) });
const SHOWN: Readonly<Record<ShareState, Shown>> = { idle: "offered", attached: "attached", sharing: "sharing", paused: "paused", ended: "off" };

export interface ShareDeps {
  site: string;
  url: string;
  language: Language;
  keeping: Keeping;
  journey: Journey;
  load(): Promise<Record_>;
  help(): Promise<HelpFile>;
  customer(): string;
  changed(shown: Shown): void;
  socket?: (url: string) => WebSocket;
}

export class Share {
  readonly page: SharePage;
  private readonly masking = new Masking();
  private readonly capture: Capture;
  private readonly acts: Acts;
  private rules = new Rules([]);
  private link: Link | null = null;
  private number = 0;
  /** As the server says; `state`: as the customer wants it, where that is less. */
  private said: TabState | null = null;
  private state: TabState | null = null;
  private wishes = new Wishes();
  /** A picture was wanted while the customer did not want it. */
  private owed = false;
  private cut = false;
  private told: Shown = "off";
  private fronted = false;
  private call: CallPart | null = null;
  private readonly onFront = (): void => {
    if (document.visibilityState === "visible" && this.state?.front === false) this.send({ type: "tab.front" });
  };

  constructor(private readonly deps: ShareDeps) {
    const viewer = (id: string): Viewer | null => (this.live ? (this.state?.viewers.find((one) => one.id === id) ?? null) : null);
    const node = (id: number): Node | null => this.capture.node(id);
    this.capture = new Capture({
      load: deps.load,
      masking: this.masking,
      rules: () => this.rules,
      page: () => this.number,
      send: (message) => this.send(message),
      waiting: () => this.link?.waiting ?? 0,
      drawn: () => deps.journey.tell(),
      failed: () => this.stop("unreachable"),
      address: () => location.href,
    });
    deps.journey.number = (field) => {
      this.masking.forget();
      return this.masking.mayName(field) ? this.capture.number(field) : 0;
    };
    this.acts = new Acts({
      masking: this.masking,
      page: () => this.number,
      node,
      viewer,
      live: () => this.live && this.capture.recording,
      done: (act, outcome) => void this.send({ type: "tab.done", act, outcome }),
      tell: (who, kind, element) => this.page.tell(who, kind, element),
      propose: (proposal) => this.page.propose(proposal),
    });
    this.page = new SharePage(deps.language, async (layer) => (await deps.help()).seen(layer, this.masking, () => this.hidden), { node, viewer, page: () => this.number }, {
      start: () => this.start(),
      pause: (paused) => this.pause(paused),
      stop: () => this.stop(""),
      take: () => this.take(),
      consent: (who, scope, given, rules) => this.consent(who, scope, given, rules),
      proposal: (accepted) => this.acts.answer(accepted),
    });
  }

  get running(): boolean {
    return this.link !== null;
  }

  /** Begins a share, or comes back to the one that is kept. */
  start(): void {
    if (this.link !== null) return;
    const { keeping } = this.deps;
    this.number = keeping.nextPage();
    this.wishes = new Wishes((text) => void (keeping.wishes = text), keeping.token === "" ? "" : keeping.wishes);
    this.masking.begin(this.rules.page(location.href));
    this.page.begun();
    if (keeping.token === "") this.page.showCode("");
    const hello = (): TabHello => ({ type: "tab.hello", site: this.deps.site, token: keeping.token, tab: keeping.tab, page: this.number, customer: this.deps.customer() });
    this.link = new Link(this.deps.url, hello, { greeted: () => this.greeted(), message: (message) => this.took(message), cut: () => this.lost(), over: (code) => this.over(code) }, this.deps.socket);
    addEventListener("focus", this.onFront);
    document.addEventListener("visibilitychange", this.onFront);
    this.acts.start();
    this.link.start();
  }

  /** By a share that was made for this tab. */
  join(token: string): void {
    const { keeping } = this.deps;
    if (this.link !== null) return;
    keeping.keep({ token, page: keeping.lastPage, customer: keeping.customer || this.deps.customer() });
    this.start();
  }

  /** For good; `word` says to the customer why, "" for nothing but that it has ended. */
  stop(word = ""): void {
    if (this.link === null) return;
    const { link } = this;
    this.link = null;
    link.part({ type: "tab.stop" });
    this.over(word === "" ? "ended" : word);
  }

  /** Who the page says it is. Another than it was at the beginning: the share is not theirs, and ends. */
  identified(customer: string): void {
    const { keeping } = this.deps;
    if (keeping.customer === "" || keeping.customer === customer) {
      keeping.customer = customer;
      return;
    }
    this.start(); // to tell the server
    this.stop();
  }

  /** Another document of this site ended it. */
  overElsewhere(): void {
    if (this.link !== null) this.over("ended");
  }

  send(message: ToServer): boolean {
    return this.link?.send(message) ?? false;
  }

  get attached(): boolean {
    return this.state !== null && this.state.state !== "idle" && this.state.state !== "ended";
  }

  private get live(): boolean {
    const { state } = this;
    return !this.cut && state !== null && state.state === "sharing" && state.front && !state.hidden;
  }

  private get hidden(): boolean {
    return this.state?.hidden === true || this.masking.page.pause;
  }

  private took(message: ToTab): void {
    switch (message.type) {
      case "tab.welcome":
        this.welcome(message);
        break;
      case "tab.state":
        this.cut = false;
        this.wishes.heard(message);
        this.changed({ ...message, viewers: message.viewers.map(named) });
        break;
      case "consent.ask":
        this.page.question({ ...message, viewer: named(message.viewer) });
        break;
      case "picture.want":
        this.owed = this.wishes.open && !this.watched;
        if (!this.owed) this.capture.want();
        this.show();
        break;
      case "asset.need":
        this.capture.images?.need(message);
        break;
      case "call.ask":
        this.called(message);
        break;
      case "call.link":
        this.call?.link(message.link);
        break;
      case "pointer":
        this.page.marks.point(message);
        break;
      case "mark":
        this.page.marks.mark(message);
        break;
      case "unmark":
        this.page.marks.unmark(message);
        break;
      case "act":
        this.acts.take(message);
        break;
      default:
        break;
    }
  }

  /** Somebody wants to talk: what that needs is loaded by then only. */
  private called(ask: AskCall): void {
    const { language, help } = this.deps;
    const { page } = this;
    const viewer = named(ask.viewer);
    const answer = (given: boolean): void => void this.send({ type: "tab.call", viewer: viewer.id, given });
    void help().then(
      (file) => {
        if (!this.attached) return;
        this.hangUp();
        this.call = file.call({ language, viewer, bank: page.bank, seconds: ask.seconds, answer, card: (element) => page.card(element), announce: (text) => page.announce(text) });
      },
      () => undefined,
    );
  }

  private hangUp(): void {
    this.call?.close();
    this.call = null;
  }

  private welcome(welcome: TabWelcome): void {
    this.capture.reset();
    this.fronted = false;
    this.cut = false;
    this.rules = new Rules(welcome.pages);
    this.masking.begin(this.rules.page(location.href));
    this.page.bank = this.deps.language === "zh" ? welcome.bank_zh : welcome.bank_en;
    this.deps.keeping.keep({ token: welcome.token, page: this.number, customer: this.deps.keeping.customer || this.deps.customer() });
  }

  /** What is not the server's to say yet comes first. */
  private greeted(): void {
    for (const one of this.wishes.messages) this.send(one);
  }

  private get watched(): boolean {
    const { state } = this;
    return state !== null && state.state === "sharing" && state.front && state.viewers.some(({ granted }) => granted.includes("view"));
  }

  private changed(told: TabState): void {
    this.said = told;
    const state = (this.state = this.wishes.upon(told));
    if (!this.watched) this.capture.stop();
    else if (state.hidden) this.capture.hush();
    if (this.owed && this.watched) this.capture.want();
    if (this.watched || !this.wishes.open) this.owed = false;
    this.acts.changed();
    this.page.marks.changed();
    if (!this.live) this.page.marks.clear();
    this.page.withdrawn(({ viewer }) => state.state === "ended" || !state.front || state.viewers.every(({ id }) => id !== viewer.id));
    if (!state.front && !this.fronted && document.visibilityState === "visible") this.send({ type: "tab.front" });
    this.fronted = true;
    this.deps.journey.watch(this.live && this.watched);
    this.show();
    this.tellBank(SHOWN[state.state]);
  }

  private show(): void {
    const { state } = this;
    if (state === null) return;
    this.page.showCode(state.state === "idle" && state.front ? state.code : null, state.code_s);
    if (state.state === "idle") {
      this.page.showBar(null);
      return;
    }
    const viewers = state.viewers.filter(({ granted }) => granted.length > 0);
    this.page.showBar({ line: this.line(state, viewers.length > 0), viewers, paused: state.state === "paused", seen: false, nothing: this.hidden });
  }

  private line(state: TabState, watched: boolean): Line {
    if (this.cut) return state.state === "paused" ? "paused" : "cut";
    if (!state.front) return "elsewhere";
    if (state.state === "paused") return "paused";
    if (!watched || state.state !== "sharing") return "attached";
    return this.hidden ? "hidden" : "watch";
  }

  private consent(viewer: string, scope: Scope, given: boolean, rules: string): void {
    const named = given ? rules : rules || (this.state?.rules ?? "");
    this.send({ type: "tab.consent", viewer, scope, given, rules: named });
    if (given) this.wishes.give(viewer, scope);
    else if (this.state?.viewers.some((one) => one.id === viewer && one.granted.includes(scope))) this.wishes.take(viewer, scope, named);
    this.again();
  }

  private take(): void {
    this.send({ type: "tab.take" });
    this.acts.answer(false);
    for (const { id, granted } of this.state?.viewers ?? [])
      for (const scope of granted) if (CONTROL.has(scope)) this.wishes.take(id, scope, this.state!.rules);
    this.again();
  }

  /** Paused at once; going on is the server's to say. */
  private pause(paused: boolean): void {
    this.send({ type: "tab.pause", paused });
    this.wishes.pause(paused);
    if (paused) this.again();
  }

  /** At once, not when the server says so. */
  private again(): void {
    if (this.said !== null) this.changed(this.said);
  }

  private lost(): void {
    this.cut = true;
    this.owed = false;
    this.capture.reset();
    this.deps.journey.watch(false);
    this.acts.changed();
    this.page.marks.clear();
    this.page.withdrawn(() => true);
    this.hangUp();
    this.show();
  }

  /** `replaced`, or too many tabs: this document is out, the share goes on in others. */
  private over(code: string): void {
    const alone = code === "replaced" || (code === "too_many" && this.deps.keeping.token !== "");
    const word = code === "expired" && this.state?.state !== "idle" ? "ended" : code;
    this.link?.close();
    this.link = null;
    this.capture.reset();
    this.acts.stop();
    this.state = this.said = null;
    this.owed = false;
    if (!alone) this.wishes.clear();
    this.cut = false;
    this.deps.journey.watch(false);
    if (!alone) this.deps.keeping.over();
    removeEventListener("focus", this.onFront);
    document.removeEventListener("visibilitychange", this.onFront);
    this.hangUp();
    this.page.ended(alone ? "" : word);
    this.tellBank("off");
  }

  private tellBank(shown: Shown): void {
    if (shown === this.told) return;
    this.told = shown;
    this.deps.changed(shown);
  }
}
