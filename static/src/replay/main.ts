/** The frame with the replay: a document of its own, whose policy fetches nothing. It knows no session and no token: the page around it brings the events. */
import "./replay.css";
import { Pictures } from "./images";
import { Player } from "./player";
import type { PlayerEvents } from "./player";
import { Surface } from "./surface";
import { HELLO } from "./messages";
import type { FromFrame, ToFrame } from "./messages";

/** From here on no script is loaded any more either, here and in every frame within. */
function shut(): void {
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = "default-src 'none'; img-src blob:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
  document.head.append(policy);
}

function begin(port: MessagePort): void {
  const say = (what: FromFrame): void => port.postMessage(what);
  const surface = new Surface(document.body, say);
  const pictures = new Pictures();
  let player: Player | null = null; // what is seen
  let next: { player: Player; page: number; root: HTMLElement } | null = null; // a picture that is not whole yet
  let complained = false; // about this picture

  const lost = (): void => {
    if (complained) return;
    complained = true;
    say({ say: "lost" });
  };
  const forget = (): void => {
    surface.show(null);
    [player, next?.player].forEach((one) => one?.destroy());
    [player, next] = [null, null];
    pictures.forget();
  };
  const turn = (page: number): void => {
    next?.player.destroy();
    next?.root.remove();
    const root = surface.sheet();
    const events: PlayerEvents = {
      drawn: () => {
        if (next?.player !== made) return;
        const before = player;
        player = made;
        next = null;
        surface.show({ root, page, document: () => made.document, numbers: made.numbers });
        before?.destroy();
        say({ say: "drawn", page });
      },
      sized: (width, height) => surface.size(root, width, height),
      lost,
    };
    const made = new Player(root, events, pictures, page);
    next = { player: made, page, root };
    complained = false;
  };
  const take = (text: string, page: number, begins: boolean): void => {
    // A picture is two events: its size, and itself.
    if (begins && (next === null || next.page !== page || complained)) turn(page);
    try {
      (next?.player ?? player)?.take(text);
    } catch {
      lost();
    }
    surface.changed();
  };

  port.onmessage = ({ data }: MessageEvent<ToFrame>) => {
    switch (data.do) {
      case "event":
        take(data.text, data.page, data.begins);
        break;
      case "image":
        pictures.take(data.page, data.asset, data.data);
        [player, next?.player].forEach((one) => one?.illustrate());
        break;
      case "forget":
        forget();
        break;
      case "zoom":
        surface.zoom(data.zoom);
        break;
      case "tool":
        surface.use(data.tool, data.pointer);
        break;
      case "drawn":
        surface.drawn(data);
        break;
      case "show":
        surface.seek(data.node);
        break;
      case "words":
        document.documentElement.lang = data.language;
        document.documentElement.dir = data.dir;
        surface.call(data.words);
        break;
    }
  };
  say({ say: "ready" });
}

shut();
addEventListener("message", function hello(event: MessageEvent<unknown>) {
  const [port] = event.ports;
  if (event.source !== parent || parent === window || event.origin !== location.origin || event.data !== HELLO || port === undefined) return;
  removeEventListener("message", hello);
  begin(port);
});
