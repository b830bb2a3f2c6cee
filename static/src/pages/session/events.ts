/** Says and sounds what happens in a call: who comes and goes, what is written, what is asked. */
import { useEffect, useRef } from "preact/hooks";
import type { Call } from "../../core/model";
import { t } from "../../i18n";
import { announce } from "../../ui/announce";
import { shortcuts } from "../../ui/prefs";
import { playTone } from "../../ui/tones";
import { roleName, sourceName } from "../../ui/words";

export function useCallEvents(call: Call): void {
  const people = useRef<Map<string, string> | null>(null);
  const lastNumber = useRef<number | null>(null);
  const others = call.others.value;
  const chat = call.chat.value;
  const asked = call.asked.value;
  const phase = call.phase.value;

  useEffect(() => {
    const now = new Map(others.filter((person) => person.state !== "left").map((person) => [person.id, person.name || roleName(person.role)]));
    const before = people.current;
    people.current = now;
    if (!before) return; // those who were here first are not news
    for (const [id, name] of now) {
      if (before.has(id)) continue;
      announce(t("said.joined", { name }));
      playTone("join");
    }
    for (const [id, name] of before) {
      if (now.has(id)) continue;
      announce(t("said.left", { name }));
      playTone("leave");
    }
  }, [others]);

  useEffect(() => {
    const newest = chat.at(-1);
    const before = lastNumber.current;
    lastNumber.current = newest?.number ?? 0;
    if (before === null || !newest || newest.number <= before || newest.participant === call.me.value?.id) return;
    announce(t("said.wrote", { name: newest.name || roleName(newest.role), text: newest.text || newest.file?.name || "" }));
    playTone("message");
  }, [chat]);

  useEffect(() => {
    if (!asked) return;
    announce(t("said.asked", { source: sourceName(asked.source) }));
    playTone("ask");
  }, [asked]);

  useEffect(() => {
    if (phase === "reconnecting") announce(t("reconnect.title"));
  }, [phase]);
}

/** Letters do what the bar does, unless somebody is typing or a question is open. */
export function useKeys(keys: Readonly<Record<string, () => void>>, on: boolean): void {
  const current = useRef(keys);
  current.current = keys;
  useEffect(() => {
    if (!on) return;
    const press = (event: KeyboardEvent) => {
      const target = event.target;
      if (!shortcuts.value) return;
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (target instanceof HTMLElement && target.closest("input, textarea, select, [role=dialog], [role=alertdialog]")) return;
      const action = current.current[event.key.toLowerCase()];
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [on]);
}
