/** For how long what a check leaves is kept, in words. */
import { counted, t } from "../i18n";
import type { CaseBrief } from "../protocol.gen";

const YEAR_DAYS = 365;
const MONTH_DAYS = 30;

/** "for 5 years", "for 6 months", "for 45 days": of the case that keeps it longest; where none is known, as the bank has said. */
export function evidenceKept(cases: readonly Pick<CaseBrief, "retention_days">[] | null): string {
  const days = Math.max(0, ...(cases ?? []).map((one) => one.retention_days));
  if (days === 0) return t("consent.kept.unknown");
  if (days % YEAR_DAYS === 0) return counted("consent.kept.years", days / YEAR_DAYS);
  if (days % MONTH_DAYS === 0) return counted("consent.kept.months", days / MONTH_DAYS);
  return counted("consent.kept.days", days);
}
