/** Names of things that the protocol calls by a word. */
import type { DeviceProblem, NetworkInfo, QualityInfo } from "../core/model";
import { hasWords, t } from "../i18n";
import type { CloseCode, Role, Source } from "../protocol.gen";

export function roleName(role: Role): string {
  return t(`role.${role}`);
}

/** Who has no name is called by their role. Where the role is said beside the name, `roleBeside` leaves it out for them. */
export function personName(person: { name: string; role: Role }): string {
  return person.name.trim() || roleName(person.role);
}

export function roleBeside(person: { name: string; role: Role }): string | null {
  return person.name.trim() ? roleName(person.role) : null;
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

/** Why less arrives here than was asked for; null when nothing is held back. */
export function limitWords(network: NetworkInfo | null): string | null {
  return network === null || network.limit === "none" ? null : t(`network.limit.${network.limit}`);
}

/** One's own line as it is shown: what the relay holds back makes it no longer good, however well the little that is sent arrives. */
export function ownQuality(info: QualityInfo, network: NetworkInfo | null): QualityInfo {
  return info.level === "good" && limitWords(network) !== null ? { ...info, level: "fair" } : info;
}

export function endWords(code: CloseCode | null): { title: string; text: string } {
  const known = code !== null && hasWords(`ended.${code}`) && hasWords(`ended.${code}.text`) ? code : "other";
  const title = `ended.${known}`;
  const text = `ended.${known}.text`;
  return { title: hasWords(title) ? t(title) : "", text: hasWords(text) ? t(text) : "" };
}
