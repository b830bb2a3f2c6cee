/** The keyboard, and the settings of the workbench. */
import { t } from "../../i18n";
import { Switch } from "../../ui/controls";
import { Dialog } from "../../ui/Dialog";
import { shortcuts } from "../../ui/prefs";
import { Appearance } from "../session/More";

const KEYS = ["m", "v", "s", "b", "c", "p", "r", "a", "i", "h", "q", "n", "e", "j", "k", "f", "?"] as const;

export function KeysDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t("keys.title")} onClose={onClose}>
      <dl class="keys">
        {KEYS.map((key) => (
          <div key={key}>
            <dt>
              <kbd>{key.toUpperCase()}</kbd>
            </dt>
            <dd>{t(`keys.${key}`)}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>{t("keys.enter.key")}</kbd>
          </dt>
          <dd>{t("keys.enter")}</dd>
        </div>
        <div>
          <dt>
            <kbd>Esc</kbd>
          </dt>
          <dd>{t("keys.esc")}</dd>
        </div>
      </dl>
      <Switch
        label={t("keys.on")}
        on={shortcuts.value}
        onChange={(on) => {
          shortcuts.value = on;
        }}
      />
    </Dialog>
  );
}

export function SettingsDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t("settings.title")} onClose={onClose}>
      <div>
        <Appearance />
      </div>
    </Dialog>
  );
}
