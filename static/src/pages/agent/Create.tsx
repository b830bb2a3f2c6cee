/** A new session, and what comes of it: the link and the code for the customer. */
import { QrCode as QrCodeIcon } from "lucide-preact";
import { useSignal } from "@preact/signals";
import type { FunctionComponent } from "preact";
import { useEffect } from "preact/hooks";
import type { Desk, NewSession } from "../../core/model";
import { LANGUAGES, clockTime, counted, language, t } from "../../i18n";
import type { InvitationCreated, Language, SessionView } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Choice, CopyField, Notice, TextField } from "../../ui/controls";
import { Dialog } from "../../ui/Dialog";
import { roleName } from "../../ui/words";
import { EditableSummary } from "./Summary";

export function CreateSession(props: { busy: boolean; error: string | null; onCreate: (session: NewSession) => void; onCancel: () => void }) {
  const form = useSignal<NewSession>({ customerName: "", customerReference: "", reason: "", context: "", language: language.value });
  const set = (change: Partial<NewSession>) => {
    form.value = { ...form.value, ...change };
  };
  return (
    <form
      class="stack page-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!props.busy) props.onCreate(form.value);
      }}
    >
      <h1>{t("create.title")}</h1>
      <p class="soft">{t("create.under")}</p>
      {props.error && <Notice kind="bad">{props.error}</Notice>}
      <div class="two">
        <TextField label={t("create.name")} value={form.value.customerName} maxLength={80} onInput={(customerName) => set({ customerName })} />
        <TextField
          label={t("create.reference")}
          hint={t("create.reference.hint")}
          value={form.value.customerReference}
          maxLength={120}
          onInput={(customerReference) => set({ customerReference })}
        />
      </div>
      <TextField label={t("create.reason")} value={form.value.reason} maxLength={200} onInput={(reason) => set({ reason })} />
      <TextField
        label={t("create.context")}
        hint={t("create.context.hint")}
        value={form.value.context}
        maxLength={4000}
        lines={5}
        onInput={(context) => set({ context })}
      />
      <Choice
        label={t("create.language")}
        value={form.value.language}
        options={LANGUAGES.map((id) => ({ id, label: t(`language.${id}`) }))}
        onChange={(id) => set({ language: id as Language })}
      />
      <div class="row wrap">
        <Button look="primary" submit busy={props.busy}>
          {t("create.go")}
        </Button>
        <Button look="plain" onClick={props.onCancel}>
          {t("cancel")}
        </Button>
      </div>
    </form>
  );
}

/** The square alone, large: for the screen of a branch, or held up to the camera. Its drawing is loaded when it is wanted. */
function Square({ link }: { link: string }) {
  const Drawn = useSignal<FunctionComponent<{ text: string; label: string }> | null>(null);
  useEffect(() => {
    import("../../ui/QrCode").then(
      (loaded) => (Drawn.value = loaded.default),
      () => undefined, // no line: link and code are there
    );
  }, []);
  return Drawn.value ? <Drawn.value text={link} label={t("qr.label")} /> : <div class="skeleton qr" />;
}

/** A link and, where there is one, a code; shown this once. `inDialog`: the square opens in its place, not over it. */
export function Invitation({ invitation, inDialog = false }: { invitation: InvitationCreated; inDialog?: boolean }) {
  const code = invitation.code;
  const square = useSignal(false);
  const link = new URL(invitation.link, location.origin).href;
  const drawn = (
    <>
      <p class="soft">{t("qr.under")}</p>
      <Square link={link} />
    </>
  );
  return (
    <section class="stack invitation">
      <CopyField label={t("invitation.link", { role: roleName(invitation.role) })} value={link} />
      {code && <CopyField label={t("invitation.code")} value={code} shown={`${code.slice(0, 3)} ${code.slice(3)}`} big />}
      <p class="small soft">
        {counted("invitation.times", invitation.uses_allowed, { time: clockTime(invitation.expires_at) })}
      </p>
      {inDialog && square.value ? (
        drawn
      ) : (
        <div>
          <Button icon={QrCodeIcon} onClick={() => (square.value = true)}>
            {t("qr.show")}
          </Button>
        </div>
      )}
      {!inDialog && square.value && (
        <Dialog title={t("qr.title")} onClose={() => (square.value = false)}>
          {drawn}
        </Dialog>
      )}
    </section>
  );
}

export interface SessionReadyProps {
  desk: Desk;
  onSaved: (session: SessionView) => void;
  session: SessionView;
  invitation: InvitationCreated | null;
  busy: boolean;
  inviting: boolean;
  error: string | null;
  onEnter: () => void;
  onInvite: () => void;
}

/** A session that one is not in: its context, its link, the way in. */
export function SessionReady(props: SessionReadyProps) {
  const { session } = props;
  return (
    <div class="stack page-form">
      <h1 dir="auto">{session.customer_name || t("sessions.one")}</h1>
      {props.error && <Notice kind="bad">{props.error}</Notice>}
      <div class="card">
        <EditableSummary key={session.id} desk={props.desk} session={session} onSaved={props.onSaved} />
      </div>
      {props.invitation ? (
        <div class="card stack">
          <h2>{t("ready.send")}</h2>
          <Invitation invitation={props.invitation} />
        </div>
      ) : (
        <Button busy={props.inviting} onClick={props.onInvite}>
          {t("ready.invite")}
        </Button>
      )}
      <Button look="primary" wide busy={props.busy} onClick={props.onEnter}>
        {t("ready.enter")}
      </Button>
    </div>
  );
}
