/** The lines of a call's chat: those the server has numbered, in their order, and one's own that it has not confirmed yet. */
import { signal } from "@preact/signals";
import type { ChatMessageView, FileView, MessageId, ParticipantId, ParticipantView } from "../protocol.gen";
import { PENDING } from "./model";

export class Lines {
  readonly chat = signal<ChatMessageView[]>([]);
  readonly unread = signal(0);
  private lastRead = 0;

  /** Everything anew. What others wrote since is unread, unless this is where one comes in. */
  drawn(chat: readonly ChatMessageView[], me: ParticipantId, first: boolean): void {
    const known = new Set(this.chat.peek().map(({ id }) => id));
    const confirmed = new Set(chat.map(({ client_id }) => client_id));
    const pending = this.chat.peek().filter(({ id, client_id }) => id.startsWith(PENDING) && !confirmed.has(client_id));
    if (!first) this.unread.value += chat.filter(({ id, participant }) => !known.has(id) && participant !== me).length;
    this.chat.value = [...chat, ...pending];
  }

  posted(message: ChatMessageView, mine: boolean): void {
    const chat = this.chat.peek().filter(({ id, client_id }) => id !== message.id && !(mine && id === PENDING + client_id && client_id === message.client_id));
    const at = chat.findIndex(({ id, number }) => id.startsWith(PENDING) || number > message.number);
    this.chat.value = at === -1 ? [...chat, message] : chat.toSpliced(at, 0, message);
    if (!mine) this.unread.value += 1;
  }

  /** Sent, not confirmed. */
  written(client_id: string, text: string, file: FileView | null, me: ParticipantView | null): void {
    const message: ChatMessageView = {
      id: PENDING + client_id,
      number: 0,
      participant: me?.id ?? "",
      name: me?.name ?? "",
      role: me?.role ?? "customer",
      client_id,
      text,
      file,
      sent_at: new Date().toISOString(),
    };
    this.chat.value = [...this.chat.peek(), message];
  }

  refused(client_id: string): void {
    this.chat.value = this.chat.peek().filter(({ id }) => id !== PENDING + client_id);
  }

  /** Everything here has been read: the newest line, when the server does not know that yet. */
  read(): MessageId | null {
    this.unread.value = 0;
    const newest = this.chat.peek().findLast(({ id }) => !id.startsWith(PENDING));
    if (newest === undefined || newest.number <= this.lastRead) return null;
    this.lastRead = newest.number;
    return newest.id;
  }
}
