/** A stream on the page. Preact sets properties only where they exist as attributes, so `srcObject` is set here. */
import { useEffect, useRef } from "preact/hooks";

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
