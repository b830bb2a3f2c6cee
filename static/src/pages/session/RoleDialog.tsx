/** What somebody is here: chosen with what it lets them do, and confirmed; it counts at once. */
import { useSignal } from "@preact/signals";
import type { StaffRole } from "../../core/model";
import { t } from "../../i18n";
import type { ParticipantView } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { RadioOption } from "../../ui/controls";
import { Dialog } from "../../ui/Dialog";
import { personName } from "../../ui/words";
import { close, useCall } from "./ui";
import type { CallUi } from "./ui";

function isStaffRole(role: string): role is StaffRole {
  return role === "expert" || role === "agent" || role === "supervisor";
}

/** Never a customer, never somebody who listens unseen, never who alone leads; a supervisor by a supervisor only. */
export function canChangeRole(ui: CallUi, person: ParticipantView): boolean {
  if (!ui.call.grants.value.has("participant.role") || person.listens || !isStaffRole(person.role)) return false;
  const agents = ui.call.others.value.filter((one) => one.role === "agent").length + (ui.call.me.value?.role === "agent" ? 1 : 0);
  if (person.role === "agent" && agents === 1) return false; // who leads hands over first
  return person.role !== "supervisor" || ui.call.me.value?.role === "supervisor";
}

export function RoleDialog({ person }: { person: ParticipantView }) {
  const ui = useCall();
  const chosen = useSignal<StaffRole>(isStaffRole(person.role) ? person.role : "expert");
  const roles: StaffRole[] = ui.call.me.value?.role === "supervisor" ? ["expert", "agent", "supervisor"] : ["expert", "agent"];
  return (
    <Dialog title={t("role.change.title", { name: personName(person) })} onClose={() => close(ui)}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (chosen.value !== person.role) ui.call.people.setRole(person.id, chosen.value);
          close(ui);
        }}
      >
        <fieldset class="reasons options">
          <legend class="hidden-text">{t("role.change")}</legend>
          {roles.map((role) => (
            <RadioOption key={role} name="role" checked={chosen.value === role} title={t(`role.${role}`)} under={t(`role.${role}.may`)} onChoose={() => (chosen.value = role)} />
          ))}
        </fieldset>
        <p class="soft">{t("role.change.under")}</p>
        <div class="pair">
          <Button onClick={() => close(ui)}>{t("cancel")}</Button>
          <Button look="primary" submit disabled={chosen.value === person.role}>
            {t("role.change.yes")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
