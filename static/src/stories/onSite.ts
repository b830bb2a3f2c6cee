/** Customers on the bank's pages, as the workbench lists them. */
import { signal } from "@preact/signals";
import type { OnSite } from "../core/onSite";
import { language } from "../i18n";
import type { SeenVisitor } from "../protocol.gen";
import { session } from "./fakes";

function visitor(part: Partial<SeenVisitor>): SeenVisitor {
  const zh = language.value === "zh";
  return { id: "VI_7QK2", site: zh ? "远江银行网银" : "Yuanjiang online banking", page: zh ? "转账" : "Transfer", step: zh ? "填写收款信息" : "Who gets it", errors: 0, dwell_s: 42, here_s: 300, offer: "", session: "", ...part };
}

export function someVisitors(): SeenVisitor[] {
  const zh = language.value === "zh";
  return [
    visitor({ errors: 2, dwell_s: 312 }),
    visitor({ id: "VI_M3XD", page: zh ? "更换手机号" : "A new phone number", step: "", dwell_s: 95, offer: "no" }),
    visitor({ id: "VI_PA5L", page: "", step: "", dwell_s: 12 }),
    visitor({ id: "VI_ZT6C", errors: 1, dwell_s: 64, offer: "other" }),
  ];
}

export function fakeOnSite(visitors: readonly SeenVisitor[] = someVisitors(), presence = true): OnSite {
  const list = signal<readonly SeenVisitor[] | null>(visitors);
  const become = (id: string, offer: SeenVisitor["offer"]) => async (): Promise<void> => void (list.value = (list.value ?? []).map((one) => (one.id === id ? { ...one, offer } : one)));
  return {
    visitors: list,
    presence: signal(presence),
    watch: () => () => undefined,
    offer: (id) => become(id, "open")(),
    withdraw: (id) => become(id, "no")(),
    begin: async () => session({ id: "SE_page" }),
  };
}
