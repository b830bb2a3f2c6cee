/** A PDF that is opened comes into view by itself; what happens on it is said to those who do not see it. */
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { t } from "../../../i18n";
import { announce } from "../../../ui/announce";
import { playTone } from "../../../ui/tones";
import { personName, roleName } from "../../../ui/words";
import type { CallUi } from "../ui";

export function usePdfNews(ui: CallUi): void {
  const { pdf } = ui.call;
  const open = pdf.open.value;
  const [asked, signed] = [pdf.asked.value, pdf.signed.value];
  const page = ui.pdf.page.value;
  const was = useRef<{ id: string | undefined; marks: number; signed: string | undefined }>({ id: undefined, marks: 0, signed: undefined });

  useEffect(() => {
    const before = was.current.id;
    was.current.id = open?.id;
    if (before === open?.id) return;
    if (before !== undefined) putAway(ui);
    if (open === null) {
      announce(t("pdf.said.closed"));
      return;
    }
    ui.pdf.page.value = 1;
    ui.pdf.shown.value = true;
    announce(t("pdf.said.opened", { name: open.name }));
    playTone("message");
  }, [open?.id]);

  // One thing at a time is in the place of the pictures.
  const [pdfShown, pageShown] = [ui.pdf.shown.value && open !== null, ui.page.shown.value];
  useEffect(() => {
    if (pdfShown) ui.page.shown.value = false;
  }, [pdfShown]);
  useEffect(() => {
    if (pageShown) ui.pdf.shown.value = false;
  }, [pageShown]);

  useEffect(() => {
    if (pdfShown) announce(t("pdf.said.page", { n: page }));
  }, [page]);

  useEffect(() => {
    const marks = pdf.marks.value;
    const newest = marks.at(-1);
    const more = marks.length > was.current.marks;
    was.current.marks = marks.length;
    const by = ui.call.others.peek().find(({ id }) => id === newest?.by);
    if (more && newest && by) announce(t("pdf.said.marked", { name: personName(by), n: newest.page }));
  }, [pdf.marks.value]);

  // Before it is seen: what was written for one question is never shown with another one, or with another file.
  const answering = [open?.id, asked?.request, asked?.sha256].join("/");
  const kept = useRef(answering);
  useLayoutEffect(() => {
    if (kept.current === answering) return; // what a story begins with stays as it is
    kept.current = answering;
    ui.pdf.signing.value = "card";
    ui.pdf.strokes.value = [];
  }, [answering]);
  useEffect(() => {
    if (asked === null || ui.variant !== "customer") return;
    ui.pdf.shown.value = true;
    const by = ui.call.others.peek().find(({ id }) => id === asked.by);
    announce(t("pdf.sign.title", { name: by?.name || roleName(by?.role ?? "agent") }));
    playTone("ask");
  }, [asked?.request]);

  const interrupted = pdf.interrupted.value;
  useEffect(() => {
    if (interrupted) announce(t(ui.variant === "customer" ? "pdf.interrupted.customer" : "pdf.interrupted.agent"));
  }, [interrupted, asked?.request]);

  useEffect(() => {
    const news = signed !== null && was.current.signed !== signed.sha256 && was.current.signed !== undefined;
    was.current.signed = signed?.sha256 ?? "";
    if (news) announce(t("pdf.said.signed"));
  }, [signed?.sha256]);
}

/** What one had in the hand for another PDF. */
function putAway(ui: CallUi): void {
  const { tool, draft, zoom, closing } = ui.pdf;
  tool.value = "none";
  draft.value = null;
  zoom.value = 1;
  closing.value = false;
}
