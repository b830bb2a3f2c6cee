import type { Language } from "../words";

const en = {
  "offer.title": "{who} offers to help you here",
  "offer.text": "If you like, you look at this page together. Nobody sees anything until you allow it.",
  "offer.yes": "Yes, please",
  "offer.no": "No, thanks",
  "offer.wait": "One moment, {name} is coming …",
  "offer.late": "That did not work. You can ask for help at any time.",
  "call.title": "{who} would like to talk with you",
  "call.text": "The conversation opens in a new window: by chat, voice or video, as you choose there. This page stays as it is, and goes on without it.",
  "call.yes": "Yes, open it",
  "call.no": "No",
  "call.wait": "The conversation is being opened …",
  "call.open": "Open the conversation",
  "call.blocked": "Your browser has opened no new window. Open it by this link:",
  "call.failed": "That did not work.",
  "reach": "Press Escape to go there.",
  "close": "Close",
  "someone": "Your adviser",
  "the_bank": "your bank",
  "of": "{name} of {bank}",
};
const zh: Record<keyof typeof en, string> = {
  "offer.title": "{who}可以为您提供帮助",
  "offer.text": "如果您愿意，可以一起查看此页面。未经您同意，没有人能看到任何内容。",
  "offer.yes": "好的，谢谢",
  "offer.no": "不用，谢谢",
  "offer.wait": "请稍候，{name}马上就来……",
  "offer.late": "没有成功。您随时可以请求帮助。",
  "call.title": "{who}想与您通话",
  "call.text": "通话将在新窗口中打开，您可以选择文字、语音或视频。此页面保持不变，关闭通话后仍可继续。",
  "call.yes": "同意，打开",
  "call.no": "不同意",
  "call.wait": "正在打开通话……",
  "call.open": "打开通话",
  "call.blocked": "浏览器没有打开新窗口，请点击此链接：",
  "call.failed": "没有成功。",
  "reach": "按 Esc 键前往。",
  "close": "关闭",
  "someone": "客服",
  "the_bank": "您的银行",
  "of": "{bank}的{name}",
};

export type HelpWord = keyof typeof en;

export function wordsIn(language: Language): (key: HelpWord, places?: Readonly<Record<string, string>>) => string {
  const words = language === "zh" ? zh : en;
  return (key, places = {}) => {
    const made = words[key].replace(/\{(\w+)\}/g, (_, name: string) => places[name] ?? "");
    // a Latin name stands apart from Chinese words
    return language === "zh" ? made.replace(/([A-Za-z0-9])(?=\p{Script=Han})/gu, "$1 ").replace(/(\p{Script=Han})(?=[A-Za-z0-9])/gu, "$1 ") : made;
  };
}
