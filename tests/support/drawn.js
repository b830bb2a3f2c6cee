// For pictures in the documentation: the camera is a drawn person instead of Chromium's test pattern. Never a photograph.
(() => {
  const LOOKS = {
    agent: { wall: "#b9c4c0", skin: "#e7bd9d", hair: "#2a2422", coat: "#24414a", long: true },
    customer: { wall: "#d8cbb6", skin: "#d9a985", hair: "#b9b6b2", coat: "#7b4b3a", long: false },
    expert: { wall: "#aeb6c4", skin: "#f0cbb0", hair: "#4a3428", coat: "#39405a", long: false },
  };
  const look = LOOKS.__ROLE__;
  const canvas = Object.assign(document.createElement("canvas"), { width: 960, height: 540 });
  const pen = canvas.getContext("2d");
  const fill = (colour, draw) => {
    pen.fillStyle = colour;
    pen.beginPath();
    draw();
    pen.fill();
  };
  const draw = (beat) => {
    const u = canvas.height / 128;
    const x = canvas.width / 2;
    const y = canvas.height * 0.5 + Math.sin(beat / 6) * u * 0.6;
    pen.fillStyle = look.wall;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = "rgb(255 255 255 / 22%)";
    pen.fillRect(canvas.width * 0.08, canvas.height * 0.08, canvas.width * 0.2, canvas.height * 0.36);
    fill(look.coat, () => pen.ellipse(x, canvas.height * 1.06, u * 40, u * 36, 0, 0, 7));
    fill("#f4f1ea", () => {
      pen.moveTo(x - u * 9, y + u * 24);
      pen.lineTo(x, y + u * 42);
      pen.lineTo(x + u * 9, y + u * 24);
    });
    if (look.long) fill(look.hair, () => pen.ellipse(x, y + u * 4, u * 24, u * 32, 0, 0, 7));
    fill(look.skin, () => pen.roundRect(x - u * 7, y + u * 12, u * 14, u * 18, u * 6));
    fill(look.skin, () => pen.ellipse(x, y, u * 18, u * 23, 0, 0, 7));
    fill(look.hair, () => {
      pen.ellipse(x, y - u * 7, u * 19, u * 18, 0, Math.PI, 0);
      pen.quadraticCurveTo(x + u * 8, y - u * 16, x - u * 19, y - u * 6);
    });
    for (const side of [-1, 1]) fill("#2b2320", () => pen.ellipse(x + side * u * 7, y + u, u * 1.7, u * 2.1, 0, 0, 7));
    pen.strokeStyle = "#8d4a3f";
    pen.lineWidth = u * 1.4;
    pen.lineCap = "round";
    pen.beginPath();
    pen.arc(x, y + u * 6, u * 6.5, Math.PI * 0.2, Math.PI * 0.8);
    pen.stroke();
  };
  let beat = 0;
  draw(beat);
  setInterval(() => draw((beat += 1)), 66);
  const native = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  if (!native) return;
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await native(wanted);
    for (const track of stream.getVideoTracks()) {
      stream.removeTrack(track);
      track.stop();
      stream.addTrack(canvas.captureStream(15).getVideoTracks()[0]);
    }
    return stream;
  };
})();
