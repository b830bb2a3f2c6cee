/** One small drawing for each thing that a person is asked to do, as they see themselves: their left is on the left. */
import type { ComponentChildren } from "preact";

const EYES = (
  <>
    <path d="M25 28v3" />
    <path d="M39 28v3" />
  </>
);
const MOUTH = <path d="M27 42q5 3 10 0" />;
const HEAD = <ellipse cx="32" cy="33" rx="17" ry="22" />;

const LEFT = (
  <>
    {HEAD}
    <path d="M20 28v3" />
    <path d="M31 28v3" />
    <path d="M21 42q4 3 8 0" />
    <path d="M10 33H2m0 0 4-4m-4 4 4 4" />
  </>
);

const DRAWINGS: Readonly<Record<string, ComponentChildren>> = {
  straight: (
    <>
      {HEAD}
      {EYES}
      {MOUTH}
    </>
  ),
  turn_left: LEFT,
  turn_right: <g transform="matrix(-1 0 0 1 64 0)">{LEFT}</g>,
  nod: (
    <>
      {HEAD}
      <path d="M25 33v3" />
      <path d="M39 33v3" />
      <path d="M27 46q5 3 10 0" />
      <path d="M58 21v24m0 0-4-4m4 4 4-4M58 21l-4 4m4-4 4 4" />
    </>
  ),
  blink: (
    <>
      {HEAD}
      <path d="M21.500 28q3.500 4 7 0" />
      <path d="M35.500 28q3.500 4 7 0" />
      {MOUTH}
    </>
  ),
  open_mouth: (
    <>
      {HEAD}
      {EYES}
      <ellipse cx="32" cy="43" rx="5" ry="6" />
    </>
  ),
  come_closer: (
    <>
      <ellipse cx="32" cy="33" rx="10" ry="13" />
      <path d="M29 30v2" />
      <path d="M35 30v2" />
      <path d="M29.500 38.500q2.500 1.500 5 0" />
      <path d="M18 15 8 5m0 0v7m0-7h7M46 15 56 5m0 0v7m0-7h-7M18 51 8 61m0 0v-7m0 7h7M46 51l10 10m0 0v-7m0 7h-7" />
    </>
  ),
};

const CARD = (
  <>
    <rect x="4" y="15" width="56" height="35" rx="4" />
    <circle cx="19" cy="29" r="5" />
    <path d="M11 43q1-7 8-7t8 7" />
    <path d="M35 26h16M35 34h16M35 42h9" />
  </>
);

const CARDS: Readonly<Record<string, ComponentChildren>> = {
  show_card: CARD,
  hold_still: CARD,
  turn_over: (
    <>
      <rect x="4" y="15" width="56" height="35" rx="4" />
      <path d="M4 24h56M12 34h26M12 42h16" />
      <path d="M44 40a7 7 0 1 1 7 5m0 0 4-3m-4 3 3 4" />
    </>
  ),
  seen: (
    <>
      {CARD}
      <path d="m44 52 6 6 10-12" />
    </>
  ),
};

export function GestureDrawing({ action }: { action: string }) {
  return (
    <svg class="verify-drawing" viewBox="0 0 64 64" fill="none" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden>
      {DRAWINGS[action] ?? CARDS[action] ?? DRAWINGS["straight"]}
    </svg>
  );
}
