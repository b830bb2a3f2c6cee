/** Over the customer's page: what one points, draws and does with, its size, how far away it is. Only what the customer allows is there. */
import { ArrowUpRight, Eraser, Highlighter, ListChecks, MousePointer2, MousePointerClick, MoveHorizontal, MoveVertical, Pencil, RefreshCw, Square, TextCursorInput, Undo2, ZoomIn, ZoomOut } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import { t } from "../../../i18n";
import type { Tool } from "../../../replay/messages";
import { IconButton } from "../../../ui/Button";
import { togglePanel, useCall } from "../ui";
import { may, needs, situation } from "./state";

type Shown = Exclude<Tool, "none">;

const DRAWS: readonly (readonly [Shown, LucideIcon])[] = [
  ["point", MousePointer2],
  ["highlight", Highlighter],
  ["ink", Pencil],
  ["arrow", ArrowUpRight],
  ["box", Square],
];
const ACTS: readonly (readonly ["scroll" | "fill" | "click", LucideIcon])[] = [
  ["scroll", MoveVertical],
  ["fill", TextCursorInput],
  ["click", MousePointerClick],
];
const SLOW_MS = 400;
const STEPS = [0.25, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2] as const;

export function Tools() {
  const ui = useCall();
  const { call, page } = ui;
  const { cobrowse } = call;
  const now = page.tool.value;
  const scale = page.scale.value;
  const acts = ACTS.filter(([tool]) => needs(tool).some((scope) => may(call, scope)));
  const own = cobrowse.marks.value.some(({ viewer }) => viewer === "");
  const trip = cobrowse.roundTrip.value;
  const ms = trip === null ? null : Math.round(trip.serverMs + (trip.tabMs ?? 0));
  const tripWords = trip === null || ms === null ? t("cobrowse.trip.none") : t(trip.tabMs === null ? "cobrowse.trip.server" : "cobrowse.trip", { ms });
  const tool = (one: Shown, icon: LucideIcon) => (
    <IconButton
      key={one}
      icon={icon}
      label={t(`cobrowse.tool.${one === "fill" && !may(call, "fill") ? "propose" : one}`)}
      pressed={now === one}
      look={now === one ? "primary" : "plain"}
      onClick={() => {
        page.hint.value = null;
        page.tool.value = now === one ? "none" : one;
      }}
    />
  );
  const larger = STEPS.find((step) => step > scale + 0.01);
  const smaller = STEPS.findLast((step) => step < scale - 0.01);
  if (situation(call) !== "seen") return null;
  return (
    <div class="page-tools" role="group" aria-label={t("cobrowse.tools")}>
      {may(call, "point") && (
        <div class="page-group" role="group" aria-label={t("cobrowse.tools.draw")}>
          {DRAWS.map(([one, icon]) => tool(one, icon))}
          {own && (
            <>
              <IconButton icon={Undo2} label={t("cobrowse.undo")} onClick={() => cobrowse.undo()} />
              <IconButton icon={Eraser} label={t("cobrowse.clear")} onClick={() => cobrowse.clear()} />
            </>
          )}
        </div>
      )}
      {acts.length > 0 && (
        <div class="page-group" role="group" aria-label={t("cobrowse.tools.act")}>
          {acts.map(([one, icon]) => tool(one, icon))}
        </div>
      )}
      <div class="page-group page-size" role="group" aria-label={t("cobrowse.tools.size")}>
        <IconButton icon={ZoomOut} label={t("cobrowse.zoom.out")} onClick={() => (page.zoom.value = smaller ?? STEPS[0])} />
        <button type="button" class="button plain page-scale" aria-pressed={page.zoom.value === 1} title={t("cobrowse.zoom.full")} onClick={() => (page.zoom.value = 1)}>
          <span>{t("cobrowse.zoom.now", { n: Math.round(scale * 100) })}</span>
          <span class="hidden-text"> {t("cobrowse.zoom.full")}</span>
        </button>
        <IconButton icon={ZoomIn} label={t("cobrowse.zoom.in")} onClick={() => (page.zoom.value = larger ?? STEPS[STEPS.length - 1] ?? 2)} />
        <IconButton icon={MoveHorizontal} label={t("cobrowse.zoom.fit")} pressed={page.zoom.value === "fit"} onClick={() => (page.zoom.value = "fit")} />
        <IconButton icon={ListChecks} label={t("cobrowse.ladder")} pressed={ui.panel.value === "cobrowse"} onClick={() => togglePanel(ui, "cobrowse")} />
        <IconButton icon={RefreshCw} label={t("cobrowse.resync")} onClick={() => cobrowse.resync()} />
        <span class={`page-trip${ms !== null && ms > SLOW_MS ? " poor" : ""}`} title={tripWords}>
          <span aria-hidden>{ms === null ? "–" : t("cobrowse.ms", { ms })}</span>
          <span class="hidden-text">{tripWords}</span>
        </span>
      </div>
    </div>
  );
}
