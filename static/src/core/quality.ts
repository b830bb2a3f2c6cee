/** From the browser's statistics to one word and a few figures. Pure: two samples in, a report out. */
import type { QualityLevel, QualityReport } from "../protocol.gen";

/** Totals since the connection began, of everything in it. */
export interface Sample {
  atMs: number;
  received: number; // packets
  lost: number;
  bytesIn: number;
  bytesOut: number;
  rttMs: number | null;
  uplinkLoss: number | null; // 0…1, what the server says that it misses
}

type Stat = Readonly<Record<string, unknown>>;

const number = (stat: Stat, name: string): number => {
  const value = stat[name];
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
};

/** Names are those of W3C webrtc-stats. */
export function sample(stats: Iterable<Stat>, atMs: number): Sample {
  const total: Sample = { atMs, received: 0, lost: 0, bytesIn: 0, bytesOut: 0, rttMs: null, uplinkLoss: null };
  for (const stat of stats) {
    switch (stat["type"]) {
      case "inbound-rtp":
        total.received += number(stat, "packetsReceived");
        total.lost += number(stat, "packetsLost");
        total.bytesIn += number(stat, "bytesReceived");
        break;
      case "outbound-rtp":
        total.bytesOut += number(stat, "bytesSent");
        break;
      case "remote-inbound-rtp":
        total.uplinkLoss = Math.max(total.uplinkLoss ?? 0, number(stat, "fractionLost"));
        if (total.rttMs === null && number(stat, "roundTripTime") > 0) total.rttMs = 1000 * number(stat, "roundTripTime");
        break;
      case "candidate-pair":
        if (stat["nominated"] === true && stat["state"] === "succeeded" && number(stat, "currentRoundTripTime") > 0) {
          total.rttMs = 1000 * number(stat, "currentRoundTripTime");
        }
        break;
    }
  }
  return total;
}

/** Worst of what is felt: above 250 ms people talk over each other, above 2 % loss pictures suffer, above 8 % voices. */
export function level(rttMs: number, lossPermille: number): QualityLevel {
  if (rttMs > 500 || lossPermille > 80) return "poor";
  return rttMs > 250 || lossPermille > 20 ? "fair" : "good";
}

export function report(before: Sample, now: Sample): QualityReport {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
  const lost = Math.max(0, now.lost - before.lost);
  const expected = lost + Math.max(0, now.received - before.received);
  const down = expected === 0 ? 0 : lost / expected;
  const whole = (value: number, most: number): number => Math.min(most, Math.max(0, Math.round(value)));
  const lossPermille = whole(1000 * Math.max(down, now.uplinkLoss ?? 0), 1000);
  const rttMs = whole(now.rttMs ?? 0, 60_000);
  return {
    type: "quality.report",
    level: level(rttMs, lossPermille),
    rtt_ms: rttMs,
    loss_permille: lossPermille,
    down_kbps: whole((8 * (now.bytesIn - before.bytesIn)) / seconds / 1000, 10_000_000),
    up_kbps: whole((8 * (now.bytesOut - before.bytesOut)) / seconds / 1000, 10_000_000),
  };
}

/** Whether the encoding `rid` ("" of one without) of the camera section `mid` is sent far smaller than `width`: Chromium starts a
 *  call small, for want of an estimate, and grows for tens of seconds although the path has long proved wide enough. */
export function undersized(stats: Iterable<Stat>, mid: string, rid: string, width: number, maxBitrate: number): boolean {
  for (const stat of stats) {
    if (stat["type"] !== "outbound-rtp" || stat["mid"] !== mid || (stat["rid"] ?? "") !== rid) continue;
    const now = number(stat, "frameWidth");
    return now > 0 && now < 0.75 * width && stat["qualityLimitationReason"] === "bandwidth" && number(stat, "targetBitrate") >= 0.8 * maxBitrate;
  }
  return false;
}

/** Whether a report is worth sending: it says something new, or the last one is 5 s old. */
export function worthSending(last: QualityReport | null, lastAtMs: number, next: QualityReport, nowMs: number): boolean {
  if (last === null || nowMs - lastAtMs >= 5_000) return true;
  if (last.level !== next.level) return true;
  return Math.abs(last.rtt_ms - next.rtt_ms) > 50 || Math.abs(last.loss_permille - next.loss_permille) > 10;
}
