/** The file that a bank's page loads: reads its own script tag, offers `Tongping`, and comes back to a share that this tab is in. */
import type { SiteAt } from "../cobrowse.gen";
import { Journey } from "./journey";
import { Keeping } from "./keeping";
import type { HelpFile, PresencePart } from "./help/parts";
import { helpFrom, recorderFrom } from "./recording";
import { Share, type Shown } from "./share";
import { languageOf } from "./words";

export interface TongpingApi {
  /** Begins: the customer is shown a code to read to the agent. Nobody sees anything by that. */
  start(): void;
  /** Ends it for good. */
  stop(): void;
  /** Calls back at once and whenever it changes; answers with a function that ends this. */
  onState(fn: (state: Shown) => void): () => void;
  /** What the bank's own page says who this is: shown to who may look, as a claim. */
  identify(who: { customer: string }): void;
  /** What the bank calls the step that the customer is at. */
  journey(step: string): void;
}

const SITE = /^pk_[A-Za-z0-9_-]{1,60}$/;
const MAX_CUSTOMER = 200;

export function begin(script: HTMLScriptElement): TongpingApi | null {
  const { site = "", language, button, presence } = script.dataset;
  if (!SITE.test(site)) {
    console.error('tongping.js: data-site="pk_…" is missing');
    return null;
  }
  const url = new URL("/api/v1/cobrowse/tab", script.src);
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  let shown: Shown = "off";
  let customer = "";
  let here: PresencePart | null = null;
  const heard = new Set<(state: Shown) => void>();
  const help = helpFrom({ src: script.src, nonce: script.nonce });
  const keeping = new Keeping(site, storage(), channel(site));
  const journey = new Journey((message) => void share.send(message));
  const share = new Share({
    site,
    url: url.href,
    language: languageOf(language),
    keeping,
    journey,
    help,
    load: recorderFrom({ src: script.src, nonce: script.nonce }),
    customer: () => customer,
    changed: (now) => {
      shown = now;
      if (now === "off") here?.start();
      else here?.stop();
      for (const fn of [...heard]) call(fn, now);
    },
  });
  keeping.onShare = () => void (window.top === window && share.start());
  keeping.onOver = () => share.overElsewhere();
  addEventListener("pagehide", () => keeping.leave());
  addEventListener("pageshow", (event) => void (event.persisted && keeping.back()));
  const present = (file: HelpFile): void => {
    const at = (): Omit<SiteAt, "type"> => ({ url: location.origin + location.pathname, ...journey.now });
    here = file.presence({
      site,
      url: url.href.replace(/tab$/, "site"),
      visitor: keeping.visitor,
      language: share.page.language,
      at,
      accepted: (token) => share.join(token),
      card: (element) => share.page.card(element),
      announce: (text) => share.page.announce(text),
    });
    journey.moved = () => here?.moved();
    if (!share.running) here.start();
  };
  const framed = window.top !== window; // the outermost page shares, with what stands in it
  const start = (): void => {
    if (framed) console.error("tongping.js: a page in a frame is not shared by itself");
    else share.start();
  };
  const ready = (): void => {
    if (framed) return;
    if (button !== undefined) share.page.offer(button);
    if (keeping.token !== "") share.start();
    else keeping.ask();
    if (presence !== undefined) void help().then(present, () => undefined);
  };
  if (document.body === null) document.addEventListener("DOMContentLoaded", ready, { once: true });
  else ready();
  return Object.freeze({
    start,
    stop: () => share.stop(),
    onState: (fn: (state: Shown) => void) => {
      if (typeof fn !== "function") throw new TypeError("Tongping.onState: a function");
      heard.add(fn);
      call(fn, shown);
      return () => void heard.delete(fn);
    },
    identify: (who: { customer: string }) => {
      if (typeof who?.customer !== "string") throw new TypeError("Tongping.identify: { customer: a text }");
      customer = who.customer.slice(0, MAX_CUSTOMER);
      if (!framed) share.identified(customer);
    },
    journey: (step: string) => journey.at(step),
  });
}

function call(fn: (state: Shown) => void, state: Shown): void {
  try {
    fn(state);
  } catch (error) {
    console.error(error);
  }
}

function storage(): Storage | null {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}

function channel(site: string): BroadcastChannel | null {
  return typeof BroadcastChannel === "function" ? new BroadcastChannel(`tongping:${site}`) : null;
}
