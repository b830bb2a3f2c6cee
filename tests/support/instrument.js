// Watches a page from outside: its peer connections and what signalling tells it. Changes nothing that the page does.
(() => {
  const tp = { peers: [], sockets: 0, offers: 0, slots: new Map(), people: new Map(), me: null, marks: {}, cues: [], checks: [] };
  const mark = (name) => {
    tp.marks[name] ??= performance.now();
  };
  const NativePeer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends NativePeer {
    constructor(...settings) {
      super(...settings);
      tp.peers.push(this);
      this.addEventListener("track", (event) => {
        if (event.track.kind !== "video" || !("MediaStreamTrackProcessor" in window)) return;
        const reader = new MediaStreamTrackProcessor({ track: event.track.clone() }).readable.getReader();
        reader.read().then(({ value }) => {
          mark("frame");
          value?.close();
          void reader.cancel();
        });
      });
    }
  };
  const person = (view) => tp.people.set(view.id, view);
  const handle = (frame) => {
    if (frame.t === "welcome") {
      mark("welcome");
      if (frame.snapshot) {
        tp.me = frame.snapshot.you.id;
        frame.snapshot.participants.forEach(person);
      }
    }
    const body = frame.body;
    if (!body) return;
    if (body.type === "media.answer") mark("answer");
    if (body.type === "slots") tp.slots = new Map(body.slots.map((slot) => [slot.mid, slot]));
    if (body.type === "verification.cue") tp.cues.push({ ...body, at_ms: performance.now() });
    if (body.type === "verification.changed") tp.checks.push({ ...body, at_ms: performance.now() });
    if (body.type === "admitted") body.snapshot.participants.forEach(person);
    if (body.type === "participant.changed") person(body.participant);
  };
  const NativeSocket = window.WebSocket;
  window.WebSocket = class extends NativeSocket {
    constructor(...settings) {
      super(...settings);
      tp.sockets += 1;
      this.addEventListener("message", (event) => handle(JSON.parse(event.data)));
    }
    send(data) {
      const frame = JSON.parse(data);
      if (frame.t === "hello") mark("hello");
      if (frame.body?.type === "media.offer") {
        mark("offer");
        tp.offers += 1;
      }
      super.send(data);
    }
  };
  const nativeFetch = window.fetch;
  window.fetch = async (...request) => {
    const answer = await nativeFetch(...request);
    if (String(request[0]?.url ?? request[0]).includes("/invitations/redeem")) mark("token");
    return answer;
  };
  // One row for each receiving line, with whom it shows now.
  tp.inbound = async () => {
    const rows = [];
    for (const peer of tp.peers) {
      if (peer.connectionState === "closed") continue;
      for (const stat of (await peer.getStats()).values()) {
        if (stat.type !== "inbound-rtp") continue;
        const slot = tp.slots.get(stat.mid);
        const who = slot?.participant ? tp.people.get(slot.participant) : undefined;
        rows.push({
          mid: stat.mid,
          kind: stat.kind,
          participant: slot?.participant ?? null,
          role: who?.role ?? null,
          name: who?.name ?? null,
          source: slot?.source ?? null,
          packets: stat.packetsReceived ?? 0,
          frames: stat.framesDecoded ?? 0,
          energy: stat.totalAudioEnergy ?? 0,
          at_ms: stat.timestamp,
        });
      }
    }
    return rows;
  };
  window.__tp = tp;
})();
