/** Drawn people for the stories: never a photograph. One canvas each, redrawn slowly, read as a video stream. */

export interface Look {
  wall: string;
  skin: string;
  hair: string;
  coat: string;
  long: boolean;
}

export const LOOKS = {
  agent: { wall: "#b9c4c0", skin: "#e7bd9d", hair: "#2a2422", coat: "#24414a", long: true },
  customer: { wall: "#d8cbb6", skin: "#d9a985", hair: "#b9b6b2", coat: "#7b4b3a", long: false },
  expert: { wall: "#aeb6c4", skin: "#f0cbb0", hair: "#4a3428", coat: "#39405a", long: false },
  second: { wall: "#c6c9b4", skin: "#a8754f", hair: "#1d1a18", coat: "#5b5a3c", long: true },
} satisfies Record<string, Look>;

function shape(context: CanvasRenderingContext2D, colour: string, draw: () => void): void {
  context.fillStyle = colour;
  context.beginPath();
  draw();
  context.fill();
}

export function drawFace(context: CanvasRenderingContext2D, width: number, height: number, look: Look, beat: number): void {
  const x = width / 2;
  const unit = height / 128;
  const y = height * 0.5 + (beat % 2) * unit * 0.4;
  context.fillStyle = look.wall;
  context.fillRect(0, 0, width, height);
  context.fillStyle = "rgb(255 255 255 / 22%)";
  context.fillRect(width * 0.08, height * 0.08, width * 0.2, height * 0.36);
  shape(context, look.coat, () => context.ellipse(x, height * 1.06, unit * 40, unit * 36, 0, 0, 7));
  shape(context, "#f4f1ea", () => {
    context.moveTo(x - unit * 9, y + unit * 24);
    context.lineTo(x, y + unit * 42);
    context.lineTo(x + unit * 9, y + unit * 24);
  });
  if (look.long) shape(context, look.hair, () => context.ellipse(x, y + unit * 4, unit * 24, unit * 32, 0, 0, 7));
  shape(context, look.skin, () => context.roundRect(x - unit * 7, y + unit * 12, unit * 14, unit * 18, unit * 6));
  shape(context, look.skin, () => context.ellipse(x, y, unit * 18, unit * 23, 0, 0, 7));
  shape(context, look.hair, () => {
    context.ellipse(x, y - unit * 7, unit * 19, unit * 18, 0, Math.PI, 0);
    context.quadraticCurveTo(x + unit * 8, y - unit * 16, x - unit * 19, y - unit * 6);
  });
  for (const side of [-1, 1]) {
    shape(context, "#2b2320", () => context.ellipse(x + side * unit * 7, y + unit * 1, unit * 1.7, unit * 2.1, 0, 0, 7));
    context.strokeStyle = look.hair;
    context.lineWidth = unit * 1.2;
    context.beginPath();
    context.arc(x + side * unit * 7, y - unit * 1, unit * 4.4, Math.PI * 1.25, Math.PI * 1.75);
    context.stroke();
  }
  context.strokeStyle = "#8d4a3f";
  context.lineWidth = unit * 1.4;
  context.lineCap = "round";
  context.beginPath();
  context.arc(x, y + unit * 6, unit * 6.5, Math.PI * 0.2, Math.PI * 0.8);
  context.stroke();
}

/** A window with a form in it, without words. */
function drawScreen(context: CanvasRenderingContext2D, width: number, height: number): void {
  const box = (colour: string, x: number, y: number, w: number, h: number, r = 6) => shape(context, colour, () => context.roundRect(x, y, w, h, r));
  context.fillStyle = "#dfe3e6";
  context.fillRect(0, 0, width, height);
  box("#ffffff", 40, 40, width - 80, height - 80, 12);
  box("#20525b", 40, 40, width - 80, 56, 12);
  box("#f3f5f6", 70, 130, 260, height - 200);
  for (let index = 0; index < 6; index += 1) box("#c9d0d4", 90, 156 + index * 44, 180 - (index % 3) * 30, 14);
  for (let index = 0; index < 4; index += 1) {
    box("#b9c1c6", 380, 140 + index * 100, 160, 14);
    box("#eef1f2", 380, 164 + index * 100, width - 480, 48);
  }
  box("#0e5a66", 380, 548, 200, 52, 26);
}

const made = new Map<string, MediaStream>();

function stream(key: string, width: number, height: number, draw: (context: CanvasRenderingContext2D, beat: number) => void): MediaStream {
  const kept = made.get(key);
  if (kept) return kept;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no 2D canvas");
  let beat = 0;
  draw(context, beat);
  const result = canvas.captureStream(2);
  setInterval(() => {
    beat += 1;
    draw(context, beat);
  }, 500);
  made.set(key, result);
  return result;
}

export function faceStream(name: keyof typeof LOOKS, height = 480): MediaStream {
  const width = (height * 4) / 3;
  return stream(`${name}${height}`, width, height, (context, beat) => drawFace(context, width, height, LOOKS[name], beat));
}

export function screenStream(): MediaStream {
  return stream("screen", 1280, 720, (context) => drawScreen(context, 1280, 720));
}
