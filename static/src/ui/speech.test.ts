import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { language } from "../i18n";
import { sounds } from "./prefs";
import { hush, speak } from "./speech";

interface Voice {
  lang: string;
  localService: boolean;
}

class Utterance {
  voice: Voice | null = null;
  lang = "";
  constructor(readonly text: string) {}
}

/** What a device says, and what it was told to be silent about. */
class Device extends EventTarget {
  said: Utterance[] = [];
  /** Of what was being said when it was told to stop. */
  cut: string[] = [];
  saying = "";
  constructor(public voices: Voice[]) {
    super();
  }
  getVoices(): Voice[] {
    return this.voices;
  }
  speak(words: Utterance): void {
    this.said.push(words);
    this.saying = words.text;
  }
  cancel(): void {
    if (this.saying !== "") this.cut.push(this.saying);
    this.saying = "";
  }
  come(voices: Voice[]): void {
    this.voices = voices;
    this.dispatchEvent(new Event("voiceschanged"));
  }
  get texts(): string[] {
    return this.said.map((one) => one.text);
  }
}

const CHINESE: Voice = { lang: "zh-CN", localService: true };
const ENGLISH: Voice = { lang: "en-US", localService: true };
const ELSEWHERE: Voice = { lang: "en-GB", localService: false };

function on(voices: Voice[]): Device {
  const device = new Device(voices);
  vi.stubGlobal("speechSynthesis", device);
  vi.stubGlobal("SpeechSynthesisUtterance", Utterance);
  return device;
}

beforeEach(() => {
  language.value = "en";
  sounds.value = true;
});
afterEach(() => {
  hush();
  sounds.value = true;
});

describe("a voice of this device", () => {
  it.each([
    ["en", "Turn your head to the left", ENGLISH, "en-GB"],
    ["zh", "请向左转头", CHINESE, "zh-CN"],
  ] as const)("says it in the page's language (%s)", (chosen, text, voice, lang) => {
    const device = on([ELSEWHERE, CHINESE, ENGLISH]);
    language.value = chosen;
    speak(text);
    expect(device.said).toEqual([{ text, voice, lang }]);
  });

  it("is found however its language is written", () => {
    const device = on([{ lang: "ZH-Hans-CN", localService: true }]);
    language.value = "zh";
    speak("请眨眼");
    expect(device.texts).toEqual(["请眨眼"]);
  });

  it("says what is new in place of what it is saying", () => {
    const device = on([ENGLISH]);
    speak("Turn your head to the left");
    speak("Nod");
    expect([device.texts, device.cut, device.saying]).toEqual([["Turn your head to the left", "Nod"], ["Turn your head to the left"], "Nod"]);
  });

  it("is silent when it is told to be", () => {
    const device = on([ENGLISH]);
    speak("Nod");
    hush();
    expect([device.cut, device.saying]).toEqual([["Nod"], ""]);
  });
});

describe("nothing is said", () => {
  it("by a voice that is made elsewhere", () => {
    const device = on([ELSEWHERE]);
    speak("Nod");
    expect(device.said).toEqual([]);
  });

  it("in a language that no voice here has", () => {
    const device = on([ENGLISH]);
    language.value = "zh";
    speak("请点头");
    expect(device.said).toEqual([]);
  });

  it("where sounds are off; what was being said ends", () => {
    const device = on([ENGLISH]);
    speak("Nod");
    sounds.value = false;
    speak("Open your mouth");
    expect([device.texts, device.saying]).toEqual([["Nod"], ""]);
  });

  it("and nothing breaks on a device that cannot speak", () => {
    vi.stubGlobal("speechSynthesis", undefined);
    expect(() => speak("Nod")).not.toThrow();
    expect(hush).not.toThrow();
  });
});

describe("voices that are not read yet", () => {
  it("say it once they are there, once", () => {
    const device = on([]);
    speak("Nod");
    expect(device.said).toEqual([]);
    device.come([ENGLISH]);
    device.come([ENGLISH, CHINESE]);
    expect(device.texts).toEqual(["Nod"]);
  });

  it("say what was asked for last alone", () => {
    const device = on([]);
    speak("Turn your head to the left");
    speak("Nod");
    device.come([ENGLISH]);
    expect(device.texts).toEqual(["Nod"]);
  });

  it.each([
    ["was told to be silent", hush],
    ["sounds were switched off", () => void (sounds.value = false)],
  ])("say nothing where it %s meanwhile", (_, meanwhile) => {
    const device = on([]);
    speak("Nod");
    meanwhile();
    device.come([ENGLISH]);
    expect(device.said).toEqual([]);
  });
});
