/** The frame of the customer's pages: the bank's name, language, size of text; one column under it. */
import { ALargeSmall, Languages } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { language, t } from "../i18n";
import type { Language, Site } from "../protocol.gen";
import { chooseLanguage, largeText } from "./prefs";
import { Logo } from "./drawings";

export function LanguageButton() {
  const next: Language = language.value === "zh" ? "en" : "zh";
  const label = next === "zh" ? "中文" : "English";
  return (
    <button type="button" class="button plain" lang={next} onClick={() => chooseLanguage(next)}>
      <Languages size={20} strokeWidth={1.75} aria-hidden />
      <span>{label}</span>
    </button>
  );
}

export function LargeTextButton() {
  return (
    <button
      type="button"
      class="button plain"
      aria-pressed={largeText.value}
      onClick={() => {
        largeText.value = !largeText.value;
      }}
    >
      <ALargeSmall size={22} strokeWidth={1.75} aria-hidden />
      <span>{largeText.value ? t("text.normal") : t("text.large")}</span>
    </button>
  );
}

export function bankName(site: Site | null): string {
  return site ? (site.bank_name[language.value] ?? "") : "";
}

export function Shell(props: { site: Site | null; children: ComponentChildren; wide?: boolean }) {
  return (
    <div class="shell">
      <header class="shell-head">
        <div class="row grow brand">
          <Logo />
          <span dir="auto">{bankName(props.site)}</span>
        </div>
        <div class="row shell-tools">
          <LargeTextButton />
          <LanguageButton />
        </div>
      </header>
      <main class={`shell-main${props.wide ? " wide" : ""}`}>{props.children}</main>
    </div>
  );
}

/** A page's heading; takes the focus when the page changes, so that a screen reader starts there. */
export function Heading(props: { children: ComponentChildren; under?: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <div class="stack tight">
      <h1 ref={heading} tabIndex={-1}>
        {props.children}
      </h1>
      {props.under && <p class="soft lead">{props.under}</p>}
    </div>
  );
}

export function Steps(props: { now: 1 | 2 | 3; names?: readonly string[] }) {
  const names = props.names ?? [t("steps.check"), t("steps.consent"), t("steps.talk")];
  return (
    <ol class="steps" aria-label={t("steps.label")}>
      {names.map((name, index) => (
        <li key={name} class={index + 1 < props.now ? "past" : ""} aria-current={index + 1 === props.now ? "step" : undefined}>
          <span class="steps-number" aria-hidden>
            {index + 1}
          </span>
          {name}
        </li>
      ))}
    </ol>
  );
}
