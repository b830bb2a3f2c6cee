/** The bar at the bottom: each with a word under it; ending is red and asks once. */
import { AppWindow, Circle, Ellipsis, HandHelping, MessageSquare, Mic, MicOff, MonitorUp, PhoneOff, UserPlus, Video, VideoOff } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import { t } from "../../i18n";
import { shortcuts } from "../../ui/prefs";
import { mayLook, togglePage } from "./cobrowse/state";
import { isOn, toggle, togglePanel, useCall } from "./ui";
import type { CallUi } from "./ui";

interface BarButtonProps {
  icon: LucideIcon;
  text: string;
  label?: string;
  onClick: () => void;
  expanded?: boolean;
  look?: string;
  count?: number;
  /** Said after the words, not shown. */
  spoken?: string;
  keys?: string;
}

function BarButton(props: BarButtonProps) {
  const Icon = props.icon;
  const keys = useCall().variant !== "customer" && shortcuts.value ? props.keys : undefined;
  const label = props.label ?? props.text;
  return (
    <button
      type="button"
      class={`bar-button ${props.look ?? ""}`}
      aria-label={props.label}
      aria-expanded={props.expanded}
      aria-keyshortcuts={keys}
      title={keys ? `${label} (${keys})` : label}
      onClick={props.onClick}
    >
      <span class="bar-icon">
        <Icon size={24} strokeWidth={1.75} aria-hidden />
        {props.count ? <span class="badge" aria-hidden>{props.count > 99 ? "99" : props.count}</span> : null}
      </span>
      <span class="bar-text">
        {props.text}
        {props.spoken && <span class="hidden-text"> {props.spoken}</span>}
      </span>
    </button>
  );
}

export function canShareScreen(): boolean {
  return typeof navigator.mediaDevices?.getDisplayMedia === "function";
}

export function Bar() {
  const ui = useCall();
  const { call } = ui;
  const grants = call.grants.value;
  const microphone = isOn(call, "microphone");
  const muted = call.me.value?.muted === true;
  const camera = isOn(call, "camera");
  const sharing = call.screen.value !== "off";
  const unread = call.unread.value;
  const recording = call.recording.view.value;
  return (
    <nav class="bar" aria-label={t("bar.label")}>
      <BarButton
        icon={microphone && !muted ? Mic : MicOff}
        text={t("source.microphone.short")}
        label={t(muted ? "bar.mic.muted" : microphone ? "bar.mic.off" : "bar.mic.on")}
        look={microphone && !muted ? "" : "is-off"}
        keys="M"
        onClick={() => toggle(ui, "microphone")}
      />
      <BarButton
        icon={camera ? Video : VideoOff}
        text={t("source.camera")}
        label={t(camera ? "bar.camera.off" : "bar.camera.on")}
        look={camera ? "" : "is-off"}
        keys="V"
        onClick={() => toggle(ui, "camera")}
      />
      {canShareScreen() && (
        <BarButton
          icon={MonitorUp}
          text={t("source.screen.short")}
          label={t(sharing ? "screen.stop.long" : "bar.screen")}
          look={sharing ? "is-live" : ""}
          keys="S"
          onClick={() => toggle(ui, "screen")}
        />
      )}
      {mayLook(call) && (
        <BarButton
          icon={AppWindow}
          text={t("bar.page")}
          label={t(ui.page.shown.value ? "bar.page.close" : "bar.page.open")}
          look={ui.page.shown.value ? "is-live" : ""}
          keys="B"
          onClick={() => togglePage(ui)}
        />
      )}
      {grants.has("ask") && <BarButton icon={HandHelping} text={t("bar.ask")} label={t("ask.title")} keys="A" onClick={() => show(ui, "ask")} />}
      {grants.has("invite") && ui.variant === "agent" && (
        <BarButton icon={UserPlus} text={t("bar.invite")} label={t("invite.title")} keys="I" onClick={() => show(ui, "invite")} />
      )}
      {recording.available && grants.has("recording.control") && (
        <BarButton
          icon={Circle}
          text={t("bar.recording")}
          label={t(`bar.recording.${recording.state}`)}
          look={recording.state === "on" ? "is-recording" : ""}
          expanded={ui.panel.value === "recording"}
          keys="R"
          onClick={() => togglePanel(ui, "recording")}
        />
      )}
      <BarButton
        icon={MessageSquare}
        text={t("bar.chat")}
        {...(unread ? { spoken: t("bar.chat.unread", { n: unread }) } : {})}
        count={unread}
        expanded={ui.panel.value === "chat"}
        keys="C"
        onClick={() => togglePanel(ui, "chat")}
      />
      <BarButton icon={Ellipsis} text={t("bar.more")} onClick={() => show(ui, "more")} />
      <BarButton icon={PhoneOff} text={t("bar.end")} look="is-end" onClick={() => show(ui, ui.variant === "expert" && !grants.has("session.end") ? "leave" : "end")} />
    </nav>
  );
}

function show(ui: CallUi, kind: "ask" | "invite" | "more" | "leave" | "end"): void {
  ui.open.value = { kind };
}
