/** Soft tones for "somebody came", "somebody went" and "you are asked"; made here, nothing is loaded. */
import { sounds } from "./prefs";

const NOTES = {
  join: [523.25, 659.25],
  leave: [523.25, 392],
  ask: [659.25, 659.25],
  message: [783.99],
} as const;

let context: AudioContext | null = null;

export function playTone(name: keyof typeof NOTES): void {
  if (!sounds.value || typeof AudioContext === "undefined") return;
  context ??= new AudioContext();
  if (context.state === "suspended") return; // nobody has touched the page yet: stay silent
  const start = context.currentTime;
  NOTES[name].forEach((frequency, index) => {
    if (!context) return;
    const at = start + index * 0.14;
    const oscillator = new OscillatorNode(context, { type: "sine", frequency });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.06, at + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, at + 0.3);
    oscillator.connect(gain).connect(context.destination);
    oscillator.start(at);
    oscillator.stop(at + 0.32);
  });
}
