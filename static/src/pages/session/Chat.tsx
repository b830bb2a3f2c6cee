/** The chat with files. Files are chosen by a button or dropped anywhere on the sheet. */
import { MessageSquare, Paperclip, SendHorizontal } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Fragment } from "preact";
import type { Call } from "../../core/model";
import { dayName, isToday, sameDay, t } from "../../i18n";
import type { ChatMessageView } from "../../protocol.gen";
import { IconButton } from "../../ui/Button";
import { Message, Upload } from "./Message";

/** A day's name stands above its first line; of a conversation of today nobody needs to be told the day. */
function startsDay(messages: readonly ChatMessageView[], index: number): boolean {
  const at = messages[index]?.sent_at ?? "";
  const before = messages[index - 1]?.sent_at;
  return before === undefined ? !isToday(at) : !sameDay(before, at);
}

export function Chat({ call }: { call: Call }) {
  const draft = useSignal("");
  const dragging = useSignal(false);
  const list = useRef<HTMLOListElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const messages = call.chat.value;
  const uploads = call.uploads.value;
  const readTo = Math.max(0, ...[...call.seen.value].filter(([id]) => id !== call.me.value?.id).map(([, number]) => number));
  const lastSeen = messages.filter((message) => message.participant === call.me.value?.id && message.number <= readTo).at(-1);
  useEffect(() => {
    list.current?.scrollTo({ top: list.current.scrollHeight });
    call.markRead();
  }, [messages.length, uploads.length]);
  const send = () => {
    const text = draft.value.trim();
    if (!text) return;
    call.say(text);
    draft.value = "";
  };
  const sendFiles = (files: FileList | null | undefined) => {
    for (const file of files ?? []) void call.sendFile(file);
  };
  return (
    <div
      class={`chat${dragging.value ? " dragging" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        dragging.value = true;
      }}
      onDragLeave={() => {
        dragging.value = false;
      }}
      onDrop={(event) => {
        event.preventDefault();
        dragging.value = false;
        sendFiles(event.dataTransfer?.files);
      }}
    >
      <ol ref={list} class="messages" tabIndex={0} aria-label={t("chat.list")}>
        {messages.length + uploads.length === 0 && (
          <li class="empty">
            <MessageSquare size={28} strokeWidth={1.5} aria-hidden />
            {t("chat.empty")}
          </li>
        )}
        {messages.map((message, index) => (
          <Fragment key={message.id}>
            {startsDay(messages, index) && <li class="day small soft">{dayName(message.sent_at)}</li>}
            <Message call={call} message={message} seen={message === lastSeen} />
          </Fragment>
        ))}
        {uploads.map((upload) => (
          <Upload key={upload.key} call={call} upload={upload} />
        ))}
      </ol>
      <form
        class="composer"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <input
          ref={picker}
          type="file"
          multiple
          class="hidden-file"
          tabIndex={-1}
          aria-hidden
          onChange={(event) => {
            sendFiles(event.currentTarget.files);
            event.currentTarget.value = "";
          }}
        />
        <IconButton icon={Paperclip} label={t("chat.file")} onClick={() => picker.current?.click()} />
        <textarea
          class="input"
          rows={1}
          dir="auto"
          maxLength={4000}
          value={draft.value}
          aria-label={t("chat.write")}
          placeholder={t("chat.write")}
          onInput={(event) => {
            draft.value = event.currentTarget.value;
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
              event.preventDefault();
              send();
            }
          }}
        />
        <IconButton icon={SendHorizontal} label={t("chat.send")} look="primary" onClick={send} />
      </form>
    </div>
  );
}
