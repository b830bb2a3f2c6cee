/** Does this network let a call through? Tried on the real way to the relay; said in words, also for the company's IT. */
import { Check as Works, LoaderCircle, Wifi, X } from "lucide-preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import type { Call } from "../../core/model";
import { verdict, WAYS, type NetworkVerdict, type WayResult } from "../../core/network";
import { t } from "../../i18n";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/controls";

export interface NetworkState {
  results: WayResult[];
  running: boolean;
  failed: boolean; // the server could not be asked
}

const START: NetworkState = { results: [], running: false, failed: false };

export function NetworkTest(props: { call: Call; initial?: NetworkState }) {
  const state = useSignal<NetworkState>(props.initial ?? START);
  const here = useSignal(true);
  useEffect(() => () => void (here.value = false), []);
  const run = async () => {
    state.value = { ...START, running: true };
    let failed = false;
    try {
      await props.call.testNetwork((result) => {
        if (!here.value) return;
        const results = [...state.value.results, result].sort((a, b) => WAYS.indexOf(a.way) - WAYS.indexOf(b.way));
        state.value = { ...state.value, results };
      });
    } catch {
      failed = true;
    }
    if (here.value) state.value = { ...state.value, running: false, failed };
  };
  const { results, running, failed } = state.value;
  const done = !running && !failed && results.length > 0;
  return (
    <div class="card stack tight device-row network-test">
      <div class="row">
        <Wifi size={22} strokeWidth={1.75} aria-hidden />
        <span class="grow">{t("nettest.title")}</span>
        <Button busy={running} onClick={() => void run()}>
          {t(done || failed ? "nettest.again" : "nettest.go")}
        </Button>
      </div>
      {(running || done) && (
        <ul class="network-ways" aria-label={t("nettest.ways")}>
          {results.map((one) => (
            <li key={one.way}>
              {one.works ? <Works size={18} class="good" aria-hidden /> : <X size={18} class="bad" aria-hidden />}
              <span class="grow">{t(`nettest.way.${one.way}`)}</span>
              <span class="soft small">
                {one.works ? (one.rttMs === null ? t("nettest.works") : t("nettest.works.in", { ms: one.rttMs })) : t("nettest.blocked")}
              </span>
            </li>
          ))}
          {running && (
            <li>
              <LoaderCircle size={18} class="turning" aria-hidden />
              <span class="soft">{t("nettest.running")}</span>
            </li>
          )}
        </ul>
      )}
      {failed && <Notice kind="warn">{t("nettest.failed")}</Notice>}
      {done && <Said verdict={verdict(results)} relay={results.length > 1} />}
    </div>
  );
}

function Said(props: { verdict: NetworkVerdict; relay: boolean }) {
  const { verdict: word } = props;
  return (
    <>
      <Notice kind={word === "none" ? "warn" : "info"}>{t(`nettest.said.${word}`)}</Notice>
      {word !== "direct" && (
        <details class="choices">
          <summary>{t("nettest.it")}</summary>
          <p class="small">{t(word === "none" && !props.relay ? "nettest.it.no_relay" : `nettest.it.${word}`)}</p>
        </details>
      )}
    </>
  );
}
