/** The expert's link: what it is about, what will be seen and heard, one click into the call. */
import { Camera, Mic, Phone } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { t } from "../../i18n";
import type { InvitationPreview, Site } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Notice, Switch, TextField } from "../../ui/controls";
import { Heading, Shell } from "../../ui/Shell";

export interface Wishes {
  microphone: boolean;
  camera: boolean;
}

/** One clear statement with its switches: pressing the button is the consent to those that are on. */
export function JoinWith(props: { go: string; busy?: boolean; onJoin: (wishes: Wishes) => void }) {
  const microphone = useSignal(true);
  const camera = useSignal(true);
  return (
    <div class="stack">
      <p>{t("join.statement")}</p>
      <div>
        <Switch
          icon={Mic}
          label={t("join.microphone")}
          on={microphone.value}
          onChange={(on) => {
            microphone.value = on;
          }}
        />
        <Switch
          icon={Camera}
          label={t("join.camera")}
          on={camera.value}
          onChange={(on) => {
            camera.value = on;
          }}
        />
      </div>
      <Button
        look="primary"
        wide
        icon={Phone}
        busy={props.busy ?? false}
        onClick={() => props.onJoin({ microphone: microphone.value, camera: camera.value })}
      >
        {props.go}
      </Button>
    </div>
  );
}

export interface ExpertArrivalProps {
  site: Site;
  preview: InvitationPreview;
  error: string | null;
  busy: boolean;
  onJoin: (name: string, wishes: Wishes) => void;
}

export function ExpertArrival(props: ExpertArrivalProps) {
  const { preview } = props;
  const name = useSignal(preview.name);
  return (
    <Shell site={props.site} wide>
      <Heading under={t(preview.context ? "expert.under" : "expert.under.none")}>
        {preview.invited_by ? t("expert.title", { name: preview.invited_by }) : t("expert.title.nobody")}
      </Heading>
      <div class={preview.context ? "check" : "stack"}>
        {preview.context && ( // none, or none yet: behind a waiting room it is for those who were let in
          <section class="card stack">
            <h2>{t("context.summary")}</h2>
            <p class="prose" dir="auto">
              {preview.context}
            </p>
            <p class="soft small">{t("expert.confidential")}</p>
          </section>
        )}
        <section class="card stack">
          {props.error && <Notice kind="bad">{props.error}</Notice>}
          {!preview.name && (
            <TextField
              label={t("expert.name")}
              value={name.value}
              maxLength={80}
              autoComplete="name"
              onInput={(value) => {
                name.value = value;
              }}
            />
          )}
          <JoinWith go={t("join.go")} busy={props.busy} onJoin={(wishes) => props.onJoin(name.value.trim(), wishes)} />
        </section>
      </div>
    </Shell>
  );
}
