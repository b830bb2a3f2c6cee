/** Over the PDF, for staff: what one draws, asks for a signature with, and closes it with. */
import { Eraser, Highlighter, PenLine, Pencil, Undo2, X } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { t } from "../../../i18n";
import { Button, IconButton } from "../../../ui/Button";
import { useCall } from "../ui";
import { mayDraw, mayOpen, settleDraft, takeTool } from "./state";
import type { PdfTool } from "./state";

export function Tools({ turning }: { turning: ComponentChildren }) {
  const ui = useCall();
  const { pdf } = ui.call;
  const { tool, draft } = ui.pdf;
  const now = tool.value;
  const drafted = draft.value !== null && !ui.pdf.drawing.value;
  const own = pdf.marks.value.some(({ by }) => by === ui.call.me.value?.id);
  const drawing = (one: PdfTool, icon: typeof Pencil) => (
    <IconButton icon={icon} label={t(`pdf.tool.${one as "highlight" | "ink"}`)} pressed={now === one} look={now === one ? "primary" : "plain"} onClick={() => takeTool(ui, one)} />
  );
  return (
    <div class="pdf-tools" role="group" aria-label={t("pdf.tools")}>
      {mayDraw(ui) && (
        <div class="pdf-group" role="group" aria-label={t("pdf.tools.draw")}>
          {drawing("highlight", Highlighter)}
          {drawing("ink", Pencil)}
          {own && (
            <>
              <IconButton icon={Undo2} label={t("pdf.undo")} onClick={() => pdf.undo()} />
              <IconButton icon={Eraser} label={t("pdf.clear")} onClick={() => pdf.clear()} />
            </>
          )}
        </div>
      )}
      {mayOpen(ui.call) && pdf.asked.value === null && (
        <Button icon={PenLine} look={now === "sign" ? "primary" : "secondary"} pressed={now === "sign"} onClick={() => takeTool(ui, "sign")}>
          {t("pdf.tool.sign")}
        </Button>
      )}
      {turning}
      {mayOpen(ui.call) && <IconButton icon={X} label={t("pdf.close")} onClick={() => (ui.pdf.closing.value = true)} />}
      {now !== "none" && (
        <div class="pdf-hint" role="status">
          <span class="grow small">{t(drafted ? "pdf.hint.draft" : `pdf.hint.${now}`)}</span>
          {drafted && (
            <>
              <Button onClick={() => (draft.value = null)}>{t("cancel")}</Button>
              <Button look="primary" onClick={() => settleDraft(ui)}>
                {t(now === "sign" ? "pdf.draft.ask" : "pdf.draft.mark")}
              </Button>
            </>
          )}
        </div>
      )}
    </div>
  );
}
