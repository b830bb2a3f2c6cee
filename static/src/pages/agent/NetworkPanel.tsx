/** The network of this session as the relay sees it: each participant's two minutes as lines, with the figures in words. */
import { RotateCcw } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ceiling, pathOf, pictures, range, rows } from "../../core/mediaCounters";
import type { Frame, Line, Point, Value } from "../../core/mediaCounters";
import type { Call } from "../../core/model";
import { clockTime, hasWords, t } from "../../i18n";
import type { Key } from "../../i18n";
import type { MediaCounters, MediaParticipant, MediaSlot, ParticipantId } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/controls";
import { problemText } from "../../ui/problems";
import { personName, roleBeside } from "../../ui/words";
import { watch } from "./networkPoll";
import type { Poll } from "./networkPoll";

const WIDTH = 240;
const HEIGHT = 44;
const EDGE = 2; // so that a line at the top or at nothing is not cut in half
interface Curve {
  value: Value;
  name: Key;
  look: "main" | "other";
}

interface PlotSetting {
  title: Key;
  unit: Key;
  curves: readonly Curve[];
  top: (points: readonly Point[]) => number;
  steps?: boolean;
  /** The unit stands in the title already. */
  bare?: boolean;
}

const PLOTS: readonly PlotSetting[] = [
  {
    title: "netpanel.rate",
    unit: "netpanel.unit.kbps",
    curves: [{ value: "estimate", name: "netpanel.estimate", look: "other" }, { value: "sent", name: "netpanel.sent", look: "main" }],
    top: (points) => ceiling(points, ["estimate", "sent"], 100),
    bare: true,
  },
  { title: "netpanel.rtt", unit: "netpanel.unit.ms", curves: [{ value: "rtt", name: "netpanel.rtt", look: "main" }], top: (points) => ceiling(points, ["rtt"], 100) },
  {
    title: "netpanel.loss",
    unit: "netpanel.unit.percent",
    curves: [{ value: "lossUp", name: "netpanel.from", look: "other" }, { value: "lossDown", name: "netpanel.to", look: "main" }],
    top: (points) => Math.min(100, ceiling(points, ["lossDown", "lossUp"], 5)),
  },
  { title: "netpanel.lines", unit: "netpanel.unit.lines", curves: [{ value: "lines", name: "netpanel.lines", look: "main" }], top: (points) => Math.max(720, range(points, "lines")?.most ?? 0), steps: true },
];

function figure(value: number | null): string {
  if (value === null) return t("netpanel.unknown");
  return String(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
}

/** One value in words: now, and between what in the last two minutes. */
function told(points: readonly Point[], curve: Curve, unit: Key): string {
  const seen = range(points, curve.value);
  const now = points.at(-1)?.[curve.value] ?? null;
  return t(seen === null ? "netpanel.told.none" : "netpanel.told", {
    name: t(curve.name),
    now: now === null ? t("netpanel.unknown") : t(unit, { value: figure(now) }),
    least: figure(seen?.least ?? null),
    most: t(unit, { value: figure(seen?.most ?? null) }),
  });
}

function Plot({ setting, points, endMs, stale }: { setting: PlotSetting; points: readonly Point[]; endMs: number; stale: boolean }) {
  const frame: Frame = { width: WIDTH, height: HEIGHT, endMs, top: setting.top(points) };
  const alone = setting.curves.length === 1;
  return (
    <figure class="plot">
      <figcaption>
        <span class="plot-title">{t(setting.title)}</span>
        <span class="plot-legend">
          {setting.curves.toReversed().map((curve) => {
            const now = stale ? null : (points.at(-1)?.[curve.value] ?? null);
            return (
              <span key={curve.value} class={alone ? "plot-now" : `plot-now key ${curve.look}`}>
                {!alone && <span class="soft">{t(curve.name)} </span>}
                <strong>{now === null ? t("netpanel.unknown") : setting.bare ? figure(now) : t(setting.unit, { value: figure(now) })}</strong>
              </span>
            );
          })}
        </span>
      </figcaption>
      <div class="plot-field">
        <span class="plot-scale" aria-hidden>
          <span>{figure(frame.top)}</span>
          <span>0</span>
        </span>
        <svg viewBox={`0 ${-EDGE} ${WIDTH} ${HEIGHT + 2 * EDGE}`} preserveAspectRatio="none" role="img" aria-label={setting.curves.map((curve) => told(points, curve, setting.unit)).join(" ")}>
          {[0, 0.5, 1].map((part) => (
            <line key={part} x1="0" x2={WIDTH} y1={part * HEIGHT} y2={part * HEIGHT} />
          ))}
          {setting.curves.map((curve) => (
            <path key={curve.value} class={curve.look} d={pathOf(points, curve.value, frame, setting.steps)} />
          ))}
        </svg>
      </div>
    </figure>
  );
}

function slotWords(slot: MediaSlot): string {
  if (slot.held) return t("netpanel.slot.held");
  if (slot.rid === null) return t("netpanel.slot.none");
  const lines = slot.height === 0 ? t("netpanel.slot.some") : t("netpanel.slot.lines", { value: slot.height });
  return slot.temporal === null ? lines : t("netpanel.slot.fewer", { lines });
}

/** Counters since their connection began. */
function counts(now: MediaParticipant): [Key, number][] {
  const layers = now.sources.flatMap((source) => source.layers);
  const sum = (numbers: number[]): number => numbers.reduce((all, one) => all + one, 0);
  return [
    ["netpanel.count.resent", sum(now.slots.map((slot) => slot.resent))],
    ["netpanel.count.recovered", sum(layers.map((layer) => layer.recovered))],
    ["netpanel.count.lost", sum(layers.map((layer) => layer.lost))],
    ["netpanel.count.keys", sum(layers.map((layer) => layer.key_frames))],
    ["netpanel.count.asked", now.network?.key_requests ?? 0],
    ["netpanel.count.jitter", Math.max(0, ...layers.map((layer) => layer.jitter_ms), ...now.slots.map((slot) => slot.jitter_ms))],
    ["netpanel.count.probes", Math.round((now.network?.probe_bytes ?? 0) / 1000)],
  ];
}

const COLUMNS: readonly (readonly [Value, Key])[] = [
  ["estimate", "netpanel.estimate"],
  ["sent", "netpanel.sent"],
  ["rtt", "netpanel.rtt"],
  ["lossDown", "netpanel.to"],
  ["lossUp", "netpanel.from"],
  ["lines", "netpanel.lines"],
];

function Figures({ line, endMs }: { line: Line; endMs: number }) {
  return (
    <details class="choices">
      <summary>{t("netpanel.table")}</summary>
      {line.now && (
        <dl class="counts">
          {counts(line.now).map(([name, number]) => (
            <div key={name}>
              <dt>{t(name)}</dt>
              <dd>{number}</dd>
            </div>
          ))}
        </dl>
      )}
      <div class="plot-table" tabIndex={0} role="group" aria-label={t("netpanel.table")}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("netpanel.ago")}</th>
              {COLUMNS.map(([value, name]) => (
                <th key={value} scope="col">
                  {t(value === "lossDown" || value === "lossUp" ? "netpanel.loss.of" : "netpanel.plain", { name: t(name) })}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows(line.points).map((point) => (
              <tr key={point.atMs}>
                <th scope="row">{Math.round((endMs - point.atMs) / 1000)}</th>
                {COLUMNS.map(([value]) => (
                  <td key={value}>{figure(point[value])}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

function state(line: Line): { words: string; warn: boolean } {
  if (line.now === null) return { words: t("netpanel.state.gone"), warn: true };
  if (line.now.state !== "connected") return { words: t(line.now.state === "connecting" ? "netpanel.state.connecting" : "netpanel.state.lost"), warn: true };
  const limit = `netpanel.limit.${line.now.network?.limit ?? "none"}`;
  return { words: t(hasWords(limit) ? limit : "netpanel.limit.none"), warn: line.now.network?.limit !== "none" };
}

function Participant({ line, endMs, nameOf }: { line: Line; endMs: number; nameOf: (id: ParticipantId) => { name: string; role: string | null } }) {
  const who = nameOf(line.participant);
  const { words, warn } = state(line);
  const shown = line.now ? pictures(line.now) : [];
  return (
    <section class="net-person" aria-label={who.name}>
      <h3 dir="auto">
        <bdi>{who.name}</bdi> {who.role && <span class="soft small">{who.role}</span>}
      </h3>
      <p class={warn ? "net-state warn" : "net-state soft"}>{words}</p>
      <div class="plots">
        {PLOTS.map((setting) => (
          <Plot key={setting.title} setting={setting} points={line.points} endMs={endMs} stale={line.now?.state !== "connected"} />
        ))}
      </div>
      {shown.length > 0 && (
        <ul class="net-slots" aria-label={t("netpanel.slots")}>
          {shown.map((slot) => (
            <li key={slot.mid}>
              <span class="soft">{t("netpanel.slot", { source: t(`source.${slot.source ?? "camera"}`), name: nameOf(slot.participant ?? "").name })}</span> <span>{slotWords(slot)}</span>
            </li>
          ))}
        </ul>
      )}
      <Figures line={line} endMs={endMs} />
    </section>
  );
}

export interface NetworkPanelProps {
  call: Call;
  read: () => Promise<MediaCounters>;
  /** Instead of asking: what a story shows. */
  still?: Poll;
}

export function NetworkPanel({ call, read, still }: NetworkPanelProps) {
  const poll = useSignal<Poll>(still ?? { history: [], atMs: null, problem: null });
  const again = useSignal<() => void>(() => undefined);
  useEffect(() => {
    if (still) return undefined;
    const watching = watch(poll, read);
    again.value = watching.again;
    return watching.stop;
  }, [call]);
  const { history, atMs, problem } = poll.value;
  const me = call.me.value;
  const people = new Map([...(me ? [me] : []), ...call.others.value].map((person) => [person.id, person]));
  const nearness = ({ participant }: Line): number => (participant === me?.id ? 2 : people.get(participant)?.role === "customer" ? 0 : 1);
  const nameOf = (id: ParticipantId) => {
    const person = people.get(id);
    if (!person) return { name: t("netpanel.somebody"), role: null };
    return { name: personName(person), role: id === me?.id ? `(${t("you")})` : roleBeside(person) };
  };
  return (
    <div class="net stack" aria-busy={atMs === null && problem === null}>
      <p class="small soft">{t("netpanel.under")}</p>
      {problem && (
        <Notice kind="quiet" action={<Button icon={RotateCcw} onClick={() => again.value()}>{t("retry")}</Button>}>
          {atMs === null ? problemText(problem) : t("netpanel.stale", { time: clockTime(new Date(atMs).toISOString()), why: problemText(problem) })}
        </Notice>
      )}
      {atMs === null ? (
        !problem && (
          <div class="stack tight" role="status" aria-label={t("loading")}>
            <div class="skeleton tall" />
            <div class="skeleton tall" />
          </div>
        )
      ) : history.length === 0 ? (
        <p>{t("netpanel.empty")}</p>
      ) : (
        history.toSorted((a, b) => nearness(a) - nearness(b)).map((line) => <Participant key={line.participant} line={line} endMs={atMs} nameOf={nameOf} />)
      )}
      {history.length > 0 && <p class="small soft">{t("netpanel.axis")}</p>}
    </div>
  );
}
