/** Playing sound: every voice that arrives, through the speaker that was chosen, also where the browser wants a touch first. */

import { signal } from "@preact/signals";

type Playable = HTMLAudioElement & { setSinkId?: (id: string) => Promise<void> };

export const canChooseSpeaker = (): boolean => "setSinkId" in HTMLMediaElement.prototype;

/** The <audio> elements of remote voices. Browsers may refuse to play before the user touches the page: it is tried again then. */
export class Speakers {
  /** A voice is here and the browser will not play it before the user touches the page. */
  readonly blocked = signal(false);
  private readonly elements = new Map<string, Playable>();
  private sink = "";
  private readonly onTouch = (): void => this.playAll();

  /** Plays `stream` under `key` from now on; the same key and stream change nothing. */
  play(key: string, stream: MediaStream): void {
    let element = this.elements.get(key);
    if (element === undefined) {
      element = document.createElement("audio");
      element.autoplay = true;
      element.hidden = true;
      if (this.elements.size === 0) this.listen(true);
      this.elements.set(key, element);
      document.body.append(element); // some browsers stop elements that nobody holds
      void this.route(element);
    }
    if (element.srcObject !== stream) element.srcObject = stream;
    this.attempt(element);
  }

  async choose(sink: string): Promise<void> {
    this.sink = sink;
    await Promise.all([...this.elements.values()].map((element) => this.route(element)));
  }

  /** One element's worth of sound that ends by itself, through the same speaker. */
  async once(source: MediaStream | Blob, ms: number | null): Promise<void> {
    const element: Playable = document.createElement("audio");
    const url = source instanceof Blob ? URL.createObjectURL(source) : null;
    if (url !== null) element.src = url;
    else element.srcObject = source as MediaStream;
    await this.route(element);
    try {
      const ended = new Promise<void>((resolve) => {
        element.onended = () => resolve();
        element.onerror = () => resolve();
        if (ms !== null) setTimeout(resolve, ms);
      });
      await element.play();
      await ended;
    } catch {
      // refused by the browser: nothing was to be heard, nothing else depends on it
    } finally {
      element.pause();
      if (url === null) element.srcObject = null;
      else element.removeAttribute("src"); // before it is revoked, or the browser looks for it once more
      if (url !== null) URL.revokeObjectURL(url);
    }
  }

  clear(): void {
    for (const element of this.elements.values()) {
      element.srcObject = null;
      element.remove();
    }
    this.elements.clear();
    this.blocked.value = false;
    this.listen(false);
  }

  private listen(on: boolean): void {
    for (const event of ["pointerdown", "keydown", "touchend"]) {
      if (on) window.addEventListener(event, this.onTouch, { passive: true });
      else window.removeEventListener(event, this.onTouch);
    }
  }

  private playAll(): void {
    for (const element of this.elements.values()) this.attempt(element);
  }

  private attempt(element: Playable): void {
    if (!element.paused) return;
    element.play().then(
      () => {
        this.blocked.value = false;
      },
      (error: unknown) => {
        if (error instanceof DOMException && error.name === "NotAllowedError" && element.srcObject !== null) this.blocked.value = true;
      },
    );
  }

  private async route(element: Playable): Promise<void> {
    if (this.sink === "" || element.setSinkId === undefined) return;
    await element.setSinkId(this.sink).catch(() => undefined); // unplugged: the default speaker goes on
  }
}

export const speakers = new Speakers();
