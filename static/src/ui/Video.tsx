/** A stream on the page. Preact sets properties only where they exist as attributes, so `srcObject` is set here. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** True while the browser refuses to play sound until somebody touches the page. */
export const soundBlocked = signal(false);

export function Video(props: { stream: MediaStream; mirrored?: boolean; fit?: "cover" | "contain"; label: string; videoRef?: { current: HTMLVideoElement | null } }) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = element.current;
    if (!video) return;
    video.srcObject = props.stream;
    video.play().catch(() => undefined); // muted video may always play; it rejects only when it is taken away meanwhile
    const { videoRef } = props;
    if (videoRef) videoRef.current = video;
    return () => {
      video.srcObject = null;
      if (videoRef?.current === video) videoRef.current = null;
    };
  }, [props.stream]);
  return (
    <video
      ref={element}
      class={`video ${props.fit ?? "cover"}${props.mirrored ? " mirrored" : ""}`}
      autoplay
      playsInline
      muted
      aria-label={props.label}
    />
  );
}

type WithSink = HTMLAudioElement & { setSinkId?: (id: string) => Promise<void> };

/** A voice: heard, not seen. */
export function Voice(props: { stream: MediaStream; speaker: string | null }) {
  const element = useRef<HTMLAudioElement>(null);
  const play = async () => {
    try {
      await element.current?.play();
      soundBlocked.value = false;
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotAllowedError") soundBlocked.value = true;
    }
  };
  useEffect(() => {
    const audio = element.current;
    if (!audio) return;
    audio.srcObject = props.stream;
    void play();
    return () => {
      audio.srcObject = null;
    };
  }, [props.stream]);
  useEffect(() => {
    const audio = element.current as WithSink | null;
    if (props.speaker && audio?.setSinkId) void audio.setSinkId(props.speaker).catch(() => undefined); // unplugged: the default one stays
  }, [props.speaker]);
  useEffect(() => {
    if (!soundBlocked.value) return;
    const again = () => void play();
    document.addEventListener("pointerdown", again, { once: true });
    return () => document.removeEventListener("pointerdown", again);
  }, [soundBlocked.value]);
  return <audio ref={element} autoplay class="voice" />;
}
