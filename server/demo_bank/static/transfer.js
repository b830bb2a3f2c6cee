"use strict";
// The page for transfers: what is wrong is said beside the field, a day is chosen from a calendar, the daily limit is a component, and the order is confirmed in a dialog.

const LIMIT_STYLE = `
  :host { display: grid; gap: .75rem; }
  h3 { margin: 0; font-size: 1rem; }
  .bar { height: .625rem; border-radius: 999px; background: #ece7df; overflow: hidden; }
  .bar span { display: block; height: 100%; background: #14323b; border-radius: 999px; }
  .choices { display: flex; gap: .5rem; flex-wrap: wrap; }
  button { font: inherit; min-height: 44px; padding: .25rem 1rem; border-radius: 999px; border: 1px solid #858076; background: #fffdfa; color: #14323b; cursor: pointer; }
  button[aria-pressed="true"] { background: #14323b; border-color: #14323b; color: #fff; font-weight: 600; }
  p { margin: 0; color: #55606a; }
  :focus-visible { outline: 3px solid #14323b; outline-offset: 3px; }
`;

const make = (tag, attributes = {}, ...inside) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inside);
  return element;
};
const language = document.documentElement.lang;
const money = (value) => new Intl.NumberFormat(language).format(value);

class BankLimit extends HTMLElement {
  connectedCallback() {
    const { title, used, limit } = this.dataset;
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(LIMIT_STYLE);
    root.adoptedStyleSheets = [sheet];
    const spent = 12800;
    const part = make("span");
    const words = make("p", { role: "status" });
    const buttons = [20000, Number(limit), 100000].map((value) => make("button", { type: "button", "data-value": value }, money(value)));
    const choose = (chosen) => {
      for (const one of buttons) one.setAttribute("aria-pressed", String(one === chosen));
      part.style.width = `${(100 * spent) / Number(chosen.dataset.value)}%`;
      words.textContent = `${used} ${money(spent)} / ${money(chosen.dataset.value)}`;
    };
    for (const one of buttons) one.addEventListener("click", () => choose(one));
    choose(buttons[1]);
    root.append(make("h3", {}, title), make("div", { class: "choices" }, ...buttons), make("div", { class: "bar" }, part), words);
  }
}
customElements.define("bank-limit", BankLimit);

const transfer = document.getElementById("transfer");
const field = (name) => transfer.elements.namedItem(name);
const summary = document.getElementById("summary");

function say(name, words) {
  if (words === "") field(name).removeAttribute("aria-invalid");
  else field(name).setAttribute("aria-invalid", "true");
  document.getElementById(`wrong-${name}`).textContent = words;
}

const CHECKS = {
  payee: (value) => value.trim() !== "",
  account: (value) => /^\d{12,19}$/.test(value.replaceAll(" ", "")),
  amount: (value) => /^\d+(\.\d{1,2})?$/.test(value.replaceAll(",", "").trim()) && Number(value.replaceAll(",", "")) > 0,
  purpose: (value) => value !== "",
  pay_on: (_, input) => input.value !== "" && input.validity.valid,
};

function isGood(name) {
  const input = field(name);
  let words = CHECKS[name](input.value, input) ? "" : transfer.dataset[name];
  if (name === "amount" && words === "" && Number(input.value.replaceAll(",", "")) > 50000) words = transfer.dataset.limit;
  say(name, words);
  return words === "";
}

for (const name of Object.keys(CHECKS)) {
  field(name).addEventListener("change", () => {
    isGood(name);
    if (transfer.querySelector("[aria-invalid]") === null) summary.hidden = true;
  });
}

document.getElementById("payees").addEventListener("click", (event) => {
  const chosen = event.target.closest("button");
  if (chosen === null) return;
  for (const one of event.currentTarget.querySelectorAll("button")) one.classList.toggle("chosen", one === chosen);
  field("payee").value = chosen.dataset.name;
  field("account").value = chosen.dataset.account;
  isGood("payee");
  isGood("account");
});

// ---- a day

const calendar = document.getElementById("calendar");
const opener = document.getElementById("calendar-open");
const iso = (day) => `${day.getFullYear()}-${String(day.getMonth() + 1).padStart(2, "0")}-${String(day.getDate()).padStart(2, "0")}`;
let month = null;

function drawMonth() {
  const day = field("pay_on");
  const first = new Date(month.getFullYear(), month.getMonth(), 1);
  const head = make("b", { "aria-live": "polite" }, new Intl.DateTimeFormat(language, { year: "numeric", month: "long" }).format(first));
  const turn = (by, words, sign) => {
    const button = make("button", { type: "button", "aria-label": words, class: by < 0 ? "month-back" : "month-on" }, sign);
    button.addEventListener("click", () => {
      month = new Date(month.getFullYear(), month.getMonth() + by, 1);
      drawMonth();
      calendar.querySelector(by < 0 ? ".month-back" : ".month-on").focus();
    });
    return button;
  };
  const grid = make("div", { class: "days" });
  for (let at = 0; at < 7; at += 1) grid.append(make("span", { class: "soft" }, new Intl.DateTimeFormat(language, { weekday: "narrow" }).format(new Date(2024, 0, at + 1))));
  for (let at = 0; at < (first.getDay() + 6) % 7; at += 1) grid.append(make("span"));
  for (const one = new Date(first); one.getMonth() === first.getMonth(); one.setDate(one.getDate() + 1)) {
    const value = iso(one);
    const button = make("button", { type: "button", class: "day", "aria-pressed": String(value === day.value), "data-day": value }, String(one.getDate()));
    button.disabled = value < day.min || value > day.max;
    button.addEventListener("click", () => {
      day.value = value;
      isGood("pay_on");
      drawMonth();
      calendar.querySelector(`[data-day="${value}"]`).focus();
    });
    grid.append(button);
  }
  calendar.replaceChildren(make("div", { class: "month" }, turn(-1, calendar.dataset.back, "‹"), head, turn(1, calendar.dataset.on, "›")), grid);
}

opener.addEventListener("click", () => {
  calendar.hidden = !calendar.hidden;
  opener.setAttribute("aria-expanded", String(!calendar.hidden));
  if (calendar.hidden) return;
  month = new Date(`${field("pay_on").value || field("pay_on").min}T00:00`);
  drawMonth();
});

// ---- confirming

const confirmDialog = document.getElementById("confirm");
const step = (words) => "Tongping" in window && Tongping.journey(words);
const title = transfer.dataset.step;

function openConfirm() {
  for (const name of ["payee", "amount", "pay_on"]) document.getElementById(`said-${name}`).textContent = field(name).value;
  confirmDialog.showModal();
  step(`${title}: ${document.getElementById("confirm-title").textContent}`);
}

document.getElementById("check").addEventListener("click", () => {
  const wrong = Object.keys(CHECKS).filter((name) => !isGood(name));
  summary.hidden = wrong.length === 0;
  if (wrong.length > 0) field(wrong[0]).focus();
  else openConfirm();
});
document.getElementById("back").addEventListener("click", () => confirmDialog.close());
confirmDialog.addEventListener("close", () => step(title));
for (const name of ["code", "secret"]) field(name).addEventListener("input", () => say(name, ""));
transfer.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.target.localName !== "input" || confirmDialog.contains(event.target)) return;
  event.preventDefault(); // the first way to an order is to look at it
  document.getElementById("check").click();
});

if (transfer.querySelector("[aria-invalid]") !== null) {
  if (confirmDialog.querySelector("[aria-invalid]") !== null && transfer.querySelectorAll("[aria-invalid]").length === confirmDialog.querySelectorAll("[aria-invalid]").length) openConfirm();
  else summary.hidden = false;
}
