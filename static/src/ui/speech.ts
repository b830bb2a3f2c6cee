/** Words spoken by the device's own voice, in the page's language. A voice that is made elsewhere is not asked: our words stay here. */
import { language } from "../i18n";
import { sounds } from "./prefs";

const LANGUAGES = { zh: "zh-CN", en: "en-GB" } as const;

let newest = "";

/** Instead of what is being said. Nothing where sounds are off or this device has no such voice. */
export function speak(text: string): void {
  hush();
  if (!sounds.value || typeof speechSynthesis === "undefined") return;
  newest = text;
  const voices = speechSynthesis.getVoices();
  if (voices.length === 0) {
    // Not read yet; they come a moment after they are first asked for.
    speechSynthesis.addEventListener("voiceschanged", () => newest === text && speechSynthesis.getVoices().length > 0 && speak(text), { once: true });
    return;
  }
  const wanted = language.value;
  const voice = voices.find((one) => one.localService && one.lang.toLowerCase().startsWith(wanted));
  if (voice === undefined) return;
  const words = new SpeechSynthesisUtterance(text);
  words.voice = voice;
  words.lang = LANGUAGES[wanted];
  speechSynthesis.speak(words);
}

export function hush(): void {
  newest = "";
  if (typeof speechSynthesis !== "undefined") speechSynthesis.cancel();
}
