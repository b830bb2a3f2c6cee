import { LogIn } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { t } from "../../i18n";
import type { Site } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Notice, TextField } from "../../ui/controls";
import { Heading, Shell } from "../../ui/Shell";

export interface LoginProps {
  site: Site | null;
  busy: boolean;
  error: string | null;
  onLogin: (username: string, password: string) => void;
  /** What one signs in to, where it is not the workbench. */
  title?: string;
  under?: string;
}

export function LoginPage(props: LoginProps) {
  const username = useSignal("");
  const password = useSignal("");
  const missing = useSignal(false);
  return (
    <Shell site={props.site}>
      <Heading under={props.under ?? t("login.under")}>{props.title ?? t("login.title")}</Heading>
      <form
        class="card stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          missing.value = username.value.trim() === "" || password.value === "";
          if (!missing.value && !props.busy) props.onLogin(username.value.trim(), password.value);
        }}
      >
        {(missing.value || props.error) && <Notice kind="bad">{missing.value ? t("login.missing") : props.error}</Notice>}
        <TextField
          label={t("login.username")}
          value={username.value}
          maxLength={80}
          autoComplete="username"
          onInput={(value) => {
            username.value = value;
          }}
        />
        <TextField
          label={t("login.password")}
          type="password"
          value={password.value}
          maxLength={200}
          autoComplete="current-password"
          onInput={(value) => {
            password.value = value;
          }}
        />
        <Button look="primary" wide submit icon={LogIn} busy={props.busy}>
          {t("login.go")}
        </Button>
      </form>
      <p class="soft small">{t("login.forgot")}</p>
    </Shell>
  );
}
