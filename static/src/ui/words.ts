/** Names of things that the protocol calls by a word. */
import type { DeviceProblem, QualityInfo } from "../core/model";
import { hasWords, t } from "../i18n";
import type { CloseCode, Role, Source } from "../protocol.gen";

export function roleName(role: Role): string {
  return t(`role.${role}`);
}

export function sourceName(source: Source): string {
  return t(`source.${source}`);
}

export function deviceProblem(problem: DeviceProblem, source: "camera" | "microphone"): string {
  return t(`device.${source}.${problem}`);
}

export function qualityWords(info: QualityInfo): string {
  return t(`quality.${info.level}`);
}

export function endWords(code: CloseCode | null): { title: string; text: string } {
  const known = code !== null && hasWords(`ended.${code}`) && hasWords(`ended.${code}.text`) ? code : "other";
  const title = `ended.${known}`;
  const text = `ended.${known}.text`;
  return { title: hasWords(title) ? t(title) : "", text: hasWords(text) ? t(text) : "" };
}
