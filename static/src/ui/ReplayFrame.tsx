/** The frame with the replay: a document with a policy of its own, which the page around it tells the events and hears from by one port. */
import { useEffect, useRef } from "preact/hooks";
import type { PageReader } from "../core/cobrowse";
import type { Mark, Spot } from "../cobrowse.gen";
import { language, t } from "../i18n";
import { HELLO } from "../replay/messages";
import type { FromFrame, Hand, ToFrame, Tool, Zoom } from "../replay/messages";

const ADDRESS = "/replay.html";

export interface ReplayFrameProps {
  /** From here on the events come to the reader. Returns what ends it. */
  read: (reader: PageReader) => () => void;
  heard?: (said: FromFrame) => void;
  marks: readonly Mark[];
  pointers: ReadonlyMap<string, Spot>;
  hands: readonly Hand[];
  zoom: Zoom;
  tool?: Tool;
  /** Where one's own pointer is, is said. */
  pointer?: boolean;
  surface: string;
  /** Fields in error, outlined. */
  wrong?: readonly number[] | undefined;
  /** A node that is brought into view; anew with each new object. */
  sought?: { readonly node: number } | null;
}

const NONE: readonly number[] = [];

export function ReplayFrame({ read, heard, marks, pointers, hands, zoom, tool = "none", pointer = false, surface, wrong = NONE, sought = null }: ReplayFrameProps) {
  const frame = useRef<HTMLIFrameElement>(null);
  const port = useRef<MessagePort | null>(null);
  const stop = useRef<(() => void) | null>(null);
  const tell = (what: ToFrame): void => port.current?.postMessage(what);
  const drawn: ToFrame = { do: "drawn", marks, pointers: [...pointers].map(([viewer, at]) => ({ viewer, at })), hands, wrong };
  const words: ToFrame = { do: "words", words: { picture: t("cobrowse.picture"), surface }, language: language.value, dir: document.documentElement.dir };
  const now = useRef({ drawn, words, zoom, tool, pointer, heard });
  now.current = { drawn, words, zoom, tool, pointer, heard };

  const begin = (): void => {
    const inside = frame.current?.contentWindow;
    if (!inside || port.current !== null) return;
    const channel = new MessageChannel();
    channel.port1.onmessage = ({ data }: MessageEvent<FromFrame>) => {
      if (data.say === "ready") {
        port.current = channel.port1;
        tell(now.current.words);
        tell({ do: "zoom", zoom: now.current.zoom });
        tell({ do: "tool", tool: now.current.tool, pointer: now.current.pointer });
        stop.current = read({ event: (event) => tell({ do: "event", ...event }), image: (image) => tell({ do: "image", ...image }), forget: () => tell({ do: "forget" }) });
        tell(now.current.drawn);
      } else if (data.say === "drawn") frame.current?.setAttribute("data-page", String(data.page));
      else now.current.heard?.(data);
    };
    inside.postMessage(HELLO, location.origin, [channel.port2]);
  };
  useEffect(
    () => () => {
      stop.current?.();
      port.current?.close();
    },
    [],
  );
  useEffect(() => tell({ do: "zoom", zoom }), [zoom]);
  useEffect(() => tell({ do: "tool", tool, pointer }), [tool, pointer]);
  useEffect(() => tell(drawn), [marks, pointers, hands, wrong]);
  useEffect(() => tell(words), [language.value]);
  useEffect(() => {
    if (sought !== null) tell({ do: "show", node: sought.node });
  }, [sought]);
  return <iframe ref={frame} class="page-frame" src={ADDRESS} title={t("cobrowse.picture")} onLoad={begin} />;
}
