/** One card after the other: microphone, then camera. Refusing goes on all the same. */
import { useSignal } from "@preact/signals";
import { useState } from "preact/hooks";
import type { Call } from "../../core/model";
import { t } from "../../i18n";
import type { Site } from "../../protocol.gen";
import { ConsentCard, WORDING } from "../../ui/ConsentCard";
import { Heading, Shell, Steps } from "../../ui/Shell";
import { QueueLine } from "./Wait";

const ASKED = ["microphone", "camera"] as const;

export function Consents(props: { site: Site | null; call: Call; onDone: () => void; first?: number }) {
  const { call } = props;
  const index = useSignal(props.first ?? 0);
  const scope = ASKED[index.value] ?? "camera";
  // Devices are known once they were tried. Who skipped the check has not switched the camera off there.
  const [checked] = useState(() => call.devices.cameras.peek().length + call.devices.microphones.peek().length > 0);
  const answer = (given: boolean) => {
    const { devices } = call;
    call.decide(scope, given ? "given" : "refused", WORDING[scope]);
    if (scope === "microphone") void call.setMicrophone(given && devices.microphoneProblem.value === null);
    else void call.setCamera(given && (checked ? devices.cameraOn.value : devices.cameraProblem.value === null));
    if (index.value + 1 < ASKED.length) index.value += 1;
    else props.onDone();
  };
  return (
    <Shell site={props.site}>
      <QueueLine call={call} />
      <Steps now={2} />
      <Heading under={t("consents.under")}>{t("consents.title")}</Heading>
      <p class="soft small">{t("consents.of", { n: index.value + 1, all: ASKED.length })}</p>
      <ConsentCard key={scope} scope={scope} onAnswer={answer} />
    </Shell>
  );
}
