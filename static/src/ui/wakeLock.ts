/** The screen stays on while somebody has to look at it. */
import { useEffect } from "preact/hooks";

/** Where the browser cannot or will not, the page goes on without. */
export function useWakeLock(on: boolean): void {
  useEffect(() => {
    if (!on || navigator.wakeLock === undefined) return undefined;
    let over = false;
    let lock: WakeLockSentinel | null = null;
    const take = async () => {
      try {
        const taken = await navigator.wakeLock.request("screen");
        if (over) await taken.release();
        else lock = taken;
      } catch {
        // a low battery, a page in the background: the screen may go dark, nothing else
      }
    };
    const back = () => {
      if (document.visibilityState === "visible") void take(); // a hidden page loses it
    };
    void take();
    document.addEventListener("visibilitychange", back);
    return () => {
      over = true;
      document.removeEventListener("visibilitychange", back);
      void lock?.release().catch(() => undefined);
    };
  }, [on]);
}
