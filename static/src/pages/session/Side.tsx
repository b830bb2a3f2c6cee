/** The panel beside the stage on a wide screen, a sheet over it on a phone. */
import { X } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../../i18n";
import type { SessionView } from "../../protocol.gen";
import { IconButton } from "../../ui/Button";
import { Chat } from "./Chat";
import { PagePanel } from "./cobrowse/PagePanel";
import { WaitsBadge } from "./Gates";
import { People } from "./People";
import { RecordingPanel } from "./RecordingPanel";
import { VerificationPanel } from "./VerificationPanel";
import { useCall } from "./ui";
import type { Panel } from "./ui";

/** What an expert or an agent should know before speaking. */
export function ContextCard({ session }: { session: SessionView }) {
  const rows = [
    [t("context.name"), session.customer_name],
    [t("context.reference"), session.customer_reference],
    [t("context.language"), t(`language.${session.language}`)],
    [t("context.reason"), session.reason],
  ] as const;
  return (
    <section class="stack context" aria-label={t("context.title")}>
      <dl class="facts">
        {rows
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd dir="auto">{value}</dd>
            </div>
          ))}
      </dl>
      <h2 class="sub">{t("context.summary")}</h2>
      {session.context ? (
        <p class="prose" dir="auto">
          {session.context}
        </p>
      ) : (
        <p class="soft">{t("context.none")}</p>
      )}
    </section>
  );
}

interface SideProps {
  extra?: ComponentChildren;
  summary?: ((session: SessionView) => ComponentChildren) | undefined;
  network?: (() => ComponentChildren) | undefined;
}

export function Side({ extra, summary, network }: SideProps) {
  const ui = useCall();
  const box = useRef<HTMLElement>(null);
  const panel = ui.panel.value;
  const session = ui.call.session.value;
  const opener = useRef<Element | null>(null);
  useEffect(() => {
    if (panel === "none") {
      const back = opener.current;
      if (document.activeElement === document.body && back instanceof HTMLElement && back.isConnected) back.focus();
      return;
    }
    if (!box.current?.contains(document.activeElement)) opener.current = document.activeElement;
    if (panel !== "context" && panel !== "cobrowse") box.current?.focus({ preventScroll: true });
  }, [panel]);
  if (panel === "none") return null;
  const tabs: Panel[] = ui.variant === "customer" || panel === "network" || panel === "recording" ? [] : ui.page.shown.value ? ["cobrowse", "context", "people", "chat"] : ["context", "people", "chat"];
  return (
    <aside
      ref={box}
      class="side"
      tabIndex={-1}
      aria-label={t(`panel.${panel}`)}
      onKeyDown={(event) => {
        if (event.key === "Escape") ui.panel.value = "none";
      }}
    >
      <div class="side-head">
        {tabs.length ? (
          <div class="tabs" role="group" aria-label={t("panel.tabs")}>
            {tabs.map((tab) => (
              <button
                key={tab}
                type="button"
                class="tab"
                aria-pressed={tab === panel}
                onClick={() => {
                  ui.panel.value = tab;
                }}
              >
                {t(`panel.${tab}`)}
                {tab === "people" && <WaitsBadge call={ui.call} />}
                {tab === "chat" && ui.call.unread.value > 0 && <span class="badge still">{ui.call.unread.value}</span>}
              </button>
            ))}
          </div>
        ) : (
          <h2 class="grow">{t(`panel.${panel}`)}</h2>
        )}
        <IconButton
          icon={X}
          label={t("close")}
          onClick={() => {
            ui.panel.value = "none";
          }}
        />
      </div>
      {panel === "chat" && <Chat call={ui.call} />}
      {panel === "people" && (
        <div class="side-body" role="group" tabIndex={0} aria-label={t(`panel.${panel}`)}>
          <People />
        </div>
      )}
      {panel === "network" && (
        <div class="side-body" role="group" tabIndex={0} aria-label={t(`panel.${panel}`)}>
          {network?.()}
        </div>
      )}
      {panel === "recording" && (
        <div class="side-body" role="group" tabIndex={0} aria-label={t(`panel.${panel}`)}>
          <RecordingPanel />
        </div>
      )}
      {panel === "cobrowse" && (
        <div class="side-body" role="group" tabIndex={0} aria-label={t(`panel.${panel}`)}>
          <PagePanel />
        </div>
      )}
      {panel === "context" && (
        <div class="side-body" role="group" tabIndex={0} aria-label={t(`panel.${panel}`)}>
          {!session ? <div class="skeleton tall" /> : summary ? summary(session) : <ContextCard session={session} />}
          {extra}
          {ui.variant !== "customer" && ui.call.grants.value.has("verification.run") && <VerificationPanel />}
        </div>
      )}
    </aside>
  );
}
