/** Files on their way into the chat: with progress, tried again or put away when one fails. */
import { signal } from "@preact/signals";
import type { FileView } from "../protocol.gen";
import { randomKey } from "./http";
import type { FileUpload } from "./model";
import { ApiError } from "./problems";

/** More at once is a slip of the hand; those that failed count until they are put away. */
export const MAX_UPLOADS = 20;

export interface UploadsNeeds {
  /** Sends the bytes; the same `key` again means the same file again. Rejects with ApiError. */
  send(file: File, key: string, progress: (part: number) => void): Promise<FileView>;
  stored(file: FileView): void;
}

export class Uploads {
  readonly list = signal<FileUpload[]>([]);
  private readonly files = new Map<string, File>();

  constructor(private readonly needs: UploadsNeeds) {}

  /** False when too many are under way. */
  add(file: File): Promise<void> | false {
    if (this.list.peek().length >= MAX_UPLOADS) return false;
    const key = randomKey();
    this.files.set(key, file);
    this.list.value = [...this.list.peek(), { key, name: file.name, progress: 0, error: null }];
    return this.send(key, file);
  }

  async retry(key: string): Promise<void> {
    const file = this.files.get(key);
    const failed = this.list.peek().find((one) => one.key === key);
    if (file === undefined || failed === undefined || failed.error === null) return; // gone, or on its way already
    this.change(key, { progress: 0, error: null });
    await this.send(key, file);
  }

  /** Puts one that failed away; what is on its way stays. */
  dismiss(key: string): void {
    if (this.list.peek().some((one) => one.key === key && one.error !== null)) this.forget(key);
  }

  private async send(key: string, file: File): Promise<void> {
    try {
      const stored = await this.needs.send(file, key, (progress) => this.change(key, { progress }));
      this.forget(key);
      this.needs.stored(stored);
    } catch (error) {
      this.change(key, { error: error instanceof ApiError ? error.code : "failed" });
    }
  }

  private change(key: string, part: Partial<FileUpload>): void {
    this.list.value = this.list.peek().map((one) => (one.key === key ? { ...one, ...part } : one));
  }

  private forget(key: string): void {
    this.files.delete(key);
    this.list.value = this.list.peek().filter((one) => one.key !== key);
  }
}
