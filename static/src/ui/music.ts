/** What somebody on hold hears: slow soft chords, made here; nothing is loaded and nothing is sent. */
const CHORDS = [
  [261.63, 329.63, 392.0, 493.88],
  [220.0, 261.63, 329.63, 392.0],
  [174.61, 261.63, 329.63, 440.0],
  [196.0, 246.94, 293.66, 392.0],
] as const; // C major 7, A minor 7, F major 7, G
const CHORD_S = 4;
const LOUD = 0.035; // of full scale, per note: under a voice

/** Plays until the function it returns is called. Silent where the browser has no Web Audio or nobody has touched the page. */
export function playMusic(): () => void {
  if (typeof AudioContext === "undefined") return () => undefined;
  const context = new AudioContext();
  const out = new GainNode(context, { gain: 0 });
  out.gain.linearRampToValueAtTime(1, context.currentTime + 1);
  out.connect(context.destination);
  let next = context.currentTime + 0.1;
  let bar = 0;
  const ahead = (): void => {
    while (next < context.currentTime + 2 * CHORD_S) {
      chord(context, out, CHORDS[bar % CHORDS.length] ?? CHORDS[0], next);
      next += CHORD_S;
      bar += 1;
    }
  };
  ahead();
  const timer = setInterval(ahead, (CHORD_S * 1000) / 2);
  return () => {
    clearInterval(timer);
    void context.close();
  };
}

function chord(context: AudioContext, out: AudioNode, notes: readonly number[], at: number): void {
  notes.forEach((frequency, index) => {
    const begin = at + index * 0.18; // one after the other, as on a harp
    const oscillator = new OscillatorNode(context, { type: "triangle", frequency });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, begin);
    gain.gain.linearRampToValueAtTime(LOUD, begin + 0.4);
    gain.gain.exponentialRampToValueAtTime(0.0001, begin + CHORD_S + 0.6);
    oscillator.connect(gain).connect(out);
    oscillator.start(begin);
    oscillator.stop(begin + CHORD_S + 0.7);
  });
}
