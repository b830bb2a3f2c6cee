/** The questions about people: their role, the one at the door, taking over. */
import { t } from "../../i18n";
import { Confirm } from "../../ui/Dialog";
import { personName } from "../../ui/words";
import { leadName } from "./Handover";
import { RoleDialog } from "./RoleDialog";
import { close, give, useCall } from "./ui";

export function PeopleDialogs() {
  const ui = useCall();
  const { call } = ui;
  const open = ui.open.value;
  switch (open.kind) {
    case "role":
      return <RoleDialog person={open.person} />;
    case "refuse":
      return (
        <Confirm
          title={t("waits.refuse.title", { name: personName(open.person) })}
          text={t("waits.refuse.text")}
          yes={t("waits.refuse")}
          no={t("cancel")}
          onNo={() => close(ui)}
          onYes={() => {
            call.people.admit(open.person.id, false);
            close(ui);
          }}
        />
      );
    case "takeover": {
      const name = leadName(call);
      return (
        <Confirm
          title={t("takeover.title")}
          text={name === null ? t("takeover.text.nobody") : t("takeover.text", { name })}
          yes={t("takeover.yes")}
          no={t("cancel")}
          onNo={() => close(ui)}
          onYes={() => {
            call.supervise("take_over");
            for (const scope of ["microphone", "camera"] as const) give(call, scope); // the text says so
            close(ui);
          }}
        />
      );
    }
    default:
      return null; // `handover` belongs to the workbench
  }
}
