/** The look of everything that the script puts on a page. One constructed sheet in a closed shadow root: no policy forbids it, and nothing of it meets the page's own. */
const COLOURS = `
:host { all: initial !important; display: block !important; position: fixed !important; inset: 0 auto auto 0 !important; width: 0 !important; height: 0 !important;
  overflow: visible !important; z-index: 2147483647 !important; background: none !important; border: 0 !important; padding: 0 !important; margin: 0 !important; }
.root {
  --paper: #fffdfa; --sunken: #ece7df; --ink: #1b242c; --soft: #55606a; --line: rgb(27 36 44 / 14%); --edge: #858076; --accent: #0e5a66; --strong: #0a4650;
  --wash: #dfecec; --on-accent: #fff; --danger: #a82a22; --danger-wash: #f8e5e2; --warn: #7a4b00; --warn-wash: #f8ecd4;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans SC", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  color-scheme: light; font: 400 16px/1.5 var(--sans); color: var(--ink); text-align: start; -webkit-text-size-adjust: 100%;
}
.root:lang(zh) { --sans: "Noto Sans SC", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", system-ui, sans-serif; }
@media (prefers-color-scheme: dark) {
  .root { --paper: #1d2327; --sunken: #101315; --ink: #ece8e1; --soft: #a9b1b7; --line: rgb(236 232 225 / 16%); --edge: #7c858c; --accent: #7fcad3;
    --strong: #a3dce2; --wash: #1c3439; --on-accent: #0a2328; --danger: #f29a91; --danger-wash: #3a201e; --warn: #eec37c; --warn-wash: #362a16; color-scheme: dark; }
}
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
@media print { .root { display: none; } }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;
const CONTROLS = `
button { appearance: none; font: inherit; font-weight: 600; line-height: 1.25; color: var(--accent); background: var(--paper); border: 1px solid var(--edge);
  border-radius: 999px; min-height: 44px; min-width: 44px; padding: 8px 16px; margin: 0; cursor: pointer; touch-action: manipulation; }
button:hover { background: var(--wash); border-color: var(--accent); color: var(--strong); }
button:focus-visible, [tabindex="-1"]:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
button.end { color: var(--danger); }
button.end:hover { background: var(--danger-wash); border-color: var(--danger); color: var(--danger); }
button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.main:hover { background: var(--strong); color: var(--on-accent); }
button[aria-pressed="true"] { background: var(--wash); border-color: var(--accent); }
h2, p, ul { margin: 0; padding: 0; }
ul { list-style: none; }
`;
const PANEL = `
.panel { position: fixed; inset: auto 0 0; z-index: 2147483647; display: flex; flex-direction: column; align-items: center; gap: 8px;
  padding: 0 12px max(12px, env(safe-area-inset-bottom)); pointer-events: none; }
.panel > * { pointer-events: auto; }
.card, .bar { background: var(--paper); color: var(--ink); border: 1px solid var(--line); border-radius: 14px; width: 100%;
  box-shadow: 0 1px 2px rgb(0 0 0 / 10%), 0 10px 34px rgb(0 0 0 / 22%); }
.card { max-width: 460px; padding: 20px; max-height: calc(100vh - 24px); max-height: calc(100dvh - 24px); overflow: auto; }
.card h2 { overflow-wrap: anywhere; font-size: 22px; line-height: 1.3; font-weight: 650; text-wrap: balance; }
.card p { margin-top: 10px; }
.soft, .note { color: var(--soft); }
.link { color: var(--accent); font-weight: 650; display: inline-block; padding: 10px 0; }
.code { font: 650 46px/1.2 var(--sans); font-variant-numeric: tabular-nums; letter-spacing: .06em; margin-top: 12px; display: flex; justify-content: center; gap: .35em;
  background: var(--sunken); border-radius: 10px; padding: 12px 8px; }
.choices { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; margin-top: 18px; }
.choices button { min-height: 56px; font-size: 18px; border-radius: 12px; border: 2px solid var(--accent); }
.row { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 16px; }
.row button { flex: 1 1 auto; }
.bar { max-width: 1040px; padding: 8px 8px 8px 16px; display: flex; flex-wrap: wrap; align-items: center; gap: 8px; }
.bar .line { flex: 1 1 220px; min-width: 0; display: flex; align-items: center; gap: 10px; font-weight: 600; overflow-wrap: anywhere; padding: 6px 0; }
.dot { flex: none; width: 12px; height: 12px; border-radius: 50%; border: 2px solid var(--soft); }
.live .dot { background: var(--danger); border-color: var(--danger); }
.warn { background: var(--warn-wash); color: var(--warn); border-color: var(--warn); }
.fixed, .tools { display: flex; flex-wrap: wrap; gap: 8px; }
.who { flex: 1 0 100%; display: grid; gap: 6px; padding: 4px 8px 6px 0; border-top: 1px solid var(--line); }
.who li { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 8px; padding-top: 6px; }
.who button { padding: 4px 12px; font-weight: 500; color: var(--ink); }
.who button::after { content: "×" / ""; margin-inline-start: 8px; color: var(--danger); font-weight: 700; }
.note { display: block; font-weight: 400; }
.start { box-shadow: 0 8px 28px rgb(0 0 0 / 22%); align-self: flex-end; min-height: 52px; padding-inline: 22px; }
@media (min-width: 700px) { .panel { padding-inline: 20px; } .row { justify-content: flex-end; } .row button { flex: 0 0 auto; } }
@media (max-width: 699px) {
  .bar { padding: 8px 10px; }
  .bar .line { flex: 1 0 100%; padding: 0 4px; }
  .fixed, .tools { display: contents; }
  .bar button { flex: 1 1 auto; }
  .who button { flex: 0 0 auto; }
  .bar:not(.open) .aside { display: none; }
}
`;
const LAYER = `
.layer { position: fixed; inset: 0; width: 100%; height: 100%; overflow: hidden; pointer-events: none; z-index: 2147483646; display: block; }
.mark { fill: none; stroke: var(--of); stroke-width: 4; stroke-linecap: round; stroke-linejoin: round; paint-order: stroke; filter: drop-shadow(0 0 1px #fff); }
.highlight { fill: var(--of); fill-opacity: .16; stroke: var(--of); stroke-width: 3; }
.pointer path { fill: var(--of); stroke: #fff; stroke-width: 2; }
.name { position: absolute; left: 0; top: 0; max-width: 220px; padding: 2px 8px; border-radius: 6px; background: var(--of); color: #fff; font-weight: 600;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.told { position: absolute; border: 3px solid var(--of); border-radius: 6px; box-shadow: 0 0 0 2px #fff; }
.told .name { top: auto; bottom: 100%; margin-bottom: 4px; left: -3px; }
.told.low .name { bottom: auto; top: 100%; margin: 4px 0 0; }
.hidden-area { position: absolute; border-radius: 3px;
  background: repeating-linear-gradient(-45deg, rgb(60 64 70 / 92%) 0 6px, rgb(110 116 124 / 92%) 6px 12px); }
.ghost { position: fixed; z-index: 2147483647; pointer-events: auto; max-width: min(340px, calc(100vw - 24px)); padding: 12px 14px; background: var(--paper);
  color: var(--ink); border: 2px dashed var(--accent); border-radius: 12px; box-shadow: 0 10px 34px rgb(0 0 0 / 22%); }
.ghost .value { font-size: 20px; font-weight: 650; overflow-wrap: anywhere; margin-top: 4px; white-space: pre-wrap; max-height: 30vh; overflow: auto; }
.ghost .row { margin-top: 10px; justify-content: flex-start; }
@media (forced-colors: active) { .hidden-area { background: CanvasText; } .card, .bar, .ghost { border: 2px solid CanvasText; } }
@media (prefers-reduced-motion: no-preference) { .card, .ghost { animation: come .16s ease-out; } @keyframes come { from { opacity: 0; transform: translateY(8px); } } }
`;

export function sheet(): CSSStyleSheet {
  const made = new CSSStyleSheet();
  made.replaceSync(COLOURS + CONTROLS + PANEL + LAYER);
  return made;
}

/** One for each who looks, readable on white and under white. */
export const OF_VIEWERS: readonly string[] = ["#0b6e99", "#b3261e", "#6b3fa0", "#2e6b12", "#8a4b00"];
