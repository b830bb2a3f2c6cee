/** The conversation's part of the page, loaded while its reader still arrives: whoever only looks in pays nothing for it. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { t } from "../../i18n";
import { Button } from "../../ui/Button";
import type { CallViewProps } from "./CallView";

type View = typeof import("./CallView").CallView;

const loaded = signal<View | null>(null);
const failed = signal(false);
let loading = false;

/** Once, however often it is called; again after it has failed. */
export async function loadCall(): Promise<void> {
  if (loading || loaded.peek() !== null) return;
  loading = true;
  failed.value = false;
  try {
    const { CallView } = await import("./CallView");
    loaded.value = CallView;
  } catch {
    failed.value = true;
  } finally {
    loading = false;
  }
}

export function CallPlace(props: CallViewProps) {
  useEffect(() => void loadCall(), []);
  const View = loaded.value;
  if (View !== null) return <View {...props} />;
  return (
    <main class="stage" aria-busy={!failed.value}>
      <div class="stage-empty">{failed.value ? <Button onClick={() => void loadCall()}>{t("retry")}</Button> : <p role="status">{t("connecting")}</p>}</div>
    </main>
  );
}
