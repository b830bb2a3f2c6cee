/** A tab that masks nothing: the recorder as the script loads it, with all that it can tell, straight into the socket. `bare.open(ws, recorder)`. */
window.bare = (() => {
  const CHUNK = 40_000;
  const own = { state: null, code: "", open, draw };
  let socket = null;
  let record = null;
  let halt = null;
  let n = 0;

  const say = (message) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));
  function send(event) {
    const text = JSON.stringify(event);
    n += 1;
    for (let from = 0; from < text.length; ) {
      let to = Math.min(from + CHUNK, text.length);
      if (to < text.length && /[\ud800-\udbff]/.test(text[to - 1])) to -= 1;
      say({ type: "tab.dom", page: 1, n, text: text.slice(from, to), last: to === text.length });
      from = to;
    }
  }
  function draw() {
    halt?.();
    halt = record({
      emit: send,
      maskAllInputs: false,
      maskInputOptions: { password: false },
      blockClass: /(?!)/,
      slimDOMOptions: false,
      inlineStylesheet: true,
      inlineImages: true,
      recordCanvas: true,
      collectFonts: true,
      userTriggeredOnInput: true,
      sampling: { mousemove: 50, scroll: 100 },
    });
  }
  const heard = {
    "tab.state": (said) => Object.assign(own, { state: said.state, code: said.code || own.code }),
    "consent.ask": (said) => say({ type: "tab.consent", viewer: said.viewer.id, scope: said.scope, given: true, rules: said.rules }),
    "picture.want": draw,
  };
  async function open(url, recorder, site) {
    record = await new Promise((resolve, reject) => {
      const script = document.createElement("script");
      Object.assign(script, { tongping: resolve, onerror: reject, src: recorder });
      document.head.append(script);
    });
    socket = new WebSocket(url);
    socket.onopen = () => say({ type: "tab.hello", site, token: "", tab: "t1", page: 1 });
    socket.onmessage = ({ data }) => {
      const said = JSON.parse(data);
      heard[said.type]?.(said);
    };
    socket.onclose = () => halt?.();
  }
  return Object.assign(own, { say, send, custom: (tag, payload) => record.addCustomEvent(tag, payload) });
})();
