/** What colleagues offer this desk: who, why, how long there is to answer, what accepting switches on. */
import { Check, Mic, MicOff, Video as VideoIcon, VideoOff, X } from "lucide-preact";
import { useSignal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Call, Desk, Offer } from "../../core/model";
import { counted, t } from "../../i18n";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { useNow } from "../../ui/clock";
import { WORDING } from "../../ui/ConsentCard";
import { Notice } from "../../ui/controls";
import { shortcuts } from "../../ui/prefs";
import { asProblem, problemText } from "../../ui/problems";
import { playTone } from "../../ui/tones";
import { give } from "../session/ui";

const RADIUS = 20;
const AROUND = 2 * Math.PI * RADIUS;

/** How much of the time is left: a ring that runs down in steps of a second, with the seconds in it. */
export function Ring({ offer, now }: { offer: Offer; now: number }) {
  const left = Math.max(0, offer.untilMs - now);
  const share = Math.min(1, left / Math.max(1, offer.untilMs - offer.fromMs));
  const seconds = Math.ceil(left / 1000);
  return (
    <svg class="ring" viewBox="0 0 48 48" width={48} height={48} role="img" aria-label={counted("offer.left", seconds)}>
      <circle class="ring-all" cx={24} cy={24} r={RADIUS} />
      <circle class="ring-left" cx={24} cy={24} r={RADIUS} stroke-dasharray={`${(share * AROUND).toFixed(2)} ${AROUND.toFixed(2)}`} transform="rotate(-90 24 24)" />
      <text x={24} y={25} text-anchor="middle" dominant-baseline="central">
        {seconds}
      </text>
    </svg>
  );
}

export interface OfferCardProps {
  offer: Offer;
  now: number;
  busy: boolean;
  /** Somebody who is in a conversation leaves it by accepting. */
  inCall: boolean;
  /** The keys are for this one. */
  first: boolean;
  shares: Signal<Shares>;
  onAccept: () => void;
  onDecline: () => void;
}

/** What is switched on with accepting: pressing that button is the consent to those. */
export interface Shares {
  microphone: boolean;
  camera: boolean;
}

const SHARES = [
  ["microphone", Mic, MicOff],
  ["camera", VideoIcon, VideoOff],
] as const;

export function OfferCard(props: OfferCardProps) {
  const { offer } = props;
  const shares = props.shares.value;
  const { session } = offer;
  const from = offer.fromName || t("role.agent");
  const title = t(offer.lost ? "offer.lost.title" : "offer.title", { name: from });
  return (
    <section class="offer card stack tight" aria-label={title}>
      <div class="row">
        <h2 class="grow">{title}</h2>
        <Ring offer={offer} now={props.now} />
      </div>
      <div>
        <strong dir="auto">{session.customer_name || t("waiting.nameless")}</strong>
        <p class="task-reason" dir="auto">
          {session.reason || t("waiting.no_reason")}
        </p>
        <span class="chip">{t(`language.${session.language}`)}</span>
      </div>
      <p>{offer.lost ? t("offer.lost.text") : t(offer.warm ? "offer.warm" : "offer.cold", { name: from })}</p>
      {offer.note && (
        <blockquote class="offer-note">
          <span class="small soft">{t("offer.note")}</span>
          <p class="prose" dir="auto">
            {offer.note}
          </p>
        </blockquote>
      )}
      <div class="row wrap offer-shares" role="group" aria-label={t("offer.shares")}>
        <p class="small soft">{t("offer.shares")}</p>
        {SHARES.map(([source, On, Off]) => (
          <Button
            key={source}
            look="plain"
            icon={shares[source] ? On : Off}
            pressed={shares[source]}
            onClick={() => {
              props.shares.value = { ...shares, [source]: !shares[source] };
            }}
          >
            {t(`source.${source}.short`)}
          </Button>
        ))}
      </div>
      {props.inCall && <p class="small">{t("offer.leaves")}</p>}
      <div class="pair">
        <Button icon={X} onClick={props.onDecline} disabled={props.busy}>
          {t("offer.decline")}
        </Button>
        <Button icon={Check} look="primary" busy={props.busy} onClick={props.onAccept}>
          {t("offer.accept")}
        </Button>
      </div>
      {props.first && shortcuts.value && !props.inCall && <p class="small soft offer-keys">{t("offer.keys")}</p>}
    </section>
  );
}

/** Keys answer only where nothing else could be meant by them: with nothing written, chosen or asked. */
function useAnswerKeys(on: boolean, accept: () => void, decline: () => void): void {
  const current = useRef({ accept, decline });
  current.current = { accept, decline };
  useEffect(() => {
    if (!on) return;
    const press = (event: KeyboardEvent) => {
      if (!shortcuts.value || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      const target = document.activeElement;
      const elsewhere = target !== null && target !== document.body && !(target instanceof HTMLElement && target.closest(".offers"));
      if (elsewhere || document.querySelector("[role=dialog], [role=alertdialog]")) return;
      if (event.key === "Enter" && !(target instanceof HTMLButtonElement)) current.current.accept();
      else if (event.key === "Escape") current.current.decline();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [on]);
}

/** Told once of each, by voice and tone. */
function useOfferSounds(offers: readonly Offer[]): void {
  const before = useRef(new Set<string>());
  useEffect(() => {
    const fresh = offers.find(({ session }) => !before.current.has(session.id));
    before.current = new Set(offers.map(({ session }) => session.id));
    if (!fresh) return;
    announce(t(fresh.lost ? "said.offer.lost" : "said.offer", { name: fresh.fromName || t("role.agent"), customer: fresh.session.customer_name || t("waiting.nameless") }));
    playTone("ask");
  }, [offers]);
}

/** `onTaken`: before the place is entered, for whoever must know that the devices were asked about here. */
export function HandoverOffers(props: { desk: Desk; inCall: boolean; onTaken: (call: Call) => void }) {
  const { desk } = props;
  const now = useNow();
  const busy = useSignal<string | null>(null);
  const error = useSignal<string | null>(null);
  const shares = useSignal<Shares>({ microphone: true, camera: true });
  const offers = desk.offers.value;
  const first = offers[0];
  useOfferSounds(offers);
  const accept = async (offer: Offer) => {
    if (busy.value !== null) return;
    busy.value = offer.session.id;
    error.value = null;
    try {
      const call = await desk.acceptOffer(offer.session.id);
      props.onTaken(call);
      // Accepting said so: the customer sees the new face at once, without a question in between.
      for (const scope of ["microphone", "camera"] as const) {
        if (shares.value[scope]) give(call, scope);
        else call.decide(scope, "refused", WORDING[scope]);
      }
    } catch (problem) {
      const { code, ...rest } = asProblem(problem);
      error.value = code === "gone" || code === "conflict" || code === "not_found" ? t("offer.gone") : problemText({ code, ...rest });
    } finally {
      busy.value = null;
    }
  };
  const decline = (offer: Offer) => {
    error.value = null;
    desk.declineOffer(offer.session.id);
  };
  useAnswerKeys(first !== undefined && !props.inCall, () => first && void accept(first), () => first && decline(first));
  if (offers.length === 0 && error.value === null) return null;
  return (
    <aside class="offers" aria-label={t("offers.label")}>
      {error.value && (
        <Notice kind="bad" action={<Button onClick={() => (error.value = null)}>{t("understood")}</Button>}>
          {error.value}
        </Notice>
      )}
      {offers.map((offer) => (
        <OfferCard
          key={offer.session.id}
          offer={offer}
          now={now}
          busy={busy.value === offer.session.id}
          inCall={props.inCall}
          first={offer === first}
          shares={shares}
          onAccept={() => void accept(offer)}
          onDecline={() => decline(offer)}
        />
      ))}
    </aside>
  );
}
