/** A page of a bank as the server lets it out: rrweb events with masked words, an empty box, a form with a mistake. Made up. */
import { MASK } from "../replay/hatching";
import { zh } from "./fakes";

type Child = Built | string;
interface Built {
  type: number;
  tagName?: string;
  attributes?: Record<string, string | boolean>;
  childNodes?: Built[];
  textContent?: string;
  needBlock?: boolean;
  name?: string;
  publicId?: string;
  systemId?: string;
  id: number;
}

const CSS = `
body { margin: 0; font: 15px/1.5 system-ui, "Noto Sans SC", sans-serif; color: #1d2733; background: #eef1f5 }
header { display: flex; align-items: center; gap: 16px; padding: 14px 32px; background: #12365b; color: #fff }
header b { font-size: 18px }
nav { display: flex; gap: 20px; margin-left: auto; font-size: 14px } nav a { color: #fff; text-decoration: none }
main { display: grid; grid-template-columns: 1fr 300px; gap: 24px; max-width: 1040px; margin: 28px auto; padding: 0 24px }
section { background: #fff; border-radius: 12px; padding: 24px 28px; box-shadow: 0 1px 3px rgb(20 40 60 / 12%) }
h1 { font-size: 22px; margin: 0 0 18px } h2 { font-size: 16px; margin: 0 0 12px }
label { display: block; margin: 14px 0 4px; font-weight: 600 }
input, select { width: 100%; box-sizing: border-box; padding: 10px 12px; font: inherit; border: 1px solid #9aa7b5; border-radius: 8px; background: #fff }
.bad { border-color: #b3261e } .why { color: #b3261e; font-size: 13px }
button { margin-top: 22px; padding: 11px 26px; border: 0; border-radius: 999px; background: #12365b; color: #fff; font: inherit; font-weight: 600 }
td { padding: 8px 0; border-bottom: 1px solid #e3e8ee } td + td { text-align: right } table { width: 100%; border-collapse: collapse }
#advert { height: 96px; margin-top: 18px }
`;

export const PAGE = { amount: 101, payee: 102, account: 103, advert: 104, heading: 105 } as const;
const NAMED = new Set<number>(Object.values(PAGE));

function builder(): (tag: string, attributes: Record<string, string | boolean>, ...children: Child[]) => Built {
  let last = 10;
  const id = (): number => {
    last += 1;
    while (NAMED.has(last)) last += 1;
    return last;
  };
  return (tag, { number, ...attributes }, ...children) => ({
    type: 2,
    tagName: tag,
    attributes,
    childNodes: children.map((child) => (typeof child === "string" ? { type: 3, textContent: child, id: id() } : child)),
    id: typeof number === "string" ? Number(number) : id(),
    ...(attributes["rr_width"] === undefined ? {} : { needBlock: true }),
  });
}

function tree(): Built {
  const h = builder();
  const row = (name: string) => h("tr", {}, h("td", {}, name), h("td", {}, MASK));
  const words = zh()
    ? { bank: "远江银行", nav: ["账户", "转账", "卡片"], title: "转账", payee: "收款人", account: "收款账号", amount: "金额", wrong: "请填写金额", when: "日期", now: "现在", go: "确认转账", mine: "我的账户", rows: ["活期账户", "储蓄账户", "信用卡"] }
    : { bank: "Yuanjiang Bank", nav: ["Accounts", "Transfers", "Cards"], title: "Transfer", payee: "To whom", account: "Account", amount: "Amount", wrong: "Please enter an amount", when: "When", now: "Now", go: "Send the transfer", mine: "My accounts", rows: ["Current account", "Savings", "Credit card"] };
  const html = h(
    "html",
    { lang: zh() ? "zh" : "en" },
    h("head", {}, h("style", { _cssText: CSS })),
    h(
      "body",
      {},
      h("header", {}, h("b", {}, words.bank), h("nav", {}, ...words.nav.map((name) => h("a", { href: "#" }, name)))),
      h(
        "main",
        {},
        h(
          "section",
          {},
          h("h1", { number: String(PAGE.heading) }, words.title),
          h("label", { for: "p" }, words.payee),
          h("input", { number: String(PAGE.payee), id: "p", value: MASK }),
          h("label", { for: "a" }, words.account),
          h("input", { number: String(PAGE.account), id: "a", value: MASK }),
          h("label", { for: "m" }, words.amount),
          h("input", { number: String(PAGE.amount), id: "m", class: "bad", value: "" }),
          h("span", { class: "why" }, words.wrong),
          h("label", {}, words.when),
          h("select", {}, h("option", {}, words.now)),
          h("button", { type: "submit" }, words.go),
        ),
        h("section", {}, h("h2", {}, words.mine), h("table", {}, ...words.rows.map(row)), h("div", { number: String(PAGE.advert), id: "advert", rr_width: "244px", rr_height: "96px" })),
      ),
    ),
  );
  return { type: 0, childNodes: [{ type: 1, name: "html", publicId: "", systemId: "", id: 2 }, html], id: 1 };
}

/** The size and the picture, as JSON. */
export function pageEvents(): string[] {
  return [
    { type: 4, data: { href: "transfer", width: 1120, height: 680 }, timestamp: 1 },
    { type: 2, data: { node: tree(), initialOffset: { top: 0, left: 0 } }, timestamp: 2 },
    { type: 3, data: { source: 1, positions: [{ x: 420, y: 330, id: PAGE.amount, timeOffset: 0 }] }, timestamp: 3 },
  ].map((event) => JSON.stringify(event));
}
