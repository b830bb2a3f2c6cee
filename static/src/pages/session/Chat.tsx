/** The chat with files. Files are chosen by a button or dropped anywhere on the sheet. */
import { CheckCheck, CircleAlert, Download, FileText, Paperclip, SendHorizontal } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Call, FileUpload } from "../../core/model";
import { clockTime, fileSize, t } from "../../i18n";
import type { ChatMessageView, FileView } from "../../protocol.gen";
import { IconButton } from "../../ui/Button";
import { codeText, asProblem, problemText } from "../../ui/problems";
import { roleName } from "../../ui/words";

function FileCard({ call, file }: { call: Call; file: FileView }) {
  const busy = useSignal(false);
  const failed = useSignal<string | null>(null);
  const open = async () => {
    if (busy.value) return;
    busy.value = true;
    failed.value = null;
    try {
      const url = await call.fileUrl(file.id);
      const link = document.createElement("a");
      link.href = url;
      link.download = file.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch (error) {
      failed.value = problemText(asProblem(error));
    } finally {
      busy.value = false;
    }
  };
  return (
    <>
      <button type="button" class="file" aria-busy={busy.value} aria-label={t("chat.download", { name: file.name })} onClick={() => void open()}>
        <FileText size={24} strokeWidth={1.75} aria-hidden />
        <span class="grow file-name" dir="auto">
          {file.name}
        </span>
        <Download size={20} strokeWidth={1.75} aria-hidden />
      </button>
      <span class="file-size small soft">{fileSize(file.size_bytes)}</span>
      {failed.value && (
        <span class="field-error" role="alert">
          {failed.value}
        </span>
      )}
    </>
  );
}

function Message({ call, message, seen }: { call: Call; message: ChatMessageView; seen: boolean }) {
  const mine = message.participant === call.me.value?.id;
  return (
    <li class={`message${mine ? " mine" : ""}`}>
      <span class="message-who small soft">
        {mine ? t("you") : <bdi>{message.name || roleName(message.role)}</bdi>}
        {!mine && message.name && ` · ${roleName(message.role)}`} <time dateTime={message.sent_at}>{clockTime(message.sent_at)}</time>
      </span>
      <div class="bubble">
        {message.text && <p dir="auto">{message.text}</p>}
        {message.file && <FileCard call={call} file={message.file} />}
      </div>
      {mine && seen && (
        <span class="small soft row">
          <CheckCheck size={16} strokeWidth={1.75} aria-hidden /> {t("chat.seen")}
        </span>
      )}
    </li>
  );
}

function Upload({ upload }: { upload: FileUpload }) {
  return (
    <li class="message mine">
      <div class="bubble">
        <span class="file">
          <FileText size={24} strokeWidth={1.75} aria-hidden />
          <span class="grow">
            <span class="file-name" dir="auto">
              {upload.name}
            </span>
            {upload.error === null && <progress max={1} value={upload.progress} aria-label={t("chat.uploading", { name: upload.name })} />}
          </span>
        </span>
      </div>
      {upload.error !== null && (
        <span class="field-error" role="alert">
          <CircleAlert size={18} strokeWidth={1.75} aria-hidden />
          {t("chat.failed")} {codeText(upload.error)}
        </span>
      )}
    </li>
  );
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
        {messages.length + uploads.length === 0 && <li class="empty">{t("chat.empty")}</li>}
        {messages.map((message) => (
          <Message key={message.id} call={call} message={message} seen={message === lastSeen} />
        ))}
        {uploads.map((upload) => (
          <Upload key={upload.key} upload={upload} />
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
