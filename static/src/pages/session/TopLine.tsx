/** The permanent line: who is here, what you share, and Stop next to it. */
import { Camera, CirclePause, CirclePlay, CircleStop, Lock, MicOff, MonitorUp, ShieldCheck, Users } from "lucide-preact";
import { t } from "../../i18n";
import { Button } from "../../ui/Button";
import { Video } from "../../ui/Video";
import { ownQuality, personName, roleBeside } from "../../ui/words";
import { WaitsBadge } from "./Gates";
import { QualityMark } from "./Quality";
import { isOn, screenOf, togglePanel, useCall } from "./ui";

export function TopLine() {
  const ui = useCall();
  const { call } = ui;
  const others = call.others.value;
  const me = call.me.value;
  const first = others.find((person) => person.role === (ui.variant === "customer" ? "agent" : "customer")) ?? others[0];
  const line = me ? call.quality.value.get(me.id) : undefined;
  const network = call.network.value;
  const presenting = others.filter((person) => screenOf(ui, person) !== "none");
  const camera = call.pictures.value && isOn(call, "camera") && me?.on_hold !== true && me?.listens !== true;
  const microphone = isOn(call, "microphone") && me?.on_hold !== true && me?.muted !== true && (me?.listens !== true || call.whispers.value?.by === me.id);
  const share = camera ? (microphone ? "both" : "camera") : microphone ? "microphone" : "nothing";
  return (
    <header class="top">
      <button type="button" class="top-people" aria-expanded={ui.panel.value === "people"} onClick={() => togglePanel(ui, "people")}>
        <Users size={20} strokeWidth={1.75} aria-hidden />
        <span class="one-line">
          {first ? (
            <>
              <bdi>{personName(first)}</bdi> {roleBeside(first) && <span class="soft">{roleBeside(first)}</span>}
              {others.length > 1 && <span class="soft"> {t("top.more", { n: others.length - 1 })}</span>}
            </>
          ) : (
            t("top.alone")
          )}
        </span>
        {call.session.value?.locked === true && ui.variant !== "customer" && (
          <>
            <Lock size={16} strokeWidth={2} aria-hidden />
            <span class="hidden-text"> {t("gates.locked")}</span>
          </>
        )}
        <WaitsBadge call={call} />
      </button>
      <button
        type="button"
        class="top-share"
        onClick={() => {
          ui.open.value = { kind: "sharing" };
        }}
      >
        {camera ? <Camera size={18} strokeWidth={1.75} aria-hidden /> : microphone ? <ShieldCheck size={18} strokeWidth={1.75} aria-hidden /> : <MicOff size={18} strokeWidth={1.75} aria-hidden />}
        <span class="one-line">{t(`top.share.${share}`)}</span>
      </button>
      {line && <QualityMark info={ownQuality(line, network)} network={network} words />}
      {call.screen.value !== "off" && <ScreenLine />}
      {presenting.map((person) => (
        <p key={person.id} class="top-screen seen">
          <MonitorUp size={20} strokeWidth={1.75} aria-hidden />
          <span class="grow">{t(screenOf(ui, person) === "paused" ? "top.sees.paused" : "top.sees", { name: personName(person) })}</span>
        </p>
      ))}
    </header>
  );
}

function ScreenLine() {
  const { call } = useCall();
  const paused = call.screen.value === "paused";
  const preview = call.screenPreview.value;
  return (
    <div class="top-screen">
      {preview ? (
        <figure class={`screen-thumb${paused ? " paused" : ""}`}>
          <Video stream={preview} fit="contain" label={t("screen.preview")} />
          {paused && <CirclePause size={24} strokeWidth={1.75} aria-hidden />}
        </figure>
      ) : (
        <MonitorUp size={20} strokeWidth={1.75} aria-hidden />
      )}
      <span class="grow" role="status">
        {paused ? t("top.screen.paused") : t("top.screen.on")}
      </span>
      <div class="row screen-tools">
        <Button icon={paused ? CirclePlay : CirclePause} onClick={() => call.pauseScreen(!paused)}>
          {t(paused ? "screen.resume" : "screen.pause")}
        </Button>
        <Button icon={CircleStop} look="danger" onClick={() => call.stopScreen()}>
          {t("screen.stop")}
        </Button>
      </div>
    </div>
  );
}
