/** The PDF's part of the page is loaded once there is one: most conversations have none. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { PdfShown } from "../../../protocol.gen";
import { t } from "../../../i18n";
import { Button } from "../../../ui/Button";

type Stage = typeof import("./PdfStage");

export function PdfPlace({ view }: { view: PdfShown }) {
  const loaded = useSignal<Stage | "failed" | null>(null);
  const turn = useSignal(0);
  useEffect(() => {
    let over = false;
    import("./PdfStage").then(
      (stage) => {
        if (!over) loaded.value = stage;
      },
      () => {
        if (!over) loaded.value = "failed";
      },
    );
    return () => {
      over = true;
    };
  }, [turn.value]);
  if (loaded.value !== null && loaded.value !== "failed") return <loaded.value.PdfStage view={view} />;
  return (
    <section class="stage" aria-busy={loaded.value === null} aria-label={t("pdf.stage", { name: view.name })}>
      <div class="stage-empty">
        {loaded.value === null ? (
          <p role="status">{t("pdf.loading")}</p>
        ) : (
          <Button
            onClick={() => {
              loaded.value = null;
              turn.value += 1;
            }}
          >
            {t("retry")}
          </Button>
        )}
      </div>
    </section>
  );
}
