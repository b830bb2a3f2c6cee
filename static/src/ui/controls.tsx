/** Small form pieces with their labels and errors joined to them. */
import { Check, ChevronDown, CircleAlert, Copy, Info, TriangleAlert, WifiOff } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import type { DeviceChoice } from "../core/model";
import { t } from "../i18n";
import { announce } from "./announce";

export interface TextFieldProps {
  label: string;
  value: string;
  onInput: (value: string) => void;
  hint?: string;
  error?: string | null;
  maxLength?: number;
  lines?: number;
  type?: "text" | "password";
  code?: boolean;
  required?: boolean;
  autoComplete?: string;
  placeholder?: string;
}

export function TextField(props: TextFieldProps) {
  const id = useId();
  const shared = {
    id,
    value: props.value,
    maxLength: props.maxLength,
    required: props.required,
    placeholder: props.placeholder,
    autoComplete: props.autoComplete ?? "off",
    dir: "auto" as const,
    "aria-invalid": Boolean(props.error),
    "aria-describedby": props.error ? `${id}-e` : props.hint ? `${id}-h` : undefined,
  };
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      {props.lines ? (
        <textarea {...shared} class="input" rows={props.lines} onInput={(event) => props.onInput(event.currentTarget.value)} />
      ) : (
        <input
          {...shared}
          class={`input${props.code ? " code" : ""}`}
          type={props.type ?? "text"}
          inputMode={props.code ? "numeric" : undefined}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
      )}
      {props.hint && !props.error && (
        <span class="soft small" id={`${id}-h`}>
          {props.hint}
        </span>
      )}
      {props.error && (
        <span class="field-error" id={`${id}-e`} role="alert">
          <CircleAlert size={18} strokeWidth={1.75} aria-hidden />
          {props.error}
        </span>
      )}
    </div>
  );
}

export function Choice(props: { label: string; value: string; options: readonly DeviceChoice[]; onChange: (id: string) => void; disabled?: boolean }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <div class="select">
        <select id={id} class="input" value={props.value} disabled={props.disabled} onChange={(event) => props.onChange(event.currentTarget.value)}>
          {props.options.map((option) => (
            <option key={option.id} value={option.id}>
              {option.label}
            </option>
          ))}
        </select>
        <ChevronDown size={20} strokeWidth={1.75} aria-hidden />
      </div>
    </div>
  );
}

/** One of several, with what it means under it. */
export function RadioOption(props: { name: string; checked: boolean; title: string; under: string; chip?: ComponentChildren; onChoose: () => void }) {
  return (
    <label class="reason">
      <input type="radio" name={props.name} checked={props.checked} onChange={props.onChoose} />
      <span class="grow">
        <strong>
          <bdi>{props.title}</bdi>
        </strong>
        <span class="small soft">{props.under}</span>
      </span>
      {props.chip}
    </label>
  );
}

export function Switch(props: { label: string; on: boolean; onChange: (on: boolean) => void; icon?: LucideIcon; hint?: string }) {
  const Icon = props.icon;
  return (
    <button type="button" class="switch" role="switch" aria-checked={props.on} onClick={() => props.onChange(!props.on)}>
      {Icon && <Icon size={22} strokeWidth={1.75} aria-hidden />}
      <span class="grow">
        {props.label}
        {props.hint && <span class="soft small switch-hint">{props.hint}</span>}
      </span>
      <span class="switch-track" aria-hidden />
    </button>
  );
}

/** `quiet` is amber but waits until the screen reader has finished; `warn` and `bad` interrupt. */
const NOTICE_ICONS = { info: Info, quiet: TriangleAlert, warn: TriangleAlert, bad: CircleAlert, offline: WifiOff };
const QUIET: ReadonlySet<string> = new Set(["info", "quiet"]);

export function Notice(props: { kind?: keyof typeof NOTICE_ICONS; children: ComponentChildren; action?: ComponentChildren }) {
  const kind = props.kind ?? "info";
  const Icon = NOTICE_ICONS[kind];
  return (
    <div class={`notice ${kind === "offline" || kind === "quiet" ? "warn" : kind}`} role={QUIET.has(kind) ? "status" : "alert"}>
      <Icon size={22} strokeWidth={1.75} aria-hidden />
      <div>{props.children}</div>
      {props.action}
    </div>
  );
}

/** Microphone level 0…1 as 16 bars; said as words, not as numbers that change 20 times a second. */
export function Meter({ level, label }: { level: number; label: string }) {
  const lit = Math.round(Math.min(1, level) * 16);
  return (
    <div class="meter" role="img" aria-label={label}>
      {Array.from({ length: 16 }, (_, index) => (
        <i key={index} class={index < lit ? "lit" : ""} />
      ))}
    </div>
  );
}

/** Two letters at most; a Chinese name gives its last sign, as people there expect. */
export function initials(name: string): string {
  const clean = name.trim();
  if (!clean) return "·";
  if (/[\u3400-\u9fff]/.test(clean)) return clean.slice(-1);
  const parts = clean.split(/\s+/);
  return ((parts[0]?.[0] ?? "") + (parts.length > 1 ? (parts.at(-1)?.[0] ?? "") : "")).toUpperCase();
}

export function Avatar({ name, big = false }: { name: string; big?: boolean }) {
  return (
    <span class={`avatar${big ? " big" : ""}`} aria-hidden>
      {initials(name)}
    </span>
  );
}

/** A value with a button that copies it. */
export function CopyField(props: { label: string; value: string; shown?: string; big?: boolean }) {
  const copied = useSignal(false);
  const id = useId();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(props.value);
    } catch {
      const output = document.getElementById(id);
      if (output) getSelection()?.selectAllChildren(output); // no clipboard here: marked, ready for Ctrl+C
      return;
    }
    copied.value = true;
    announce(t("copied"));
    setTimeout(() => {
      copied.value = false;
    }, 2500);
  };
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <div class="copy">
        <output id={id} class={props.big ? "big" : ""}>
          {props.shown ?? props.value}
        </output>
        <button type="button" class="button secondary" aria-label={`${t("copy")}: ${props.label}`} onClick={() => void copy()}>
          {copied.value ? <Check size={20} strokeWidth={1.75} aria-hidden /> : <Copy size={20} strokeWidth={1.75} aria-hidden />}
          <span>{copied.value ? t("copied") : t("copy")}</span>
        </button>
      </div>
    </div>
  );
}
