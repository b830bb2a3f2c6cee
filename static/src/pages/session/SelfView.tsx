/** One's own picture: small, in a corner; dragged there, or moved with the arrow keys. */
import { MicOff, VideoOff } from "lucide-preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { t } from "../../i18n";
import { Video } from "../../ui/Video";
import { isOn, useCall } from "./ui";

export function SelfPicture() {
  const { call } = useCall();
  const stream = call.devices.preview.value;
  const shown = isOn(call, "camera") && stream;
  return (
    <>
      {shown ? (
        <Video stream={stream} mirrored label={t("self.video")} />
      ) : (
        <div class="tile-still">
          <VideoOff size={22} strokeWidth={1.75} aria-hidden />
        </div>
      )}
      <span class="tile-name">
        {!isOn(call, "microphone") && (
          <>
            <MicOff size={14} strokeWidth={2} aria-hidden />
            <span class="hidden-text">{t("tile.muted")}</span>
          </>
        )}
        {t("you")}
      </span>
    </>
  );
}

export function SelfView() {
  const box = useRef<HTMLDivElement>(null);
  const right = useSignal(true);
  const bottom = useSignal(true);
  const from = useRef<{ x: number; y: number } | null>(null);
  const { call } = useCall();
  const me = call.me.value;
  const speaking = me !== null && call.speaking.value.has(me.id);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const drag = (event: PointerEvent) => {
      if (from.current) element.style.transform = `translate(${event.clientX - from.current.x}px, ${event.clientY - from.current.y}px)`;
    };
    const drop = () => {
      if (!from.current) return;
      from.current = null;
      const mine = element.getBoundingClientRect();
      const around = element.parentElement?.getBoundingClientRect();
      element.style.transform = "";
      if (!around) return;
      right.value = mine.left + mine.width / 2 > around.left + around.width / 2;
      bottom.value = mine.top + mine.height / 2 > around.top + around.height / 2;
    };
    addEventListener("pointermove", drag);
    addEventListener("pointerup", drop);
    addEventListener("pointercancel", drop);
    return () => {
      removeEventListener("pointermove", drag);
      removeEventListener("pointerup", drop);
      removeEventListener("pointercancel", drop);
    };
  }, []);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowLeft") right.value = false;
    else if (event.key === "ArrowRight") right.value = true;
    else if (event.key === "ArrowUp") bottom.value = false;
    else if (event.key === "ArrowDown") bottom.value = true;
    else return;
    event.preventDefault();
  };
  return (
    <div
      ref={box}
      class={`self${right.value ? " right" : ""}${bottom.value ? " bottom" : ""}${speaking ? " speaking" : ""}`}
      role="group"
      tabIndex={0}
      aria-label={t("self.label")}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        from.current = { x: event.clientX, y: event.clientY };
      }}
    >
      <SelfPicture />
    </div>
  );
}
