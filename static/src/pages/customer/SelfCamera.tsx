/** The camera of a customer's own check: asked for, helped with when it cannot be had, and looked at before it begins. */
import { Lightbulb, Smartphone, Glasses, SwitchCamera } from "lucide-preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import type { Call, DeviceProblem } from "../../core/model";
import { counted, t } from "../../i18n";
import type { CaseBrief } from "../../protocol.gen";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { ConsentCard, WORDING } from "../../ui/ConsentCard";
import { Notice } from "../../ui/controls";
import { PermissionDrawing } from "../../ui/drawings";
import { Heading } from "../../ui/Shell";
import { speak } from "../../ui/speech";
import { Video } from "../../ui/Video";
import { deviceProblem } from "../../ui/words";
import { keepAnswered } from "./kept";
import { isInside } from "./SelfArrive";
import { selfProblem } from "./SelfResult";

function Denied({ onRetry, busy }: { onRetry: () => void; busy: boolean }) {
  return (
    <>
      <Heading>{deviceProblem("denied", "camera")}</Heading>
      <PermissionDrawing label={t("self.denied.drawing")} microphone={false} />
      <ol class="numbered">
        <li>{t("denied.step1")}</li>
        <li>{t("self.denied.step2")}</li>
        <li>{t("self.denied.step3")}</li>
      </ol>
      <Button look="primary" wide busy={busy} onClick={onRetry}>
        {t("denied.retry")}
      </Button>
    </>
  );
}

function Problem(props: { problem: Exclude<DeviceProblem, "denied">; onRetry: () => void; busy: boolean }) {
  return (
    <>
      <Heading under={t(props.problem === "unsupported" && isInside() ? "self.arrive.inside" : `self.help.${props.problem}`)}>{deviceProblem(props.problem, "camera")}</Heading>
      <Button look="primary" wide busy={props.busy} onClick={props.onRetry}>
        {t("retry")}
      </Button>
    </>
  );
}

/** Until there is a picture. */
export function SelfCamera({ call, onAnswered }: { call: Call; onAnswered: (given: boolean) => void }) {
  const { devices } = call;
  const busy = useSignal(false);
  const problem = devices.cameraProblem.value;
  const turnOn = async () => {
    busy.value = true;
    try {
      await call.setCamera(true);
    } finally {
      busy.value = false;
    }
  };
  const retry = () => void turnOn();
  useEffect(() => {
    if (problem !== null) announce(deviceProblem(problem, "camera"));
  }, [problem]);
  if (problem === "denied") return <Denied onRetry={retry} busy={busy.value} />;
  if (problem !== null) return <Problem key={problem} problem={problem} onRetry={retry} busy={busy.value} />;
  if (call.consents.value.get("camera") === "given") {
    return (
      <>
        <Heading key="restart" under={t("self.camera.restart.text")}>
          {t("self.camera.restart")}
        </Heading>
        <PermissionDrawing label={t("self.denied.drawing")} microphone={false} />
        <Button look="primary" wide busy={busy.value} onClick={retry}>
          {t("self.camera.on")}
        </Button>
      </>
    );
  }
  return (
    <>
      <Heading key="consent">{t("consent.self_camera.title")}</Heading>
      <div class="card">
        <ConsentCard
          scope="self_camera"
          bare
          onAnswer={(given) => {
            call.decide("camera", given ? "given" : "refused", WORDING.self_camera);
            keepAnswered(false); // that was for a computer
            if (given) void turnOn();
            onAnswered(given);
          }}
        />
      </div>
      <p class="soft small">{t("self.camera.before")}</p>
    </>
  );
}

/** Another app has the camera: the track is there, its pictures are not. */
function useInterrupted(stream: MediaStream | null): boolean {
  const muted = useSignal(false);
  useEffect(() => {
    const track = stream?.getVideoTracks()[0];
    if (track === undefined) return undefined;
    const look = () => void (muted.value = track.muted);
    look();
    track.addEventListener("mute", look);
    track.addEventListener("unmute", look);
    return () => {
      track.removeEventListener("mute", look);
      track.removeEventListener("unmute", look);
    };
  }, [stream]);
  return muted.value;
}

/** Fewer lines than that, either way up, and a person will probably have to look at it afterwards. */
const LINES = 540;

export function isSmall(size: { width?: number; height?: number } | undefined): boolean {
  const { width, height } = size ?? {};
  return width !== undefined && height !== undefined && Math.min(width, height) < LINES;
}

/** One's own picture, and the beginning. */
export function SelfReady({ call, brief }: { call: Call; brief: CaseBrief }) {
  const { devices, verification } = call;
  const stream = devices.preview.value;
  const back = devices.facing.value === "environment";
  const interrupted = useInterrupted(stream);
  const light = brief.steps.includes("light");
  const media = call.mediaState.value;
  const busy = verification.beginning.value || media === "connecting" || media === "none";
  const refused = verification.refused.value;
  const begin = (withLight: boolean) => {
    const me = call.me.peek();
    if (me === null || call.phase.peek() !== "live") return;
    speak(t("verify.starting")); // a telephone speaks later only if it has spoken at a touch
    verification.begin(brief.case, me.id, withLight);
  };
  const tips = [
    [Smartphone, t("self.ready.eyes")],
    [Lightbulb, t("self.ready.light")],
    [Glasses, t("self.ready.free")],
  ] as const;
  return (
    <>
      <Heading under={brief.attempts_used > 0 ? counted("self.result.left", brief.attempts_left) : undefined}>{t("self.ready.title")}</Heading>
      <div class="self-look">
        <div class="self-oval">{stream && <Video stream={stream} mirrored={!back} label={t("verify.self")} />}</div>
        <div class="stack self-stage">
          {interrupted && <Notice kind="warn">{t("self.interrupted")}</Notice>}
          {back && (
            <Notice
              action={
                <Button icon={SwitchCamera} onClick={() => void devices.turnCamera()}>
                  {t("self.turn_camera")}
                </Button>
              }
            >
              {t("self.ready.back_camera")}
            </Notice>
          )}
          {!interrupted && isSmall(stream?.getVideoTracks()[0]?.getSettings()) && <Notice>{t("self.ready.small")}</Notice>}
          <ul class="promises">
            {tips.map(([Icon, text]) => (
              <li key={text}>
                <Icon size={24} strokeWidth={1.75} aria-hidden />
                <span>{text}</span>
              </li>
            ))}
          </ul>
          {refused !== null && <Notice kind="bad">{selfProblem(refused)}</Notice>}
          {media === "failed" && (
            <Notice kind="warn" action={<Button onClick={() => call.retry()}>{t("retry")}</Button>}>
              {t("self.ready.unconnected")}
            </Notice>
          )}
          {light && <p>{t("self.ready.colours")}</p>}
          <div class="stack tight">
            <Button look="primary" wide busy={busy} disabled={media === "failed"} onClick={() => begin(true)}>
              {t(busy && !verification.beginning.value ? "self.ready.connecting" : "self.ready.go")}
            </Button>
            {light && (
              <Button wide disabled={busy || media === "failed"} onClick={() => begin(false)}>
                {t("self.ready.dark")}
              </Button>
            )}
          </div>
        </div>
      </div>
    </>
  );
}
