/** The agent's connection is gone: what happens to the conversation, said calmly, with the time in words. */
import { UserCheck, WifiOff } from "lucide-preact";
import { useEffect } from "preact/hooks";
import { counted, t } from "../../i18n";
import { announce } from "../../ui/announce";
import { useNow } from "../../ui/clock";
import { playTone } from "../../ui/tones";
import { leadName, State } from "./Handover";
import { useCall } from "./ui";

/** In tens of seconds, never a number that runs down before somebody's eyes. */
export function keptWords(leftMs: number): string {
  const seconds = Math.ceil(leftMs / 10_000) * 10;
  if (leftMs <= 0) return t("lost.left.none");
  return leftMs <= 10_000 ? t("lost.left.soon") : counted("lost.left", seconds);
}

function Lost({ untilMs }: { untilMs: number }) {
  const { call, variant } = useCall();
  const now = useNow();
  const name = leadName(call);
  const staff = variant !== "customer";
  const title = staff && name !== null ? t("lost.title.staff", { name }) : t("lost.title");
  const text = t(staff ? "lost.text.staff" : "lost.text");
  const next = call.people.handover.value;
  const comes = next !== null && (next.state === "accepted" || next.state === "here") ? t("lost.coming", { name: next.toName || t("handover.colleague") }) : null;
  useEffect(() => {
    announce(`${title} ${text}`);
    playTone("leave");
  }, []);
  useEffect(() => {
    if (comes !== null) announce(comes);
  }, [comes]);
  return (
    <State icon={<WifiOff size={22} strokeWidth={1.75} aria-hidden />} warm>
      <div>
        <strong>{title}</strong>
        <p>{text}</p>
        <p>{comes ?? keptWords(untilMs - now)}</p>
      </div>
    </State>
  );
}

function Back() {
  const { call, variant } = useCall();
  const name = leadName(call);
  const words = variant !== "customer" && name !== null ? t("lost.back.staff", { name }) : t("lost.back");
  useEffect(() => {
    announce(words);
    playTone("join");
  }, []);
  return (
    <State icon={<UserCheck size={22} strokeWidth={1.75} aria-hidden />}>
      <div>
        <strong>{words}</strong>
      </div>
    </State>
  );
}

export function AgentLost() {
  const { call } = useCall();
  const lost = call.people.lost.value;
  if (call.phase.value !== "live") return null; // of one's own line something else is said
  return lost ? <Lost untilMs={lost.untilMs} /> : call.people.back.value ? <Back /> : null;
}
