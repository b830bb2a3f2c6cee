/** The first page: type the six digits, or wait for somebody now. */
import { CalendarCheck, Clock3, ShieldCheck } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { t } from "../../i18n";
import type { InvitationPreview, Site } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Notice, TextField } from "../../ui/controls";
import { Heading, Shell, bankName } from "../../ui/Shell";
import { roleName } from "../../ui/words";

function Promise3() {
  const lines: [LucideIcon, string][] = [
    [CalendarCheck, t("arrive.line1")],
    [ShieldCheck, t("arrive.line2")],
    [Clock3, t("arrive.line3")],
  ];
  return (
    <ul class="promises">
      {lines.map(([Icon, text]) => (
        <li key={text}>
          <Icon size={24} strokeWidth={1.75} aria-hidden />
          <span>{text}</span>
        </li>
      ))}
    </ul>
  );
}

export function ArriveLoading() {
  return (
    <Shell site={null}>
      <div class="stack" aria-busy="true" aria-label={t("loading")} role="status">
        <div class="skeleton" />
        <div class="skeleton tall" />
        <div class="skeleton" />
      </div>
    </Shell>
  );
}

/** What went wrong, what to do, and another way. */
export function ArriveError(props: { site: Site | null; title?: string | null; text: string; onRetry: () => void; onOther: () => void }) {
  return (
    <Shell site={props.site}>
      <Heading under={props.text}>{props.title ?? t("arrive.error.title")}</Heading>
      <div class="stack tight">
        <Button look="primary" wide onClick={props.onRetry}>
          {t("retry")}
        </Button>
        <Button wide onClick={props.onOther}>
          {t("arrive.error.other")}
        </Button>
      </div>
      <p class="soft small">{t("arrive.error.branch")}</p>
    </Shell>
  );
}

export function Arrive(props: { site: Site; badLink?: boolean; error: string | null; busy: boolean; onCode: (code: string) => void; onWalkIn: () => void }) {
  const code = useSignal("");
  const incomplete = useSignal(false);
  const submit = (event: Event) => {
    event.preventDefault();
    incomplete.value = code.value.length !== 6;
    if (!incomplete.value && !props.busy) props.onCode(code.value);
  };
  return (
    <Shell site={props.site}>
      <Heading under={t("arrive.under")}>{t("arrive.title", { bank: bankName(props.site) })}</Heading>
      {props.badLink && (
        <Notice kind="warn">
          <strong>{t("arrive.bad_link.title")}</strong>
          <p>{t("arrive.bad_link")}</p>
        </Notice>
      )}
      <Promise3 />
      <form class="card stack" onSubmit={submit} noValidate>
        <TextField
          label={t("arrive.code")}
          hint={t("arrive.code.hint")}
          value={code.value}
          onInput={(text) => {
            code.value = text.replace(/[^0-9]/g, "").slice(0, 6);
            if (code.value.length === 6) incomplete.value = false;
          }}
          code
          maxLength={7}
          autoComplete="one-time-code"
          error={incomplete.value ? t("arrive.code.six") : props.error}
        />
        <Button look="primary" wide submit busy={props.busy}>
          {t("arrive.code.go")}
        </Button>
      </form>
      {props.site.walk_in && (
        <section class="stack tight other-way">
          <h2>{t("arrive.nocode")}</h2>
          <Button wide onClick={props.onWalkIn}>
            {t("arrive.nocode.go")}
          </Button>
        </section>
      )}
    </Shell>
  );
}

const REASONS = ["card", "password", "phone", "transfer", "other"] as const;

export function WalkIn(props: { site: Site; error: string | null; busy: boolean; onJoin: (name: string, reason: string) => void; onBack: () => void }) {
  const name = useSignal("");
  const reason = useSignal<(typeof REASONS)[number] | null>(null);
  const own = useSignal("");
  const missing = useSignal(false);
  const text = reason.value === null ? "" : reason.value === "other" ? own.value.trim() : t(`reason.${reason.value}`);
  const submit = (event: Event) => {
    event.preventDefault();
    missing.value = text === "";
    if (text && !props.busy) props.onJoin(name.value.trim(), text);
  };
  return (
    <Shell site={props.site}>
      <Heading under={t("walkin.under")}>{t("walkin.title")}</Heading>
      <form class="stack" onSubmit={submit} noValidate>
        {props.error && <Notice kind="bad">{props.error}</Notice>}
        <fieldset class="reasons">
          <legend>{t("walkin.reason")}</legend>
          {REASONS.map((key) => (
            <label key={key} class="reason">
              <input
                type="radio"
                name="reason"
                checked={reason.value === key}
                onChange={() => {
                  reason.value = key;
                  missing.value = false;
                }}
              />
              <span>{t(`reason.${key}`)}</span>
            </label>
          ))}
        </fieldset>
        {reason.value === "other" && (
          <TextField
            label={t("walkin.own")}
            value={own.value}
            maxLength={200}
            onInput={(value) => {
              own.value = value;
            }}
          />
        )}
        <TextField
          label={t("walkin.name")}
          hint={t("walkin.name.hint")}
          value={name.value}
          maxLength={80}
          autoComplete="name"
          onInput={(value) => {
            name.value = value;
          }}
        />
        {missing.value && <Notice kind="bad">{t("walkin.missing")}</Notice>}
        <Button look="primary" wide submit busy={props.busy}>
          {t("walkin.go")}
        </Button>
        <Button look="plain" onClick={props.onBack}>
          {t("back")}
        </Button>
      </form>
    </Shell>
  );
}

/** By link or code: who invites, what will happen, one button. */
export function Invited(props: { site: Site; preview: InvitationPreview; error: string | null; busy: boolean; onStart: (name: string) => void }) {
  const name = useSignal(props.preview.name);
  return (
    <Shell site={props.site}>
      <Heading under={t("invited.under", { bank: bankName(props.site) })}>
        {props.preview.invited_by ? t("invited.title", { name: props.preview.invited_by }) : t("invited.title.nobody")}
      </Heading>
      <Promise3 />
      <form
        class="card stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (!props.busy) props.onStart(name.value.trim());
        }}
      >
        {props.error && <Notice kind="bad">{props.error}</Notice>}
        <TextField
          label={t("walkin.name")}
          hint={t("walkin.name.hint")}
          value={name.value}
          maxLength={80}
          autoComplete="name"
          onInput={(value) => {
            name.value = value;
          }}
        />
        <Button look="primary" wide submit busy={props.busy}>
          {t("start")}
        </Button>
      </form>
      <p class="soft small">{t("invited.as", { role: roleName(props.preview.role) })}</p>
    </Shell>
  );
}
