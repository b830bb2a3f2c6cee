/** The session page: top line, stage, panel, bar. Customers, experts and agents see the same thing with other buttons. */
import type { ComponentChildren } from "preact";
import type { Call, Layout } from "../../core/model";
import { t } from "../../i18n";
import type { Role, SessionView } from "../../protocol.gen";
import { useBack } from "./back";
import { Banners } from "./Banners";
import { Bar, canShareScreen } from "./Bar";
import { FillForm } from "./cobrowse/FillForm";
import { usePageNews } from "./cobrowse/news";
import { PageStage } from "./cobrowse/PageStage";
import { mayLook, togglePage } from "./cobrowse/state";
import type { PageUi } from "./cobrowse/state";
import { usePdfNews } from "./pdf/news";
import { CloseQuestion } from "./pdf/PdfOffer";
import { PdfPlace } from "./pdf/PdfPlace";
import { isPdfShown } from "./pdf/state";
import type { PdfUi } from "./pdf/state";
import { Dialogs } from "./Dialogs";
import { useCallEvents, useKeys } from "./events";
import { usePeopleEvents } from "./Gates";
import { canHandOver } from "./Handover";
import { RecordingLight, isLit, useRecordingEvents } from "./RecordingLight";
import { Side } from "./Side";
import { Stage } from "./Stage";
import { TopLine } from "./TopLine";
import { Verify, isVerified } from "./Verify";
import { CallUiContext, toggle, togglePanel, useCallUi } from "./ui";
import type { CallUi, Open, Panel } from "./ui";

export interface CallViewProps {
  call: Call;
  variant: Role;
  panel?: Panel;
  open?: Open;
  layout?: Layout;
  page?: PageUi;
  pdf?: PdfUi;
  /** Instead of the stage, for instance the question about one's own devices. */
  center?: ComponentChildren;
  /** Instead of the summary that can only be read. */
  summary?: (session: SessionView) => ComponentChildren;
  /** The panel about the network of this session, for those who may see it. */
  network?: () => ComponentChildren;
  /** More in the context panel. */
  extra?: ComponentChildren;
  /** Dialogs of the workbench. */
  dialogs?: (ui: CallUi) => ComponentChildren;
}

/** A wide screen has room for the context beside the pictures from the start. */
function firstPanel(variant: Role): Panel {
  return variant !== "customer" && matchMedia("(min-width: 1024px)").matches ? "context" : "none";
}

export function CallView(props: CallViewProps) {
  const { call, variant } = props;
  const ui = useCallUi(call, variant, props.network !== undefined, props.panel ?? firstPanel(variant), props.open ?? { kind: "none" }, props.layout ?? "speaker", props.page, props.pdf);
  useCallEvents(call);
  usePeopleEvents(call);
  useRecordingEvents(call);
  usePageNews(ui);
  usePdfNews(ui);
  useBack(call, true, () => {
    ui.open.value = { kind: "leave" };
  });
  const show = (kind: "ask" | "handover" | "invite" | "keys" | "end" | "leave") => () => {
    ui.open.value = { kind };
  };
  const may = (grant: string) => call.grants.value.has(grant);
  useKeys(
    {
      m: () => toggle(ui, "microphone"),
      v: () => toggle(ui, "camera"),
      c: () => togglePanel(ui, "chat"),
      p: () => togglePanel(ui, "people"),
      ...(canShareScreen() ? { s: () => toggle(ui, "screen") } : {}),
      ...(ui.network ? { q: () => togglePanel(ui, "network") } : {}),
      ...(call.recording.view.value.available && may("recording.control") ? { r: () => togglePanel(ui, "recording") } : {}),
      ...(mayLook(call) ? { b: () => togglePage(ui) } : {}),
      ...(may("ask") ? { a: show("ask") } : {}),
      ...(may("invite") && variant === "agent" ? { i: show("invite") } : {}),
      ...(canHandOver(ui) ? { h: show("handover") } : {}),
      ...(variant === "agent" ? { "?": show("keys") } : {}),
    },
    variant !== "customer" && ui.open.value.kind === "none" && call.asked.value === null,
  );
  const connecting = call.phase.value === "connecting";
  const pdf = call.pdf.open.value;
  return (
    <CallUiContext.Provider value={ui}>
      <div class={`call for-${variant}${isLit(call) ? " is-lit" : ""}`}>
        <RecordingLight />
        <TopLine />
        <div class="call-body">
          <div class="call-center">
            <Banners />
            {props.center ??
              (connecting ? (
                <section class="stage" aria-busy="true">
                  <div class="stage-empty">
                    <p role="status">{t("connecting")}</p>
                  </div>
                </section>
              ) : pdf !== null && isPdfShown(ui) ? (
                <PdfPlace view={pdf} />
              ) : ui.page.shown.value && mayLook(call) && call.me.value?.on_hold !== true ? (
                <PageStage />
              ) : (
                <Stage />
              ))}
            <Bar />
          </div>
          <Side extra={props.extra} summary={props.summary} network={props.network} />
        </div>
        {isVerified(call) && <Verify />}
        {(!isVerified(call) || ui.open.value.kind === "leave") && <Dialogs />}
        <FillForm />
        <CloseQuestion />
        {props.dialogs?.(ui)}
      </div>
    </CallUiContext.Provider>
  );
}
