/** The less frequent things: layout, data, devices, sounds, size of text, language. */
import { Activity, ArrowRightLeft, FileText, Grid2x2, Languages, PictureInPicture2, RectangleHorizontal, Settings2, ShieldCheck, Users } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import type { Saver } from "../../core/model";
import { language, t } from "../../i18n";
import { Choice, Switch } from "../../ui/controls";
import { Dialog } from "../../ui/Dialog";
import { chooseLanguage, largeText, sounds, theme } from "../../ui/prefs";
import { DeviceChoices } from "../customer/Check";
import { canHandOver } from "./Handover";
import { choosePdf, mayOpen } from "./pdf/state";
import { close, useCall } from "./ui";

function Item(props: { icon: LucideIcon; text: string; onClick: () => void }) {
  const Icon = props.icon;
  return (
    <button type="button" class="menu-item" onClick={props.onClick}>
      <Icon size={22} strokeWidth={1.75} aria-hidden />
      <span>{props.text}</span>
    </button>
  );
}

const SAVERS: readonly Saver[] = ["full", "saver", "audio"];

function isSaver(text: string): text is Saver {
  return SAVERS.includes(text as Saver);
}

/** Large text and dark are the same two switches wherever there is a settings dialog. */
export function Appearance() {
  const dark = document.documentElement.dataset["theme"] === "dark";
  return (
    <>
      <Switch
        label={t("text.large")}
        on={largeText.value}
        onChange={(on) => {
          largeText.value = on;
        }}
      />
      <Switch
        label={t("theme.dark")}
        on={theme.value === "auto" ? dark : theme.value === "dark"}
        onChange={(on) => {
          theme.value = on ? "dark" : "light";
        }}
      />
      <Switch
        label={t("sounds")}
        hint={t("sounds.hint")}
        on={sounds.value}
        onChange={(on) => {
          sounds.value = on;
        }}
      />
    </>
  );
}

export function More() {
  const ui = useCall();
  const { call } = ui;
  const grid = ui.layout.value === "grid";
  return (
    <Dialog title={t("bar.more")} onClose={() => close(ui)}>
      <div class="menu">
        <Item
          icon={ShieldCheck}
          text={t("sharing.title")}
          onClick={() => {
            ui.open.value = { kind: "sharing" };
          }}
        />
        <Item
          icon={Users}
          text={t("panel.people")}
          onClick={() => {
            ui.panel.value = "people";
            close(ui);
          }}
        />
        {mayOpen(call) && (
          <Item
            icon={FileText}
            text={t(call.pdf.open.value === null ? "pdf.show" : "pdf.show.other")}
            onClick={() => {
              choosePdf(call);
              close(ui);
            }}
          />
        )}
        {canHandOver(ui) && (
          <Item
            icon={ArrowRightLeft}
            text={t("handover.title")}
            onClick={() => {
              ui.open.value = { kind: "handover" };
            }}
          />
        )}
        {ui.network && (
          <Item
            icon={Activity}
            text={t("panel.network")}
            onClick={() => {
              ui.panel.value = "network";
              close(ui);
            }}
          />
        )}
        <Item
          icon={Settings2}
          text={t("devices.title")}
          onClick={() => {
            ui.open.value = { kind: "devices" };
          }}
        />
        <Item
          icon={grid ? RectangleHorizontal : Grid2x2}
          text={t(grid ? "layout.speaker" : "layout.grid")}
          onClick={() => {
            ui.layout.value = grid ? "speaker" : "grid";
            close(ui);
          }}
        />
        {document.pictureInPictureEnabled && ui.mainVideo.current && (
          <Item
            icon={PictureInPicture2}
            text={t("pip")}
            onClick={() => {
              void ui.mainVideo.current?.requestPictureInPicture().catch(() => undefined); // no picture yet: nothing to lift out
              close(ui);
            }}
          />
        )}
        <Item
          icon={Languages}
          text={language.value === "zh" ? "English" : "中文"}
          onClick={() => chooseLanguage(language.value === "zh" ? "en" : "zh")}
        />
      </div>
      <Choice
        label={t("saver.title")}
        value={call.saver.value}
        options={SAVERS.map((id) => ({ id, label: t(`saver.${id}`) }))}
        onChange={(id) => isSaver(id) && call.setSaver(id)}
      />
      <div>
        <Appearance />
      </div>
    </Dialog>
  );
}

export function DevicesDialog() {
  const ui = useCall();
  return (
    <Dialog title={t("devices.title")} onClose={() => close(ui)}>
      <p class="soft">{t("devices.under")}</p>
      <DeviceChoices devices={ui.call.devices} />
      {ui.call.devices.cameras.value.length + ui.call.devices.microphones.value.length === 0 && <p>{t("devices.none")}</p>}
    </Dialog>
  );
}
