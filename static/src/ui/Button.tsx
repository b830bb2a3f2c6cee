import { LoaderCircle } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import type { ComponentChildren } from "preact";

export interface ButtonProps {
  children: ComponentChildren;
  onClick?: () => void;
  icon?: LucideIcon;
  look?: "primary" | "secondary" | "plain" | "danger" | "danger-plain";
  wide?: boolean;
  busy?: boolean;
  disabled?: boolean;
  submit?: boolean;
  pressed?: boolean;
  id?: string;
  label?: string;
}

/** A button with words. `busy` keeps its size and its place, and takes no second click. */
export function Button(props: ButtonProps) {
  const { look = "secondary", busy = false, icon: Icon } = props;
  return (
    <button
      id={props.id}
      type={props.submit ? "submit" : "button"}
      class={`button ${look}${props.wide ? " wide" : ""}`}
      disabled={props.disabled}
      aria-busy={busy}
      aria-pressed={props.pressed}
      aria-label={props.label}
      onClick={(event) => {
        if (busy) {
          event.preventDefault();
          return;
        }
        props.onClick?.();
      }}
    >
      {busy ? <LoaderCircle class="button-mark" size={20} aria-hidden /> : Icon && <Icon size={20} strokeWidth={1.75} aria-hidden />}
      <span>{props.children}</span>
    </button>
  );
}

/** A button that shows only a drawing; `label` is said and shown as a tooltip. */
export function IconButton(props: { icon: LucideIcon; label: string; onClick: () => void; look?: string; pressed?: boolean; keys?: string }) {
  const Icon = props.icon;
  return (
    <button
      type="button"
      class={`button icon-only ${props.look ?? "plain"}`}
      aria-label={props.label}
      aria-pressed={props.pressed}
      aria-keyshortcuts={props.keys}
      title={props.label}
      onClick={props.onClick}
    >
      <Icon size={20} strokeWidth={1.75} aria-hidden />
    </button>
  );
}
