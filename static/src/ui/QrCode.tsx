/** A link as a square to scan. Always dark on light, whatever the theme: telephones expect that. */
import qrcode from "qrcode-generator";

const QUIET = 4; // modules around it, ISO/IEC 18004

/** One path of all dark modules, each a unit square, and the side in modules with the quiet zone. */
export function qrPath(text: string): { path: string; side: number } {
  const code = qrcode(0, "M"); // as small as it fits; 15 % of it may be lost
  code.addData(text, "Byte");
  code.make();
  const count = code.getModuleCount();
  let path = "";
  for (let row = 0; row < count; row += 1) {
    for (let column = 0; column < count; column += 1) {
      if (code.isDark(row, column)) path += `M${column + QUIET} ${row + QUIET}h1v1h-1z`;
    }
  }
  return { path, side: count + 2 * QUIET };
}

export default function QrCode(props: { text: string; label: string }) {
  const { path, side } = qrPath(props.text);
  return (
    <svg class="qr" viewBox={`0 0 ${side} ${side}`} role="img" aria-label={props.label} shape-rendering="crispEdges">
      <rect width={side} height={side} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
