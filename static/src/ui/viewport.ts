/** How much of the page an on-screen keyboard covers, as `--keyboard` on the document. Browsers that make the page itself smaller
 *  (`interactive-widget` in the page's head) cover nothing; Safari does not know it. */

const LEAST_PX = 80; // less is a browser's bar that comes and goes

export function startViewport(): void {
  const seen = window.visualViewport;
  if (!seen) return;
  const fit = () => {
    const covered = seen.scale > 1.01 ? 0 : Math.round(innerHeight - seen.height); // enlarged by two fingers: no keyboard
    if (covered >= LEAST_PX) document.documentElement.style.setProperty("--keyboard", `${covered}px`);
    else document.documentElement.style.removeProperty("--keyboard");
  };
  seen.addEventListener("resize", fit);
  fit();
}
