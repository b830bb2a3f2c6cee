/** There is no room for a check now: it begins by itself when there is, and nobody has to wait for it. */
import { Hourglass } from "lucide-preact";
import { useEffect } from "preact/hooks";
import { t } from "../../i18n";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { Heading } from "../../ui/Shell";
import { useWakeLock } from "../../ui/wakeLock";

export function SelfRoom({ onStop }: { onStop: () => void }) {
  useWakeLock(true);
  useEffect(() => announce(`${t("self.room.title")} ${t("self.room.text")}`), []);
  return (
    <div class="stack self-result">
      <Hourglass size={48} strokeWidth={1.5} aria-hidden />
      <Heading under={t("self.room.text")}>{t("self.room.title")}</Heading>
      <Button wide onClick={onStop}>
        {t("self.room.stop")}
      </Button>
    </div>
  );
}
