/** What only whoever runs the server can read, in English, folded away. */
import type { ComponentChildren } from "preact";
import { t } from "../../i18n";

export function Details({ children }: { children: ComponentChildren }) {
  return (
    <details class="choices">
      <summary>{t("review.details")}</summary>
      <p class="small soft" dir="ltr" lang="en">
        {children}
      </p>
    </details>
  );
}
