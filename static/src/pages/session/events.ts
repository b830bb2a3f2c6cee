/** Says and sounds what happens in a call: who comes and goes, what is written, what is asked. */
import { useEffect, useRef } from "preact/hooks";
import type { Call } from "../../core/model";
import { hasWords, t } from "../../i18n";
import { announce } from "../../ui/announce";
import { shortcuts } from "../../ui/prefs";
import { playTone } from "../../ui/tones";
import { personName, roleName, sourceName } from "../../ui/words";

export function useCallEvents(call: Call): void {
  const people = useRef<Map<string, { name: string; listens: boolean }> | null>(null);
  const lastNumber = useRef<number | null>(null);
  const others = call.others.value;
  const chat = call.chat.value;
  const asked = call.asked.value;
  const phase = call.phase.value;

  useEffect(() => {
    const now = new Map(others.filter((person) => person.state !== "left").map((person) => [person.id, { name: personName(person), listens: person.listens }]));
    const before = people.current;
    people.current = now;
    if (!before) return; // those who were here first are not news
    for (const [id, { name, listens }] of now) {
      const was = before.get(id);
      if (was?.listens === listens) continue;
      announce(t(listens ? "said.listens" : was ? "said.takes_part" : "said.joined", { name }));
      if (!was) playTone("join");
    }
    for (const [id, { name }] of before) {
      if (now.has(id)) continue;
      const left = call.people.left.peek();
      const key = left?.participant === id ? `said.left.${left.reason}` : "said.left";
      announce(t(hasWords(key) ? key : "said.left", { name }));
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
    if (phase !== "reconnecting") return;
    announce(t("reconnect.title"));
    return () => {
      const now = call.phase.peek();
      announce(now === "live" || now === "waiting" ? t("said.back") : ""); // nobody hears later on that it is lost
    };
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
