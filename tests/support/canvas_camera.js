// In place of the camera: a canvas that shows frames of a clip, played so that its person answers what the page is told (`window.__tp.cues`, from
// instrument.js), in the light of the colours that the page shows. The microphone stays what it is. Frames come from the test when a camera is first asked for.
(() => {
  const EVERY_MS = 60; // 16 pictures a second at most
  const [WIDTH, HEIGHT] = [640, 480];
  const devices = navigator.mediaDevices;
  if (!devices?.getUserMedia) return;
  const native = devices.getUserMedia.bind(devices);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [WIDTH, HEIGHT];
  const paint = canvas.getContext("2d", { alpha: false });
  // `answers`: what was begun, and when; for whoever wants to know how it went.
  const camera = (window.__camera = { canvas, draws: 0, since_ms: 0, late_ms: 0, answers: [], light: [1, 1, 1] });
  let opened = null;

  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const srgb = (value) => (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055);

  // What the page shines: the ground of the check, faded as it is; white while there is none. As it was a little before: displays and cameras take a while.
  const past = [];
  const shown = (now, late_s) => {
    past.push({ at: now, light: shines() });
    while (past.length > 1 && past[1].at <= now - late_s) past.shift();
    return past[0].light;
  };
  const shines = () => {
    const box = document.querySelector(".verify");
    const found = box && /^rgba?\((\d+), (\d+), (\d+)\)$/.exec(getComputedStyle(box).backgroundColor);
    return found && box.style.backgroundColor !== "" ? found.slice(1).map((part) => linear(Number(part) / 255)) : [1, 1, 1];
  };
  // As much of it as falls on something, as a colour to multiply with. Of a middle tone: gains of light are no gains of sRGB.
  const tint = (light, share) => {
    const middle = 0.2;
    const parts = light.map((part) => Math.round((255 * srgb(middle * (1 + share * (part - 1)))) / srgb(middle)));
    return `rgb(${parts.join(" ")})`;
  };

  const bitmap = async (text) => createImageBitmap(new Blob([Uint8Array.from(atob(text), (char) => char.charCodeAt(0))], { type: "image/jpeg" }));

  // A soft oval in the middle of its square, and what is under it: throat and shoulders.
  const masked = () => {
    const mask = document.createElement("canvas");
    [mask.width, mask.height] = [256, 384];
    const draw = mask.getContext("2d");
    draw.filter = "blur(12px)";
    draw.fillStyle = "rgb(0 0 0 / 60%)";
    draw.fillRect(56, 190, 144, 170);
    draw.fillStyle = "black";
    draw.beginPath();
    draw.ellipse(128, 128, 98, 104, 0, 0, 2 * Math.PI);
    draw.fill();
    return mask;
  };
  // Of its 256 by 384 the face takes 158 by 158, so: half axes of 0.62 of its width and 0.66 of its height.
  const FACE = 158;

  const grainy = () => {
    const grain = document.createElement("canvas");
    [grain.width, grain.height] = [WIDTH + 80, HEIGHT + 80];
    const draw = grain.getContext("2d");
    const data = draw.createImageData(grain.width, grain.height);
    const words = new Uint32Array(data.data.buffer);
    for (let at = 0; at < words.length; at += 1) words[at] = Math.random() < 0.5 ? 0xffffffff : 0xff000000;
    draw.putImageData(data, 0, 0);
    return grain;
  };

  const play = async () => {
    const clip = JSON.parse(await window.__clip());
    const frames = new Map();
    await Promise.all(Object.entries(clip.frames).map(async ([index, text]) => frames.set(Number(index), await bitmap(text))));
    const cards = new Map();
    for (const [action, text] of Object.entries(clip.cards)) cards.set(action, await bitmap(text));
    const [mask, grain] = [masked(), grainy()];
    const coloured = document.createElement("canvas");
    [coloured.width, coloured.height] = [mask.width, mask.height];
    const mix = coloured.getContext("2d");
    const waves = Array.from({ length: 6 }, () => [0.2 + Math.random(), 6.3 * Math.random()]);
    const unrest = (part, now) => (clip.unrest_px / 2) * waves.slice(part, part + 3).reduce((sum, [rate, turn]) => sum + Math.sin(2 * Math.PI * rate * now + turn), 0);
    const seconds = () => performance.now() / 1000;
    const began = seconds();

    let heard = 0; // cues
    let told = 0; // beginnings and ends of attempts
    let { declines } = clip;
    let paused = null; // { from, until }
    let planned = []; // { at, action }
    let playing = null; // { at, frames }
    let closer = false;
    let near = { at: began, share: 0 }; // a second from where they sit to where they are close, and back
    let blind = null;
    let card = null;

    const perform = (action, now) => {
      camera.answers.push({ action, at_ms: performance.now() });
      if (action === "come_closer") closer = true;
      else playing = { at: now, frames: clip.cuts[action] };
    };
    const hear = (now) => {
      for (const cue of window.__tp.cues.slice(heard)) {
        if (cue.cue === "ask" && clip.pauses_s > 0) paused ??= { from: now + 0.3, until: now + 0.3 + clip.pauses_s };
        if (clip.answers && cue.cue === "ask") {
          if (declines > 0) declines -= 1;
          else planned.push({ at: now + clip.react_s, action: cue.action });
        }
        if (cue.cue === "document" && (cards.has(cue.action) || cue.action === "seen")) card = cards.get(cue.action) ?? null;
        if (cue.cue === "settle") {
          card = null;
          closer = false;
          planned = [];
          blind = clip.answers ? null : { at: now + 3, next: 0 };
        }
      }
      heard = window.__tp.cues.length;
      const { checks } = window.__tp;
      // Nobody asks for it any more, and the next attempt would see another action.
      if (checks.slice(told).some(({ state }) => state === "over")) {
        planned = [];
        closer = false;
      }
      told = checks.length;
      if (blind !== null && playing === null && now >= blind.at) {
        perform(clip.blindly[blind.next % clip.blindly.length], now);
        blind = { at: now + 3.5, next: blind.next + 1 };
      }
    };
    const chosen = (now) => {
      if (playing === null && planned.length > 0 && now >= planned[0].at) perform(planned.shift().action, now);
      if (playing !== null) {
        const index = playing.frames[Math.floor((now - playing.at) * clip.fps)];
        if (index !== undefined) return index;
        playing = null;
      }
      return clip.hold[Math.floor((now - began) * clip.fps) % clip.hold.length];
    };
    // Held before the camera: as large as its picture is, and never quite still.
    const drawCard = (now) => {
      if (canvas.width !== card.width) [canvas.width, canvas.height] = [card.width, card.height];
      paint.drawImage(card, unrest(0, now) - 8, unrest(3, now) - 8, card.width + 16, card.height + 16);
      camera.draws += 1;
    };
    const draw = () => {
      const now = seconds();
      hear(now);
      if (paused !== null && now >= paused.from && now < paused.until) return;
      if (card !== null) {
        drawCard(now);
        return;
      }
      if (canvas.width !== WIDTH) [canvas.width, canvas.height] = [WIDTH, HEIGHT];
      const index = chosen(now);
      const frame = frames.get(index);
      const step = Math.min(0.3, now - near.at);
      near = { at: now, share: closer ? Math.min(1, near.share + step) : Math.max(0, near.share - step) };
      const scale = clip.scale * (1 + (clip.closer - 1) * near.share);
      // The bottom of a frame stays at the bottom: shoulders have no lower edge.
      const left = WIDTH / 2 - (scale * frame.width) / 2 + unrest(0, now);
      const top = HEIGHT - scale * frame.height + Math.abs(unrest(3, now));
      paint.globalCompositeOperation = "source-over";
      paint.globalAlpha = 1;
      paint.drawImage(frame, left, top, scale * frame.width, scale * frame.height);
      const light = (camera.light = clip.light > 0 ? shown(now, clip.late_s) : [1, 1, 1]);
      if (light.some((part) => part < 1)) {
        paint.globalCompositeOperation = "multiply";
        paint.fillStyle = tint(light, clip.spill);
        paint.fillRect(0, 0, WIDTH, HEIGHT);
        const [x0, y0, x1, y1] = clip.faces[index];
        mix.globalCompositeOperation = "source-over";
        mix.fillStyle = tint(light, clip.light);
        mix.fillRect(0, 0, mask.width, mask.height);
        mix.globalCompositeOperation = "destination-in";
        mix.drawImage(mask, 0, 0);
        const [wide, high] = [(scale * (x1 - x0)) / FACE, (scale * (y1 - y0)) / FACE];
        paint.drawImage(coloured, left + (scale * (x0 + x1)) / 2 - 128 * wide, top + (scale * (y0 + y1)) / 2 - 128 * high, mask.width * wide, mask.height * high);
      }
      paint.globalCompositeOperation = "source-over";
      paint.globalAlpha = 0.01;
      paint.drawImage(grain, -80 * Math.random(), -80 * Math.random());
      camera.draws += 1;
      camera.since_ms ||= performance.now();
      camera.late_ms = Math.max(camera.late_ms, performance.now() - 1000 * now);
    };
    draw();
    setInterval(draw, EVERY_MS);
  };

  devices.getUserMedia = async (wanted) => {
    if (!wanted?.video) return native(wanted);
    const stream = new MediaStream();
    if (wanted.audio) for (const track of (await native({ audio: wanted.audio })).getAudioTracks()) stream.addTrack(track);
    await (opened ??= play());
    for (const track of canvas.captureStream(1000 / EVERY_MS).getVideoTracks()) stream.addTrack(track);
    return stream;
  };
})();
