import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, expect, it } from "vitest";
import { LANGUAGES, language, t } from "../i18n";
import { ConsentCard, WORDING } from "./ConsentCard";
import type { CardScope } from "./ConsentCard";

const root = document.createElement("div");
const PARTS = ["what", "why", "how_long", "if_not"] as const;

afterEach(() => {
  act(() => render(null, root));
  language.value = "zh";
});

it("shows the text whose hash is written down with the decision, part by part and nothing else", () => {
  for (const scope of Object.keys(WORDING) as CardScope[]) {
    for (const one of LANGUAGES) {
      act(() => {
        language.value = one;
        render(<ConsentCard scope={scope} places={{ kept: "{kept}" }} onAnswer={() => undefined} />, root);
      });
      const shown = [...root.querySelectorAll("h2, dt, dd, button")].map(({ textContent }) => textContent);
      const hashed = [t(`consent.${scope}.title`), ...PARTS.flatMap((part) => [t(`consent.${part}`), t(`consent.${scope}.${part}`)]), t("consent.no"), t("consent.yes")];
      expect(shown, scope).toEqual(hashed);
      expect(root.textContent, scope).toBe(hashed.join(""));
    }
  }
});
