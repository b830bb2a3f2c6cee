/** Bring an expert in: a name, then a link that opens the call with one click. */
import { UserPlus } from "lucide-preact";
import { useSignal } from "@preact/signals";
import type { Desk } from "../../core/model";
import { t } from "../../i18n";
import type { InvitationCreated, Role, SessionView } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Choice, Notice, TextField } from "../../ui/controls";
import { Dialog } from "../../ui/Dialog";
import { asProblem, problemText } from "../../ui/problems";
import { roleName } from "../../ui/words";
import { Invitation } from "./Create";

const ROLES: readonly Role[] = ["expert", "customer"];

export function InviteDialog(props: { desk: Desk; session: SessionView; made?: InvitationCreated; onClose: () => void }) {
  const name = useSignal("");
  const role = useSignal<Role>("expert");
  const context = useSignal(props.session.context);
  const busy = useSignal(false);
  const error = useSignal<string | null>(null);
  const made = useSignal<InvitationCreated | null>(props.made ?? null);
  const invite = async () => {
    busy.value = true;
    error.value = null;
    try {
      const told = context.value.trim();
      if (role.value === "expert" && told !== props.session.context) await props.desk.update(props.session.id, { context: told });
      made.value = await props.desk.invite(props.session.id, role.value, name.value.trim());
    } catch (problem) {
      error.value = problemText(asProblem(problem));
    } finally {
      busy.value = false;
    }
  };
  if (made.value) {
    return (
      <Dialog key="made" title={t("invite.made", { name: made.value.name || roleName(made.value.role) })} onClose={props.onClose}>
        <p class="soft">{t("invite.send")}</p>
        <Invitation invitation={made.value} inDialog />
        <Button look="primary" onClick={props.onClose}>
          {t("done")}
        </Button>
      </Dialog>
    );
  }
  return (
    <Dialog key="form" title={t("invite.title")} onClose={props.onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy.value) void invite();
        }}
      >
        <p class="soft">{t("invite.under")}</p>
        {error.value && <Notice kind="bad">{error.value}</Notice>}
        <Choice
          label={t("invite.role")}
          value={role.value}
          options={ROLES.map((id) => ({ id, label: roleName(id) }))}
          onChange={(id) => {
            role.value = id as Role;
          }}
        />
        <TextField
          label={t("invite.name")}
          value={name.value}
          maxLength={80}
          onInput={(text) => {
            name.value = text;
          }}
        />
        {role.value === "expert" && (
          <TextField
            label={t("invite.context")}
            hint={t("invite.context.hint")}
            value={context.value}
            maxLength={4000}
            lines={5}
            onInput={(text) => {
              context.value = text;
            }}
          />
        )}
        <Button look="primary" submit icon={UserPlus} busy={busy.value}>
          {t("invite.go")}
        </Button>
      </form>
    </Dialog>
  );
}
