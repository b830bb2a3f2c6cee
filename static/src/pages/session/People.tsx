/** Who is here, how well their line holds, what they share; remove for those who may. */
import { Camera, CameraOff, CirclePause, CirclePlay, IdCard, Mic, MicOff, MonitorUp, UserMinus } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import { counted, t } from "../../i18n";
import type { ParticipantView, Source } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Avatar } from "../../ui/controls";
import { limitWords, ownQuality, personName, roleBeside } from "../../ui/words";
import { Gates } from "./Gates";
import { QualityMark } from "./Quality";
import { canChangeRole } from "./RoleDialog";
import { isShown, trackOf, useCall } from "./ui";

const SOURCES: readonly [Source, LucideIcon, LucideIcon][] = [
  ["microphone", Mic, MicOff],
  ["camera", Camera, CameraOff],
  ["screen", MonitorUp, MonitorUp],
];

function state(person: ParticipantView, source: Source): "on" | "off" | "held" {
  if (source === "microphone" && person.muted) return "off";
  if (isShown(person, source)) return "on";
  return trackOf(person, source)?.on ? "held" : "off"; // sent, but no consent on record: held back at the relay
}

export function Person({ person, self = false }: { person: ParticipantView; self?: boolean }) {
  const ui = useCall();
  const network = self ? ui.call.network.value : null;
  const reported = ui.call.quality.value.get(person.id);
  const quality = reported && ownQuality(reported, network);
  const name = personName(person);
  return (
    <li class="person">
      <Avatar name={name} />
      <div class="grow">
        <div class="person-name">
          <bdi>{name}</bdi> {self && <span class="soft">({t("you")})</span>}
        </div>
        <div class="small soft row wrap">
          {roleBeside(person) && <span>{roleBeside(person)}</span>}
          {person.state === "disconnected" ? <span class="chip warn">{t("tile.lost")}</span> : quality && <QualityMark info={quality} network={network} words />}
        </div>
        {quality && person.state !== "disconnected" && (self || quality.level !== "good") && (
          <p class="small">{self ? (limitWords(network) ?? t(`network.${quality.level}`)) : t(`quality.other.${quality.level === "poor" ? "poor" : "fair"}`)}</p>
        )}
        {network !== null && network.held > 0 && <p class="small">{counted("network.held", network.held)}</p>}
        {(person.on_hold || person.muted || person.listens) && (
          <div class="row wrap">
            {person.listens && <span class="chip">{t("people.listens")}</span>}
            {person.on_hold && <span class="chip warn">{t("people.on-hold")}</span>}
            {person.muted && <span class="chip warn">{t("people.muted")}</span>}
          </div>
        )}
        <ul class="person-sources" aria-label={t("people.shares")}>
          {SOURCES.map(([source, On, Off]) => {
            const now = state(person, source);
            if (source === "screen" && now === "off") return null;
            const Icon = now === "on" ? On : Off;
            return (
              <li key={source} class={`chip${now === "on" ? " live" : ""}`}>
                <Icon size={16} strokeWidth={1.75} aria-hidden />
                {t(`people.${now}`, { source: t(`source.${source}.short`) })}
              </li>
            );
          })}
        </ul>
      </div>
      {!self && <Tools person={person} name={name} />}
    </li>
  );
}

/** What somebody who leads may do about somebody else. */
function Tools({ person, name }: { person: ParticipantView; name: string }) {
  const ui = useCall();
  const grants = ui.call.grants.value;
  return (
    <div class="row wrap person-tools">
      {grants.has("participant.mute") && (
        <Button
          icon={person.muted ? Mic : MicOff}
          look="plain"
          label={t(person.muted ? "mute.lift" : "mute.label", { name })}
          onClick={() => ui.call.mute(person.id, !person.muted)}
        >
          {t(person.muted ? "mute.lift.short" : "mute.short")}
        </Button>
      )}
      {grants.has("participant.hold") && (
        <Button
          icon={person.on_hold ? CirclePlay : CirclePause}
          look="plain"
          label={t(person.on_hold ? "hold.lift" : "hold.label", { name })}
          onClick={() => ui.call.hold(person.id, !person.on_hold)}
        >
          {t(person.on_hold ? "hold.lift.short" : "hold.short")}
        </Button>
      )}
      {canChangeRole(ui, person) && (
        <Button
          icon={IdCard}
          look="plain"
          label={t("role.change.label", { name })}
          onClick={() => {
            ui.open.value = { kind: "role", person };
          }}
        >
          {t("role.change")}
        </Button>
      )}
      {grants.has("participant.remove") && (
        <Button
          icon={UserMinus}
          look="danger-plain"
          label={t("remove.label", { name })}
          onClick={() => {
            ui.open.value = { kind: "remove", person };
          }}
        >
          {t("remove.short")}
        </Button>
      )}
    </div>
  );
}

export function People() {
  const { call } = useCall();
  const me = call.me.value;
  return (
    <>
      <Gates />
      <ul class="people">
        {me && <Person person={me} self />}
        {call.others.value
          .filter((person) => person.state !== "left")
          .map((person) => (
            <Person key={person.id} person={person} />
          ))}
      </ul>
    </>
  );
}
