/** The pictures: one large with a strip of the rest, or all the same size. */
import { useRef } from "preact/hooks";
import { t } from "../../i18n";
import type { ParticipantId, ParticipantView } from "../../protocol.gen";
import { succession } from "./Handover";
import { OnHold } from "./OnHold";
import { SelfPicture, SelfView } from "./SelfView";
import { Tile } from "./Tile";
import { remoteOf, screenOf, useCall } from "./ui";
import type { CallUi } from "./ui";

interface Shown {
  key: string;
  person: ParticipantView;
  screen: boolean;
}

/** Screens first, then people in the order they came. Who hands over and who takes over are not shown beside each other. */
function pictures(ui: CallUi, others: readonly ParticipantView[]): Shown[] {
  const passing = succession(ui.call);
  const hidden = passing && (passing.shown === passing.to ? passing.from : passing.to);
  const present = others.filter((person) => person.state !== "left" && !person.listens && person.id !== hidden); // who listens has no picture
  return [
    ...present.filter((person) => screenOf(ui, person) !== "none").map((person) => ({ key: `${person.id}-screen`, person, screen: true })),
    // Whoever takes over does so in the same picture: it must not be taken down and put up again.
    ...present.map((person) => ({ key: remoteOf(ui.call, person.id, "camera")?.stream.id ?? person.id, person, screen: false })),
  ];
}

/** Who is large: a screen, else whoever spoke last, else the agent (for a customer) or the customer. Whoever is on hold is small for
 *  as long as anybody is not: in a private talk the colleague is large. */
function useMain(ui: CallUi, all: readonly Shown[]): Shown | undefined {
  const heard = all.filter((item) => !item.person.on_hold);
  const shown = heard.length > 0 ? heard : all;
  const last = useRef<ParticipantId | null>(null);
  const screen = shown.find((item) => item.screen);
  const speakers = [...ui.call.speaking.value];
  const passing = succession(ui.call);
  if (passing && (last.current === passing.from || last.current === passing.to)) last.current = passing.shown;
  const speaker = shown.find((item) => !item.screen && speakers.includes(item.person.id) && !speakers.includes(last.current ?? ""));
  if (speaker) last.current = speaker.person.id;
  const now = ui.call.people.handover.value;
  const talk = now?.from === ui.call.me.value?.id ? now?.to : now?.from; // with whom one is handing over
  const wanted = ui.variant === "customer" ? "agent" : "customer";
  return (
    screen ??
    shown.find((item) => item.person.id === last.current) ??
    shown.find((item) => item.person.role === wanted) ??
    shown.find((item) => item.person.id === talk) ??
    shown[0]
  );
}

/** Everybody, small, beside something else that is large. */
export function PictureStrip() {
  const ui = useCall();
  const shown = pictures(ui, ui.call.others.value);
  if (shown.length === 0) return null;
  return (
    <div class="strip" role="group" tabIndex={0} aria-label={t("stage.strip")}>
      {shown.map((item) => (
        <Tile key={item.key} person={item.person} screen={item.screen} />
      ))}
    </div>
  );
}

export function Stage() {
  const ui = useCall();
  const { call } = ui;
  const shown = pictures(ui, call.others.value);
  const main = useMain(ui, shown);
  const met = useRef(false); // whether somebody has been here
  if (main) met.current = true;
  const rest = shown.filter((item) => item !== main);
  if (call.me.value?.on_hold) {
    return (
      <section class="stage" aria-label={t("stage.label")}>
        <OnHold />
      </section>
    );
  }
  const grid = ui.layout.value === "grid" && shown.length > 1;
  return (
    <section class="stage" aria-label={t("stage.label")}>
      {!main ? (
        <div class="stage-empty">
          <p>{t(ui.variant !== "customer" ? "stage.nobody" : met.current ? "stage.left.customer" : "stage.nobody.customer")}</p>
          <SelfView />
        </div>
      ) : grid ? (
        <div class={`tiles n${Math.min(shown.length + 1, 12)}`}>
          {shown.map((item) => (
            <Tile key={item.key} person={item.person} screen={item.screen} />
          ))}
          <figure class="tile">
            <SelfPicture />
          </figure>
        </div>
      ) : (
        <>
          <div class="stage-main">
            <Tile key={main.key} person={main.person} screen={main.screen} main videoRef={ui.mainVideo} />
            <SelfView />
          </div>
          {rest.length > 0 && (
            <div class="strip" role="group" tabIndex={0} aria-label={t("stage.strip")}>
              {rest.map((item) => (
                <Tile key={item.key} person={item.person} screen={item.screen} />
              ))}
            </div>
          )}
        </>
      )}
    </section>
  );
}
