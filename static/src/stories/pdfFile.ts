/** A PDF made by hand: three pages, in Chinese with a font that it does not bring. */

type Line = readonly [size: number, x: number, y: number, text: string];

export const SIZES: [number, number][] = [
  [595, 842],
  [595, 842],
  [842, 595],
];

const hex = (text: string): string => `<${[...text].map((one) => one.charCodeAt(0).toString(16).padStart(4, "0")).join("")}>`;
const plain = (text: string): string => `(${text.replace(/[\\()]/g, "\\$&")})`;

function lines(zh: boolean): Line[][] {
  const title = zh ? "个人账户服务协议" : "Agreement on a personal account";
  const body = zh
    ? ["一、本协议由客户与远江银行订立。", "二、银行卡挂失后，旧卡立即停用，新卡寄往预留地址。", "三、挂失期间的费用由银行承担。", "四、客户可以随时查询本协议的内容。"]
    : ["1. This agreement is between the customer and Yuanjiang Bank.", "2. A card reported lost stops working at once; a new one is sent by post.", "3. The bank bears the cost while a card is blocked.", "4. The customer may ask for a copy of this agreement at any time."];
  const fill = Array.from({ length: 10 }, (_, index) => body[index % body.length] ?? "");
  const page = (n: number): Line[] => [[20, 60, 770, `${title} (${n}/3)`], ...fill.map((text, index): Line => [12, 60, 720 - index * 34, text])];
  return [
    [...page(1), [12, 60, 190, zh ? "客户签名：" : "Signature of the customer:"]],
    page(2),
    [[20, 60, 520, `${title} (3/3)`], ...fill.slice(0, 6).map((text, index): Line => [12, 60, 470 - index * 30, text])],
  ];
}

export function storyPdf(zh: boolean): ArrayBuffer {
  const font = zh
    ? "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> /FontDescriptor << /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >> >>] >>"
    : "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>";
  const pages = lines(zh);
  const contents = pages.map((all) => all.map(([size, x, y, text]) => `BT /F1 ${size} Tf ${x} ${y} Td ${zh ? hex(text) : plain(text)} Tj ET`).join("\n") + "\n0.5 w 200 180 m 420 180 l S");
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    `<< /Type /Pages /Kids [${pages.map((_, index) => `${4 + index * 2} 0 R`).join(" ")}] /Count ${pages.length} >>`,
    font,
    ...contents.flatMap((text, index) => [
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${SIZES[index]?.join(" ") ?? ""}] /Resources << /Font << /F1 3 0 R >> >> /Contents ${5 + index * 2} 0 R >>`,
      `<< /Length ${text.length} >>\nstream\n${text}\nendstream`,
    ]),
  ];
  let file = "%PDF-1.7\n";
  const offsets = objects.map((object, index) => {
    const at = file.length;
    file += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return at;
  });
  const start = file.length;
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${offsets.map((at) => `${String(at).padStart(10, "0")} 00000 n \n`).join("")}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`;
  return new TextEncoder().encode(file).buffer as ArrayBuffer;
}
