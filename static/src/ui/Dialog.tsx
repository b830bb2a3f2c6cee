import { X } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../i18n";
import { IconButton } from "./Button";

const FOCUSABLE = "button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), a[href], summary, [tabindex='0']";

export interface DialogProps {
  title: string;
  children: ComponentChildren;
  /** Escape, the cross and a click outside. Left out: the question has to be answered by its buttons. */
  onClose?: () => void;
  broad?: boolean;
  alert?: boolean;
}

/** Everything beside the dialogue, up to the document, leaves the reach of keys and screen readers; what is said aloud stays.
 *  Returns what puts it back. */
function standAlone(scrim: HTMLElement): () => void {
  const silenced: HTMLElement[] = [];
  for (let inner: HTMLElement = scrim; inner.parentElement && inner !== document.body; inner = inner.parentElement) {
    for (const other of inner.parentElement.children) {
      if (other === inner || !(other instanceof HTMLElement) || other.inert || other.matches("[aria-live], script, audio")) continue;
      other.inert = true;
      silenced.push(other);
    }
  }
  return () => {
    for (const element of silenced) element.inert = false;
  };
}

/** Where the focus goes when what opened the dialogue is gone. */
const SOMEWHERE = ".bar button, main h1, main h2, main button";

/** Takes the focus, keeps it, gives it back; everything beside the box's parent is out of reach meanwhile. Returns what keeps Tab inside. */
export function useAlone(box: { current: HTMLElement | null }, onEscape: (() => void) | undefined): (event: KeyboardEvent) => void {
  const closing = useRef(onEscape);
  closing.current = onEscape;
  useEffect(() => {
    const before = document.activeElement;
    const scrim = box.current?.parentElement;
    const putBack = scrim ? standAlone(scrim) : () => undefined;
    (box.current?.querySelector<HTMLElement>("[data-first]") ?? box.current)?.focus();
    const bring = (event: KeyboardEvent) => {
      const inside = box.current?.contains(document.activeElement);
      if (inside || document.activeElement !== document.body) return;
      if (event.key === "Escape") closing.current?.(); // the control that had the focus is gone
      else box.current?.focus();
    };
    document.addEventListener("keydown", bring);
    return () => {
      document.removeEventListener("keydown", bring);
      putBack();
      const opener = before instanceof HTMLElement && before !== document.body && before.isConnected ? before : null;
      (opener ?? document.querySelector<HTMLElement>(SOMEWHERE))?.focus();
    };
  }, []);
  return (event) => {
    event.stopPropagation();
    if (event.key === "Escape") {
      closing.current?.();
    } else if (event.key === "Tab" && box.current) {
      const inside = [...box.current.querySelectorAll<HTMLElement>(FOCUSABLE)];
      const first = inside[0];
      const last = inside.at(-1);
      if (!first || !last) {
        event.preventDefault();
      } else if (event.shiftKey && (document.activeElement === first || document.activeElement === box.current)) {
        event.preventDefault();
        last.focus();
      } else if (!event.shiftKey && document.activeElement === last) {
        event.preventDefault();
        first.focus();
      }
    }
  };
}

/** A modal question. */
export function Dialog({ title, children, onClose, broad = false, alert = false }: DialogProps) {
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const onKeyDown = useAlone(box, onClose);
  return (
    <div class="scrim" onClick={(event) => event.target === event.currentTarget && onClose?.()}>
      <div
        ref={box}
        class={`dialog stack${broad ? " broad" : ""}`}
        role={alert ? "alertdialog" : "dialog"}
        aria-modal="true"
        aria-labelledby={id}
        tabIndex={-1}
        onKeyDown={onKeyDown}
      >
        <div class="dialog-head">
          <h2 id={id}>{title}</h2>
          {onClose && <IconButton icon={X} label={t("close")} onClick={onClose} />}
        </div>
        {children}
      </div>
    </div>
  );
}

/** "Really?", once: two answers, the safe one first under the focus. */
export function Confirm(props: {
  title: string;
  text: string;
  yes: string;
  no: string;
  onYes: () => void;
  onNo: () => void;
  children?: ComponentChildren;
}) {
  return (
    <Dialog title={props.title} onClose={props.onNo} alert>
      <p>{props.text}</p>
      {props.children}
      <div class="pair">
        <button type="button" class="button secondary" data-first onClick={props.onNo}>
          {props.no}
        </button>
        <button type="button" class="button danger" onClick={props.onYes}>
          {props.yes}
        </button>
      </div>
    </Dialog>
  );
}
