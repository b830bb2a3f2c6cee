import { describe, expect, it } from "vitest";
import { ordered } from "./redundancy";

const head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n";
const voice = (mid: string, numbers: string, red = "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n"): string =>
  `m=audio 9 UDP/TLS/RTP/SAVPF ${numbers}\r\na=mid:${mid}\r\na=rtpmap:111 opus/48000/2\r\n${red}`;
const answer = (first: string, second: string): string => `${head}${voice("0", first)}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n${voice("10", second)}`;

describe("a voice with redundancy", () => {
  it("comes first in its own section only", () => {
    expect(ordered(answer("111 63", "111 63"), "0", true)).toBe(answer("63 111", "111 63"));
    expect(ordered(answer("111 63", "111 63"), "10", true)).toBe(answer("111 63", "63 111"));
  });

  it("comes last again", () => {
    expect(ordered(answer("63 111", "111 63"), "0", false)).toBe(answer("111 63", "111 63"));
    expect(ordered(answer("111 63", "111 63"), "0", false)).toBe(answer("111 63", "111 63"));
  });

  it("is not there where it was not agreed on", () => {
    const plain = head + voice("0", "111", "");
    expect(ordered(plain, "0", true)).toBe(plain);
  });

  it("is found where lines end without a carriage return", () => {
    const short = answer("111 63", "111").replaceAll("\r\n", "\n");
    expect(ordered(short, "0", true)).toBe(answer("63 111", "111").replaceAll("\r\n", "\n"));
  });
});
