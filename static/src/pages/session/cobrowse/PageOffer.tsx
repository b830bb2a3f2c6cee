/** The customer's page was connected while one looked at something else. */
import { useSignal } from "@preact/signals";
import { t } from "../../../i18n";
import { Button } from "../../../ui/Button";
import { Notice } from "../../../ui/controls";
import { useCall } from "../ui";
import { mayLook, togglePage } from "./state";

export function PageOffer() {
  const ui = useCall();
  const share = ui.call.cobrowse.share.value;
  const putAway = useSignal<string | null>(null);
  if (share === null || putAway.value === share || ui.page.shown.value || !mayLook(ui.call)) return null;
  return (
    <Notice
      action={
        <>
          <Button
            onClick={() => {
              putAway.value = share;
              togglePage(ui);
            }}
          >
            {t("cobrowse.offer.open")}
          </Button>
          <Button look="plain" onClick={() => (putAway.value = share)}>
            {t("close")}
          </Button>
        </>
      }
    >
      {t("cobrowse.offer")}
    </Notice>
  );
}
