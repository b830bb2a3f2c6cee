/** Every page and state, by name. The tests open all of them; `docs` says which are photographed. */
import type { JSX } from "preact";
import { AgentApp } from "../pages/agent/App";
import { Arrive, ArriveError, ArriveLoading, Invited, WalkIn } from "../pages/customer/Arrive";
import { CustomerApp } from "../pages/customer/App";
import { Check } from "../pages/customer/Check";
import { NetworkTest, type NetworkState } from "../pages/customer/NetworkTest";
import { Consents } from "../pages/customer/Consents";
import { Done } from "../pages/customer/Done";
import { Wait } from "../pages/customer/Wait";
import { ExpertArrival } from "../pages/expert/ExpertArrival";
import { ConsentCard } from "../ui/ConsentCard";
import { codeText, problemText } from "../ui/problems";
import { NAMES, fakeApi, fakeCall, fakeDevices, preview, session, site } from "./fakes";
import { benchStories } from "./bench";
import { callStories } from "./calls";
import { cobrowseStories } from "./cobrowse";
import { networkStories } from "./network";
import { pdfStories } from "./pdf";
import { peopleStories } from "./people";
import { recordingStories } from "./recording";
import { reviewStories } from "./review";
import { selfStories } from "./self";
import { reviewsStories } from "./reviews";
import { verificationStories } from "./verification";
import { Shell } from "../ui/Shell";

export interface Story {
  name: string;
  make: () => JSX.Element;
}

const nothing = () => undefined;
const idle = { error: null, busy: false };

/** Before the check nothing has been asked for yet. */
const fresh = () => fakeCall({ consents: [], devices: fakeDevices({ preview: null, cameraOn: false, microphoneOn: false }) });
const checking = (change: Parameters<typeof fakeDevices>[0] = {}, setting: Parameters<typeof fakeCall>[0] = {}) =>
  fakeCall({ consents: [], devices: fakeDevices(change), ...setting });

const WAYS: NetworkState["results"] = [
  { way: "direct", works: false, rttMs: null },
  { way: "udp", works: false, rttMs: null },
  { way: "tcp", works: false, rttMs: null },
  { way: "tls", works: true, rttMs: 41 },
];
const Network = (state: Partial<NetworkState>) => (
  <Shell site={site()}>
    <NetworkTest call={checking()} initial={{ results: [], running: false, failed: false, ...state }} />
  </Shell>
);

const customer: Story[] = [
  { name: "customer-flow", make: () => <CustomerApp api={fakeApi()} secret={null} /> },
  { name: "agent-flow", make: () => <AgentApp api={fakeApi()} /> },
  { name: "arrive", make: () => <Arrive site={site()} {...idle} onCode={nothing} onWalkIn={nothing} /> },
  { name: "arrive-loading", make: () => <ArriveLoading /> },
  { name: "arrive-wrong-code", make: () => <Arrive site={site()} busy={false} error={codeText("not_found")} onCode={nothing} onWalkIn={nothing} /> },
  { name: "arrive-bad-link", make: () => <Arrive site={site()} {...idle} badLink onCode={nothing} onWalkIn={nothing} /> },
  { name: "arrive-error", make: () => <ArriveError site={site()} text={codeText("gone")} onRetry={nothing} onOther={nothing} /> },
  { name: "arrive-offline", make: () => <ArriveError site={null} text={codeText("offline")} onRetry={nothing} onOther={nothing} /> },
  { name: "walk-in", make: () => <WalkIn site={site()} {...idle} onJoin={nothing} onBack={nothing} /> },
  { name: "walk-in-busy", make: () => <WalkIn site={site()} busy error={null} onJoin={nothing} onBack={nothing} /> },
  { name: "invited", make: () => <Invited site={site()} preview={preview()} {...idle} onStart={nothing} /> },
  { name: "invited-long-name", make: () => <Invited site={site()} preview={preview({ name: NAMES.long(), invited_by: NAMES.long() })} {...idle} onStart={nothing} /> },
  { name: "check-before", make: () => <Check site={site()} call={fresh()} onDone={nothing} onSkip={nothing} onTextOnly={nothing} /> },
  { name: "check", make: () => <Check site={site()} call={checking({}, { quality: [["PA_me", "good"]] })} onDone={nothing} onSkip={nothing} onTextOnly={nothing} /> },
  { name: "check-denied", make: () => <Check site={site()} call={checking({ preview: null, cameraProblem: "denied", microphoneProblem: "denied" })} onDone={nothing} onSkip={nothing} onTextOnly={nothing} /> },
  {
    name: "check-no-camera",
    make: () => <Check site={site()} call={checking({ preview: null, cameras: [], cameraOn: false, cameraProblem: "none" }, { quality: [["PA_me", "poor"]] })} onDone={nothing} onSkip={nothing} onTextOnly={nothing} />,
  },
  {
    name: "check-nothing",
    make: () => <Check site={site()} call={checking({ preview: null, cameras: [], microphones: [], speakers: [], cameraProblem: "none", microphoneProblem: "none" }, { mediaState: "failed" })} onDone={nothing} onSkip={nothing} onTextOnly={nothing} />,
  },
  {
    name: "check-recording-in-queue",
    make: () => <Check site={site()} call={checking({ recording: "recording" }, { phase: "waiting", others: [], queue: { position: 3, estimatedWaitS: 300 } })} onDone={nothing} onSkip={nothing} onTextOnly={nothing} />,
  },
  { name: "consent-microphone", make: () => <Consents site={site()} call={fakeCall({ consents: [] })} onDone={nothing} /> },
  { name: "consent-camera", make: () => <Consents site={site()} call={fakeCall({ consents: [] })} first={1} onDone={nothing} /> },
  { name: "consent-document", make: () => <ConsentCard scope="document" onAnswer={nothing} /> },
  { name: "consent-face", make: () => <ConsentCard scope="face" onAnswer={nothing} /> },
  { name: "consent-voice-only", make: () => <Consents site={site()} call={fakeCall({ consents: [], devices: fakeDevices({ preview: null, cameras: [], cameraOn: false, cameraProblem: "none" }) })} onDone={nothing} /> },
  { name: "arrive-too-often", make: () => <Arrive site={site()} busy={false} error={problemText({ code: "too_many", detail: "", retryAfterS: 1 })} onCode={nothing} onWalkIn={nothing} /> },
  { name: "network-running", make: () => <Network running results={WAYS.slice(0, 2)} /> },
  { name: "network-direct", make: () => <Network results={[{ way: "direct", works: true, rttMs: 18 }, ...WAYS.slice(1).map((one) => ({ ...one, works: true, rttMs: 24 }))]} /> },
  { name: "network-tls", make: () => <Network results={WAYS} /> },
  { name: "network-none", make: () => <Network results={WAYS.map((one) => ({ ...one, works: false, rttMs: null }))} /> },
  { name: "network-failed", make: () => <Network failed results={[]} /> },
  { name: "wait", make: () => <Wait site={site()} call={fakeCall({ phase: "waiting", others: [], queue: { position: 2, estimatedWaitS: 240 } })} onCheck={nothing} /> },
  { name: "wait-unknown", make: () => <Wait site={site()} call={fakeCall({ phase: "waiting", others: [], queue: { position: 14, estimatedWaitS: null } })} onCheck={nothing} /> },
  { name: "wait-reconnecting", make: () => <Wait site={site()} call={fakeCall({ phase: "reconnecting", others: [], queue: { position: 1, estimatedWaitS: 40 } })} onCheck={nothing} /> },
  { name: "done", make: () => <Done site={site()} session={session()} because="session_ended" onAgain={nothing} /> },
  { name: "done-removed", make: () => <Done site={site()} session={session()} because="removed" onAgain={nothing} /> },
  { name: "done-error", make: () => <Done site={site()} session={null} because="internal" onAgain={nothing} /> },
  {
    name: "expert-arrival",
    make: () => <ExpertArrival site={site()} preview={preview({ role: "expert", name: NAMES.expert(), context: session().context })} {...idle} onJoin={nothing} />,
  },
  { name: "expert-arrival-bare", make: () => <ExpertArrival site={site()} preview={preview({ role: "expert", name: NAMES.expert(), context: "" })} {...idle} onJoin={nothing} /> },
  {
    name: "expert-arrival-rtl",
    make: () => <ExpertArrival site={site()} preview={preview({ role: "expert", name: "", invited_by: NAMES.arabic(), context: "العميل فقد بطاقته المصرفية هذا الصباح ويحتاج إلى مساعدة عاجلة." })} {...idle} onJoin={nothing} />,
  },
  { name: "expert-done", make: () => <Done site={site()} session={session()} because="left" expert onAgain={nothing} /> },
];

export const stories: Story[] = [...customer, ...callStories, ...benchStories, ...cobrowseStories, ...networkStories, ...pdfStories, ...peopleStories, ...recordingStories, ...verificationStories, ...selfStories, ...reviewStories, ...reviewsStories];
