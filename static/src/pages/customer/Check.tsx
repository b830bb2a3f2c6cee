/** Before talking: does the picture, the voice, the loudspeaker work? Local only: nobody else sees or hears it. */
import { Mic, MicOff, Play, Video as VideoIcon, VideoOff, Volume2 } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import type { Call, DeviceProblem, Devices } from "../../core/model";
import { t } from "../../i18n";
import type { Site } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Choice, Meter, Notice, Switch } from "../../ui/controls";
import { PermissionDrawing } from "../../ui/drawings";
import { Heading, Shell, Steps } from "../../ui/Shell";
import { Video } from "../../ui/Video";
import { deviceProblem } from "../../ui/words";
import { NetworkTest } from "./NetworkTest";
import { QueueLine } from "./Wait";

export function ProblemHelp(props: { problem: DeviceProblem; source: "camera" | "microphone"; onRetry: () => void }) {
  return (
    <Notice
      kind="warn"
      action={
        <Button onClick={props.onRetry} look="secondary">
          {t("retry")}
        </Button>
      }
    >
      <strong>{deviceProblem(props.problem, props.source)}</strong>
      <p>{t(`device.help.${props.problem}`)}</p>
    </Notice>
  );
}

function Denied({ onRetry }: { onRetry: () => void }) {
  return (
    <section class="card stack" aria-labelledby="denied">
      <h2 id="denied">{t("denied.title")}</h2>
      <PermissionDrawing label={t("denied.drawing")} />
      <ol class="numbered">
        <li>{t("denied.step1")}</li>
        <li>{t("denied.step2")}</li>
        <li>{t("denied.step3")}</li>
      </ol>
      <Button look="secondary" onClick={onRetry}>
        {t("denied.retry")}
      </Button>
      <p class="soft small">{t("denied.without")}</p>
    </section>
  );
}

function Preview({ devices }: { devices: Devices }) {
  const stream = devices.preview.value;
  const shown = devices.cameraOn.value && stream;
  return (
    <figure class="preview">
      {shown ? (
        <Video stream={stream} mirrored label={t("check.preview")} />
      ) : (
        <div class="preview-off">
          <VideoOff size={36} strokeWidth={1.5} aria-hidden />
          <span>{t(devices.cameraProblem.value ? "check.camera.missing" : "check.camera.off")}</span>
        </div>
      )}
      <figcaption>{t("check.only_you")}</figcaption>
    </figure>
  );
}

function Row(props: { children: ComponentChildren }) {
  return <div class="card stack tight device-row">{props.children}</div>;
}

function Sound({ devices }: { devices: Devices }) {
  const heard = useSignal(false);
  const level = devices.level.value;
  useEffect(() => {
    if (level > 0.12) heard.value = true;
  }, [level > 0.12]);
  const state = devices.recording.value;
  return (
    <>
      <Meter level={devices.microphoneOn.value ? level : 0} label={t("check.meter")} />
      <p class="soft small" role="status">
        {!devices.microphoneOn.value ? t("check.mic.off") : heard.value ? t("check.mic.heard") : t("check.mic.say")}
      </p>
      <Button icon={Play} busy={state !== "idle"} disabled={!devices.microphoneOn.value} onClick={() => void devices.recordAndPlay()}>
        {t(`check.record.${state}`)}
      </Button>
    </>
  );
}

/** Only what is certain before anything was sent: that nothing gets through. How good the line is shows in the conversation. */
function Verdict({ call }: { call: Call }) {
  return call.mediaState.value === "failed" ? <Notice kind="warn">{t("network.text")}</Notice> : null;
}

export function DeviceChoices({ devices }: { devices: Devices }) {
  return (
    <>
      {devices.cameras.value.length > 0 && (
        <Choice label={t("choice.camera")} value={devices.camera.value ?? ""} options={devices.cameras.value} onChange={(id) => void devices.chooseCamera(id)} />
      )}
      {devices.microphones.value.length > 0 && (
        <Choice
          label={t("choice.microphone")}
          value={devices.microphone.value ?? ""}
          options={devices.microphones.value}
          onChange={(id) => void devices.chooseMicrophone(id)}
        />
      )}
      {devices.speakers.value.length > 0 && (
        <Choice label={t("choice.speaker")} value={devices.speaker.value ?? ""} options={devices.speakers.value} onChange={(id) => void devices.chooseSpeaker(id)} />
      )}
    </>
  );
}

export function Check(props: { site: Site | null; call: Call; onDone: () => void; onSkip: () => void; onTextOnly: () => void }) {
  const { devices } = props.call;
  const asked = useSignal(devices.preview.value !== null || devices.cameraProblem.value !== null || devices.microphoneProblem.value !== null);
  const asking = useSignal(false);
  const begin = async () => {
    asking.value = true;
    try {
      await devices.start({ camera: true, microphone: true });
    } finally {
      asking.value = false;
      asked.value = true;
    }
  };
  const cameraProblem = devices.cameraProblem.value;
  const microphoneProblem = devices.microphoneProblem.value;
  const denied = cameraProblem === "denied" && microphoneProblem === "denied";
  const nothing = cameraProblem !== null && microphoneProblem !== null;
  if (!asked.value) {
    return (
      <Shell site={props.site}>
        <QueueLine call={props.call} />
        <Steps now={1} />
        <Heading under={t("check.before.under")}>{t("check.before.title")}</Heading>
        <PermissionDrawing label={t("denied.drawing")} />
        <Button look="primary" wide busy={asking.value} onClick={() => void begin()}>
          {t("check.before.go")}
        </Button>
        <Button look="plain" onClick={props.onSkip}>
          {t("check.skip")}
        </Button>
      </Shell>
    );
  }
  return (
    <Shell site={props.site} wide>
      <QueueLine call={props.call} />
      <Steps now={1} />
      <Heading under={t("check.under")}>{t("check.title")}</Heading>
      <div class="check">
        <div class="stack">
          {denied ? <Denied onRetry={() => void begin()} /> : <Preview devices={devices} />}
          <Verdict call={props.call} />
        </div>
        <div class="stack">
          {!denied && (
            <>
              <Row>
                {cameraProblem ? (
                  <ProblemHelp problem={cameraProblem} source="camera" onRetry={() => void devices.setCamera(true)} />
                ) : (
                  <Switch icon={devices.cameraOn.value ? VideoIcon : VideoOff} label={t("check.camera")} on={devices.cameraOn.value} onChange={(on) => void devices.setCamera(on)} />
                )}
              </Row>
              <Row>
                {microphoneProblem ? (
                  <ProblemHelp problem={microphoneProblem} source="microphone" onRetry={() => void devices.setMicrophone(true)} />
                ) : (
                  <>
                    <Switch icon={devices.microphoneOn.value ? Mic : MicOff} label={t("check.microphone")} on={devices.microphoneOn.value} onChange={(on) => void devices.setMicrophone(on)} />
                    <Sound devices={devices} />
                  </>
                )}
              </Row>
              <Row>
                <div class="row">
                  <Volume2 size={22} strokeWidth={1.75} aria-hidden />
                  <span class="grow">{t("check.speaker")}</span>
                  <Button onClick={() => void devices.testSpeaker()}>{t("check.speaker.test")}</Button>
                </div>
              </Row>
              <NetworkTest call={props.call} />
              <details class="choices">
                <summary>{t("check.choose")}</summary>
                <div class="stack">
                  <DeviceChoices devices={devices} />
                </div>
              </details>
            </>
          )}
          {nothing && !denied && <p>{t("check.text_only")}</p>}
          <Button look="primary" wide onClick={nothing ? props.onTextOnly : props.onDone}>
            {t(nothing ? "check.go.text" : cameraProblem ? "check.go.voice" : "next")}
          </Button>
        </div>
      </div>
    </Shell>
  );
}
