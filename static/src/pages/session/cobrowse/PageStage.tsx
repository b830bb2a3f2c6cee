/** The customer's page in the place of the pictures: how to come to it, why it is not seen now, or itself. */
import { AppWindow, CirclePause, EyeOff, Hourglass, ShieldX, Unplug } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { hasWords, t } from "../../../i18n";
import { Button } from "../../../ui/Button";
import { Notice, TextField } from "../../../ui/controls";
import { PictureStrip } from "../Stage";
import { useCall } from "../ui";
import { Picture } from "./Picture";
import { mayAttach, situation } from "./state";
import type { Situation } from "./state";
import { Tools } from "./Tools";

const CODE = /^\d{6}$/;

function CodeForm() {
  const { cobrowse } = useCall().call;
  const code = useSignal("");
  const wrong = useSignal(false);
  const refused = cobrowse.attachRefused.value;
  const why = refused === null ? null : `cobrowse.code.${refused}`;
  return (
    <form
      class="card stack page-code"
      onSubmit={(event) => {
        event.preventDefault();
        wrong.value = !CODE.test(code.value);
        if (!wrong.value) cobrowse.attach(code.value);
      }}
    >
      <h2>{t("cobrowse.code.title")}</h2>
      <p>{t("cobrowse.code.text")}</p>
      <TextField
        label={t("cobrowse.code.label")}
        code
        value={code.value}
        error={wrong.value ? t("cobrowse.code.wrong") : why === null ? null : t(hasWords(why) ? why : "cobrowse.code.refused")}
        onInput={(text) => {
          code.value = text.normalize("NFKC").replace(/\D/g, "").slice(0, 6);
          wrong.value = false;
        }}
      />
      <Button submit wide look="primary" busy={cobrowse.attaching.value}>
        {t("cobrowse.code.go")}
      </Button>
    </form>
  );
}

function Card(props: { icon: LucideIcon; title: string; text: string; children?: ComponentChildren }) {
  const Icon = props.icon;
  return (
    <div class="card stack page-card" role="status">
      <Icon size={32} strokeWidth={1.5} aria-hidden />
      <h2>{props.title}</h2>
      <p>{props.text}</p>
      {props.children}
    </div>
  );
}

const WAITS: Partial<Record<Situation, readonly [LucideIcon, "gone" | "hidden" | "paused"]>> = {
  gone: [Unplug, "gone"],
  hidden: [EyeOff, "hidden"],
  paused: [CirclePause, "paused"],
};

function Before({ now }: { now: Situation }) {
  const { call } = useCall();
  const { cobrowse } = call;
  const wait = WAITS[now];
  if (wait) return <Card icon={wait[0]} title={t(`cobrowse.${wait[1]}.title`)} text={t(`cobrowse.${wait[1]}.text`)} />;
  switch (now) {
    case "ended":
    case "none":
      return mayAttach(call) ? (
        <div class="stack">
          {now === "ended" && (
            <Notice>
              <strong>{t("cobrowse.ended.title")}</strong> {t("cobrowse.ended.text")}
            </Notice>
          )}
          <CodeForm />
        </div>
      ) : (
        <Card icon={AppWindow} title={t(`cobrowse.${now}.title`)} text={t("cobrowse.none.text")} />
      );
    case "over":
      return (
        <Card icon={Unplug} title={t("cobrowse.lost.title")} text={t("cobrowse.lost.text")}>
          <Button onClick={() => cobrowse.look()}>{t("cobrowse.lost.again")}</Button>
        </Card>
      );
    case "look":
      return (
        <Card icon={AppWindow} title={t("cobrowse.look.title")} text={t("cobrowse.look.text")}>
          <Button look="primary" onClick={() => cobrowse.ask("view")}>
            {t("cobrowse.look.go")}
          </Button>
        </Card>
      );
    case "asked":
      return <Card icon={Hourglass} title={t("cobrowse.asked.title")} text={t("cobrowse.asked.text")} />;
    case "refused":
      return (
        <Card icon={ShieldX} title={t("cobrowse.refused.title")} text={t("cobrowse.refused.text")}>
          <Button onClick={() => cobrowse.ask("view")}>{t("cobrowse.ask.again")}</Button>
        </Card>
      );
    default:
      return (
        <p class="page-wait" role="status">
          {t(now === "connecting" ? "cobrowse.connecting" : "cobrowse.coming")}
        </p>
      );
  }
}

export function PageStage() {
  const { call, page } = useCall();
  const { cobrowse } = call;
  const share = cobrowse.share.value;
  const now = situation(call);
  useEffect(() => {
    if (share !== null) cobrowse.look();
  }, [share]);
  useEffect(() => {
    if (now !== "seen") page.fills.value = null;
  }, [now]);
  const problem = cobrowse.problem.value;
  const why = `cobrowse.problem.${problem ?? ""}`;
  const framed = now === "seen" || now === "coming" || WAITS[now] !== undefined; // a picture that may come back keeps its frame
  return (
    <section class="stage page-stage" aria-label={t("cobrowse.title")}>
      {cobrowse.line.value === "reconnecting" && <Notice kind="offline">{t("cobrowse.reconnecting")}</Notice>}
      {problem !== null && (
        <Notice kind="quiet" action={<Button onClick={() => cobrowse.clearProblem()}>{t("understood")}</Button>}>
          {t(hasWords(why) ? why : "cobrowse.problem")}
        </Notice>
      )}
      {page.hint.value !== null && (
        <p class="small page-hint" role="status">
          {t(`cobrowse.${page.hint.value}`)}
        </p>
      )}
      <Tools />
      <div class={`page-room${now === "seen" ? " seen" : ""}`}>
        {framed && <Picture />}
        {now !== "seen" && (
          <div class="page-before">
            <Before now={now} />
          </div>
        )}
      </div>
      <PictureStrip />
    </section>
  );
}
