/** Watches how tall a tile's picture is drawn, and whether it is seen at all, and tells the call. */
import { useEffect, useRef } from "preact/hooks";
import { pictureHeight } from "../../core/drawn";
import type { Call } from "../../core/model";

/** For the element that the picture fills. `stream` null: nothing to tell. */
export function useDrawn(call: Call, stream: MediaStream | null, fit: "cover" | "contain") {
  const tile = useRef<HTMLElement>(null);
  useEffect(() => {
    const element = tile.current;
    if (element === null || stream === null) return;
    let near = true; // until the browser says otherwise
    const measure = (): void => {
      const video = element.querySelector("video");
      if (video !== null && document.pictureInPictureElement === video) return call.drawn(stream, SMALL_WINDOW * devicePixelRatio);
      if (document.hidden || !near) return call.drawn(stream, 0);
      const picture = { width: video?.videoWidth ?? 0, height: video?.videoHeight ?? 0 };
      call.drawn(stream, pictureHeight({ width: element.clientWidth, height: element.clientHeight }, picture, fit, devicePixelRatio));
    };
    const size = new ResizeObserver(measure);
    const sight = new IntersectionObserver((entries) => {
      near = entries.at(-1)?.isIntersecting ?? true;
      measure();
    });
    size.observe(element);
    sight.observe(element);
    const events = ["enterpictureinpicture", "leavepictureinpicture", "loadedmetadata"]; // the latter does not bubble: captured
    document.addEventListener("visibilitychange", measure);
    for (const event of events) element.addEventListener(event, measure, true);
    return () => {
      size.disconnect();
      sight.disconnect();
      document.removeEventListener("visibilitychange", measure);
      for (const event of events) element.removeEventListener(event, measure, true);
      call.drawn(stream, 0);
    };
  }, [call, stream, fit]);
  return tile;
}

const SMALL_WINDOW = 360; // lines of the window on top, which can be pulled larger: it shows one face
