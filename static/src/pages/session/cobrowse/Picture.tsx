/** The frame with the replay: a document with a policy of its own, which this page tells the events and hears from by one port. */
import { useEffect, useRef } from "preact/hooks";
import { language, t } from "../../../i18n";
import { HELLO } from "../../../replay/messages";
import type { FromFrame, Hand, ToFrame } from "../../../replay/messages";
import { useCall } from "../ui";
import type { CallUi } from "../ui";
import { may } from "./state";

const ADDRESS = "/replay.html";
const COLOURS = 6;

/** Who points and draws, each in a colour that stays while they are here; one's own is the first. */
function hands(ui: CallUi): Hand[] {
  const state = ui.call.cobrowse.state.value;
  const others = (state?.viewers ?? []).filter(({ id }) => id !== state?.viewer);
  return [{ viewer: "", name: "", colour: 0 }, ...others.map(({ id, name }, index) => ({ viewer: id, name, colour: 1 + (index % (COLOURS - 1)) }))];
}

function heard(ui: CallUi, said: FromFrame): void {
  const { cobrowse } = ui.call;
  const { page } = ui;
  switch (said.say) {
    case "lost":
      cobrowse.resync();
      break;
    case "scale":
      page.scale.value = said.scale;
      break;
    case "point":
      cobrowse.point(said.page, said.at);
      break;
    case "marked":
      cobrowse.mark(said.page, said.kind, said.spots);
      break;
    case "escape":
      page.tool.value = "none";
      break;
    case "picked": {
      const { picked, tool } = said;
      page.hint.value = null;
      if (tool === "fill") {
        if (picked.kind === "field") page.fills.value = { ...picked, page: said.page };
        else page.hint.value = "not_field";
      } else if (tool === "scroll" || tool === "click") cobrowse.act(said.page, picked.node, tool, picked.what);
      break;
    }
    case "ready":
    case "drawn":
      break; // the frame's own
  }
}

export function Picture() {
  const ui = useCall();
  const { cobrowse } = ui.call;
  const { page } = ui;
  const frame = useRef<HTMLIFrameElement>(null);
  const port = useRef<MessagePort | null>(null);
  const tell = (what: ToFrame): void => port.current?.postMessage(what);
  const tool = page.tool.value;
  const pointer = may(ui.call, "point") && tool !== "none";
  const drawn: ToFrame = {
    do: "drawn",
    marks: cobrowse.marks.value,
    pointers: [...cobrowse.pointers.value].map(([viewer, at]) => ({ viewer, at })),
    hands: hands(ui),
  };
  const words: ToFrame = { do: "words", words: { picture: t("cobrowse.picture"), surface: t("cobrowse.surface") }, language: language.value, dir: document.documentElement.dir };
  const now = useRef({ drawn, words, pointer });
  now.current = { drawn, words, pointer };

  const begin = (): void => {
    const inside = frame.current?.contentWindow;
    if (!inside || port.current !== null) return;
    const channel = new MessageChannel();
    channel.port1.onmessage = ({ data }: MessageEvent<FromFrame>) => {
      if (data.say === "ready") {
        port.current = channel.port1;
        tell(now.current.words);
        tell({ do: "zoom", zoom: page.zoom.peek() });
        tell({ do: "tool", tool: page.tool.peek(), pointer: now.current.pointer });
        stop.current = cobrowse.read({ event: (event) => tell({ do: "event", ...event }), forget: () => tell({ do: "forget" }) });
        tell(now.current.drawn);
      } else if (data.say === "drawn") frame.current?.setAttribute("data-page", String(data.page));
      else heard(ui, data);
    };
    inside.postMessage(HELLO, location.origin, [channel.port2]);
  };
  const stop = useRef<(() => void) | null>(null);
  useEffect(
    () => () => {
      stop.current?.();
      port.current?.close();
    },
    [],
  );
  useEffect(() => tell({ do: "zoom", zoom: page.zoom.value }), [page.zoom.value]);
  useEffect(() => tell({ do: "tool", tool, pointer }), [tool, pointer]);
  useEffect(() => tell(drawn), [cobrowse.marks.value, cobrowse.pointers.value, cobrowse.state.value?.viewers]);
  useEffect(() => tell(words), [language.value]);
  return <iframe ref={frame} class="page-frame" src={ADDRESS} title={t("cobrowse.picture")} onLoad={begin} />;
}
