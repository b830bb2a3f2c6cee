/** One line of the chat: words with addresses that can be opened, a file, one that is on its way or failed. */
import { CheckCheck, CircleAlert, Download, FileText, RotateCw, X } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { PENDING } from "../../core/model";
import type { Call, FileUpload } from "../../core/model";
import { clockTime, fileSize, t } from "../../i18n";
import type { ChatMessageView, FileView } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { pieces } from "../../ui/links";
import { asProblem, codeText, problemText } from "../../ui/problems";
import { roleName } from "../../ui/words";

function FileCard({ call, file }: { call: Call; file: FileView }) {
  const busy = useSignal(false);
  const failed = useSignal<string | null>(null);
  const open = async () => {
    if (busy.value) return;
    busy.value = true;
    failed.value = null;
    try {
      const link = document.createElement("a");
      link.href = await call.fileUrl(file.id); // kept by the call until it ends
      link.download = file.name;
      link.click();
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

function Words({ text }: { text: string }) {
  return (
    <p dir="auto">
      {pieces(text).map((piece, index) =>
        piece.href === null ? (
          piece.text
        ) : (
          <a key={index} href={piece.href} target="_blank" rel="noopener noreferrer nofollow" dir="ltr">
            {piece.text}
            <span class="hidden-text"> {t("chat.new_tab")}</span>
          </a>
        ),
      )}
    </p>
  );
}

/** `seen`: the newest of one's own lines that somebody else has read. */
export function Message({ call, message, seen }: { call: Call; message: ChatMessageView; seen: boolean }) {
  const mine = message.participant === call.me.value?.id;
  return (
    <li class={`message${mine ? " mine" : ""}`}>
      <span class="message-who small soft">
        {mine ? t("you") : <bdi>{message.name || roleName(message.role)}</bdi>}
        {!mine && message.name && ` · ${roleName(message.role)}`} <time dateTime={message.sent_at}>{clockTime(message.sent_at)}</time>
      </span>
      <div class="bubble">
        {message.text && <Words text={message.text} />}
        {message.file && <FileCard call={call} file={message.file} />}
      </div>
      {message.id.startsWith(PENDING) && call.phase.value === "reconnecting" && <span class="small soft">{t("chat.pending")}</span>}
      {mine && seen && (
        <span class="small soft row">
          <CheckCheck size={16} strokeWidth={1.75} aria-hidden /> {t("chat.seen")}
        </span>
      )}
    </li>
  );
}

/** Trying these again changes nothing. */
const FINAL: ReadonlySet<string> = new Set(["too_large", "empty", "unsupported_media_type", "not_allowed", "gone"]);

export function Upload({ call, upload }: { call: Call; upload: FileUpload }) {
  const name = upload.name;
  return (
    <li class="message mine">
      <div class="bubble">
        <span class="file">
          <FileText size={24} strokeWidth={1.75} aria-hidden />
          <span class="grow">
            <span class="file-name" dir="auto">
              {name}
            </span>
            {upload.error === null && <progress max={1} value={upload.progress} aria-label={t("chat.uploading", { name })} />}
          </span>
        </span>
      </div>
      {upload.error !== null && (
        <>
          <span class="field-error" role="alert">
            <CircleAlert size={18} strokeWidth={1.75} aria-hidden />
            {t("chat.failed")} {codeText(upload.error)}
          </span>
          <span class="row wrap upload-tools">
            {!FINAL.has(upload.error) && (
              <Button icon={RotateCw} label={`${t("retry")}: ${name}`} onClick={() => call.retryUpload(upload.key)}>
                {t("retry")}
              </Button>
            )}
            <Button icon={X} look="plain" label={`${t("chat.dismiss")}: ${name}`} onClick={() => call.dismissUpload(upload.key)}>
              {t("chat.dismiss")}
            </Button>
          </span>
        </>
      )}
    </li>
  );
}
