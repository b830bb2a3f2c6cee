/** One's own check: fills the page while it runs, with one thing to do at a time, and until its end has been read. */
import { Accessibility, CircleStop, IdCard, MoonStar, SwitchCamera, UserRound, VideoOff, Volume2, VolumeX, WifiOff } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect, useId, useLayoutEffect, useRef } from "preact/hooks";
import { fills } from "../../core/verification";
import type { Asked } from "../../core/verification";
import type { Light } from "../../core/light";
import type { Call } from "../../core/model";
import { language, t } from "../../i18n";
import { announce } from "../../ui/announce";
import { useNow } from "../../ui/clock";
import { Confirm, useAlone } from "../../ui/Dialog";
import { chooseLanguage, sounds } from "../../ui/prefs";
import { hush, speak } from "../../ui/speech";
import { Video } from "../../ui/Video";
import { useWakeLock } from "../../ui/wakeLock";
import { GestureDrawing } from "./VerifyDrawings";
import { VerifyResult } from "./VerifyResult";
import { askedWords, hintWords, isBright } from "./verifyWords";
import { useCall } from "./ui";

/** Whether one's own check has the page now; nobody but a customer is checked. */
export function isVerified(call: Call): boolean {
  return call.me.value?.role === "customer" && fills(call.verification, call.me.value.id);
}

/** Colours the ground of `box`, faded into; the fade stays also where motion is not wanted, since a sudden change is worse. */
function useLight(box: { current: HTMLElement | null }, light: Light | null): void {
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    element.style.setProperty("transition", `background-color ${light?.fadeS ?? 0}s linear`, "important");
    element.style.backgroundColor = light?.colour ?? "";
  }, [light]);
}

const AROUND = "M150 8A142 192 0 0 1 150 392A142 192 0 0 1 150 8";

/** Runs down over the time there is; each second moves it on to where it will be a second later. */
function Ring({ asked }: { asked: Asked }) {
  const now = useNow();
  const gone = (now + 1000 - asked.sinceMs) / 1000 / asked.withinS;
  return <path class="verify-ring-left" d={AROUND} pathLength={100} stroke-dasharray="100" stroke-dashoffset={Math.min(100, Math.max(0, gone * 100))} />;
}

/** One's own picture; mirrored only where one looks at oneself in it. */
function Own({ label, flat = false }: { label: string; flat?: boolean }) {
  const { preview, facing } = useCall().call.devices;
  const stream = preview.value;
  if (stream === null) return <VideoOff size={40} strokeWidth={1.5} aria-hidden />;
  return <Video stream={stream} mirrored={!flat && facing.value !== "environment"} label={label} />;
}

/** A frame for a card, as large as it gets. */
function Card({ asked }: { asked: Asked }) {
  return (
    <div class="verify-room">
      <div class={`verify-card${asked.action === "hold_still" ? " is-seen" : ""}`}>
        <Own label={t("verify.document.frame")} flat />
        <svg class="verify-corners" viewBox="0 0 400 300" fill="none" aria-hidden>
          <path d="M30 80V54h34M370 80V54h-34M30 220v26h34M370 220v26h-34" />
        </svg>
      </div>
    </div>
  );
}

function Oval({ asked }: { asked: Asked | null }) {
  return (
    <div class="verify-room">
      <div class="verify-oval">
        <div class="verify-face">
          <Own label={t("verify.self")} />
        </div>
        <svg class="verify-ring" viewBox="0 0 300 400" fill="none" aria-hidden>
          <path class="verify-ring-all" d={AROUND} />
          {asked !== null && asked.withinS > 0 && <Ring key={asked.sinceMs} asked={asked} />}
        </svg>
      </div>
    </div>
  );
}

/** Said aloud, by the device's voice and to screen readers, once each `turn`. */
function useSaid(text: string, turn: string): void {
  useEffect(() => {
    announce(text);
    speak(text);
  }, [turn]);
  useEffect(() => hush, []);
}

function Tool(props: { icon: LucideIcon; children: string; onClick: () => void; disabled?: boolean }) {
  const Icon = props.icon;
  return (
    <button type="button" class="verify-button" aria-disabled={props.disabled} onClick={() => props.disabled !== true && props.onClick()}>
      <Icon size={22} strokeWidth={1.75} aria-hidden />
      <span>{props.children}</span>
    </button>
  );
}

function LanguageTool() {
  const next = language.value === "zh" ? "en" : "zh";
  return (
    <button type="button" class="verify-button bare" lang={next} onClick={() => chooseLanguage(next)}>
      {next === "zh" ? "中文" : "English"}
    </button>
  );
}

function Running({ onStop, onPerson }: { onStop: () => void; onPerson: (() => void) | undefined }) {
  const { call } = useCall();
  const { verification, devices } = call;
  const asked = verification.asked.value;
  const words = askedWords(asked);
  const card = asked?.cue === "document" ? asked : null;
  const dark = useSignal(false);
  const colours = verification.view.value?.warning === true && !dark.value && asked?.cue !== "document" && asked?.cue !== "hold_on";
  const offline = call.phase.value === "reconnecting";
  const nobody = verification.callRefused.value !== null;
  const hint = hintWords(verification);
  useWakeLock(true);
  useEffect(() => {
    if (nobody) announce(t("self.person.nobody"));
  }, [nobody]);
  useSaid(hint === null ? words : `${words} ${hint}`, `${words} ${asked?.sinceMs} ${verification.slips.value} ${verification.advice.value[0]}`);
  const on = sounds.value;
  return (
    <>
      <div class="verify-head">
        <p class="grow">
          {asked?.cue === "ask" && asked.of > 1 && (
            <>
              <span aria-hidden>
                {asked.number}/{asked.of}
              </span>
              <span class="hidden-text">{t("verify.step", { n: asked.number, all: asked.of })}</span>
            </>
          )}
        </p>
        {onPerson && (
          <button type="button" class="verify-button bare" aria-label={`${t("self.person.short")}: ${t("self.person")}`} onClick={onPerson}>
            <UserRound size={22} strokeWidth={1.75} aria-hidden />
            <span>{t("self.person.short")}</span>
          </button>
        )}
        <LanguageTool />
        <button
          type="button"
          class="verify-button icon-only"
          aria-label={t("verify.voice")}
          aria-pressed={on}
          title={t("verify.voice")}
          onClick={() => {
            sounds.value = !on;
            if (on) hush();
            else speak(words);
          }}
        >
          {on ? <Volume2 size={24} strokeWidth={1.75} aria-hidden /> : <VolumeX size={24} strokeWidth={1.75} aria-hidden />}
        </button>
      </div>
      {card ? <Card asked={card} /> : <Oval asked={asked} />}
      <div class="verify-words">
        <div class="verify-asked">
          <GestureDrawing action={asked?.cue === "ask" || asked?.cue === "document" ? asked.action : "straight"} />
          <p class="verify-instruction">{words}</p>
        </div>
        {offline ? (
          <p class="verify-hint">
            <WifiOff size={22} strokeWidth={1.75} aria-hidden /> {t("verify.offline")}
          </p>
        ) : (
          <p class="verify-hint">{hint ?? (nobody ? t("self.person.nobody") : "")}</p>
        )}
        <div class="verify-tools">
          {colours && (
            <Tool
              icon={MoonStar}
              onClick={() => {
                dark.value = true;
                verification.cannot(true);
              }}
            >
              {t("verify.no_light")}
            </Tool>
          )}
          {card && devices.cameras.value.length > 1 && (
            <Tool icon={SwitchCamera} onClick={() => void devices.turnCamera()}>
              {t("verify.turn_camera")}
            </Tool>
          )}
          {card ? (
            <Tool icon={IdCard} disabled={card.action === "seen"} onClick={() => verification.cannot()}>
              {t("verify.no_document")}
            </Tool>
          ) : (
            <Tool icon={Accessibility} disabled={asked?.cue !== "ask"} onClick={() => verification.cannot()}>
              {t("verify.cannot")}
            </Tool>
          )}
          <Tool icon={CircleStop} onClick={onStop}>
            {t("verify.stop")}
          </Tool>
        </div>
      </div>
    </>
  );
}

/** `onPerson`: where nobody is with them, a person can be asked for; how it went is then told elsewhere. */
export function Verify({ onPerson, children }: { onPerson?: () => void; children?: ComponentChildren }) {
  const { verification } = useCall().call;
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const stopping = useSignal(false);
  const light = verification.light.value;
  useLight(box, light);
  const view = verification.view.value;
  const plays = view?.state === "playing";
  const onKeyDown = useAlone(box, () => {
    if (verification.view.peek()?.state === "playing") stopping.value = true;
  });
  useEffect(() => {
    if (plays) return;
    stopping.value = false;
    hush();
  }, [plays]);
  return (
    <div class="verify-scrim">
      <div ref={box} class={`verify${isBright(light?.colour ?? "") ? " is-bright" : ""}`} role="dialog" aria-modal="true" aria-labelledby={id} tabIndex={-1} onKeyDown={onKeyDown}>
        <h2 id={id} class="hidden-text">
          {t("verify.title")}
        </h2>
        {plays ? <Running onStop={() => (stopping.value = true)} onPerson={onPerson} /> : onPerson ? <p class="verify-instruction">{t("verify.starting")}</p> : view && <VerifyResult view={view} />}
        {plays && stopping.value && (
          <Confirm
            title={t("verify.stop.title")}
            text={t("verify.stop.text")}
            yes={t("verify.stop.yes")}
            no={t("verify.stop.no")}
            onNo={() => (stopping.value = false)}
            onYes={() => {
              stopping.value = false;
              verification.stop();
            }}
          />
        )}
        {children}
      </div>
    </div>
  );
}
