/** The first page of a check that a customer makes by themselves: who asks, for what, what will happen, one button. */
import { Camera, Clock3, Handshake, IdCard, ShieldCheck } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import { surroundings } from "../../core/problems";
import { clockTime, isToday, dayName, language, t } from "../../i18n";
import type { CaseBrief, Site } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/controls";
import { Heading, Shell, bankName } from "../../ui/Shell";

export function caseTitle(brief: CaseBrief): string {
  return brief.title[language.value] ?? "";
}

/** As a customer says it: the time alone today, else with the day. */
export function until(iso: string): string {
  return isToday(iso) ? clockTime(iso) : `${dayName(iso)} ${clockTime(iso)}`;
}

/** A page in a browser of another app, with a menu of its own. */
export function isInside(): boolean {
  return /MicroMessenger|AlipayClient|DingTalk|QQ\//i.test(navigator.userAgent);
}

/** Before the link is taken up: whether this browser can have a camera at all. Pages inside other apps often cannot. */
function noCamera(): "self.arrive.inside" | "self.help.insecure" | "self.help.unsupported" | null {
  const missing = surroundings(window.isSecureContext, typeof navigator.mediaDevices?.getUserMedia === "function");
  if (missing === null) return null;
  if (missing === "insecure") return "self.help.insecure";
  return isInside() ? "self.arrive.inside" : "self.help.unsupported";
}

export function SelfArrive(props: { site: Site; brief: CaseBrief; error: string | null; busy: boolean; onStart: () => void }) {
  const { brief } = props;
  const light = brief.steps.includes("light");
  const missing = noCamera();
  const lines: [LucideIcon, string][] = [
    [Handshake, t("self.arrive.consent")],
    [Camera, t(light ? "self.arrive.camera.light" : "self.arrive.camera")],
    ...(brief.steps.includes("document") ? ([[IdCard, t("self.arrive.document")]] satisfies [LucideIcon, string][]) : []),
    [Clock3, t("self.arrive.time", { time: until(brief.expires_at) })],
  ];
  return (
    <Shell site={props.site}>
      <Heading under={t("self.arrive.under", { bank: bankName(props.site), title: caseTitle(brief) })}>{t("self.arrive.title")}</Heading>
      <ul class="promises">
        {lines.map(([Icon, text]) => (
          <li key={text}>
            <Icon size={24} strokeWidth={1.75} aria-hidden />
            <span>{text}</span>
          </li>
        ))}
      </ul>
      {missing !== null && <Notice kind="warn">{t(missing)}</Notice>}
      {props.error && <Notice kind="bad">{props.error}</Notice>}
      <Button look="primary" wide busy={props.busy} onClick={props.onStart}>
        {t("start")}
      </Button>
      <p class="soft small row self-never">
        <ShieldCheck size={20} strokeWidth={1.75} aria-hidden />
        <span>{t("self.arrive.never")}</span>
      </p>
    </Shell>
  );
}
