/** One card after the other: microphone, then camera. Refusing goes on all the same. What the check found missing is not asked for. */
import { useSignal } from "@preact/signals";
import { useState } from "preact/hooks";
import type { Call } from "../../core/model";
import { t } from "../../i18n";
import type { Site } from "../../protocol.gen";
import { ConsentCard, WORDING } from "../../ui/ConsentCard";
import { Heading, Shell, Steps } from "../../ui/Shell";
import { QueueLine } from "./Wait";

function wanted({ devices }: Call): readonly ("microphone" | "camera")[] {
  const both = ["microphone", "camera"] as const;
  const there = both.filter((scope) => (scope === "camera" ? devices.cameraProblem : devices.microphoneProblem).peek() === null);
  return there.length > 0 ? there : both; // nothing: who comes here all the same is asked
}

/** `off`: the camera is off, and not because they want it to be. */
export function Consents(props: { site: Site | null; call: Call; onDone: () => void; first?: number; off?: boolean }) {
  const { call } = props;
  const index = useSignal(props.first ?? 0);
  const [asked] = useState(() => wanted(call));
  const scope = asked[index.value] ?? asked[0] ?? "camera";
  // Devices are known once they were tried. Who skipped the check has not switched the camera off there.
  const [checked] = useState(() => props.off !== true && call.devices.cameras.peek().length + call.devices.microphones.peek().length > 0);
  const answer = (given: boolean) => {
    const { devices } = call;
    call.decide(scope, given ? "given" : "refused", WORDING[scope]);
    if (scope === "microphone") void call.setMicrophone(given && devices.microphoneProblem.value === null);
    else void call.setCamera(given && (checked ? devices.cameraOn.value : devices.cameraProblem.value === null));
    if (index.value + 1 < asked.length) index.value += 1;
    else props.onDone();
  };
  return (
    <Shell site={props.site}>
      <QueueLine call={call} />
      <Steps now={2} />
      <Heading under={t("consents.under")}>{t("consents.title")}</Heading>
      {asked.length > 1 && <p class="soft small">{t("consents.of", { n: index.value + 1, all: asked.length })}</p>}
      <ConsentCard key={scope} scope={scope} onAnswer={answer} />
    </Shell>
  );
}
