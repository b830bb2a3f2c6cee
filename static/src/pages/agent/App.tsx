/** The agent's page: sign in, then the workbench; a reload comes back to where it was. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Api, Desk } from "../../core/model";
import { language, t } from "../../i18n";
import type { Site } from "../../protocol.gen";
import { announce, Announcer } from "../../ui/announce";
import { asProblem, problemText } from "../../ui/problems";
import { ArriveLoading } from "../customer/Arrive";
import { arrived } from "./Lists";
import { LoginPage } from "./Login";
import { Workbench } from "./Workbench";

export function AgentApp({ api }: { api: Api }) {
  const site = useSignal<Site | null>(null);
  const desk = useSignal<Desk | null>(null);
  const loading = useSignal(true);
  const busy = useSignal(false);
  const error = useSignal<string | null>(null);
  const start = async () => {
    try {
      site.value = await api.site();
      desk.value = await api.resumeDesk();
    } catch (problem) {
      error.value = problemText(asProblem(problem));
    } finally {
      loading.value = false;
    }
  };
  useEffect(() => void start(), [api]);
  const login = async (username: string, password: string) => {
    busy.value = true;
    error.value = null;
    try {
      desk.value = await api.login(username, password);
    } catch (problem) {
      error.value = problemText(asProblem(problem));
    } finally {
      busy.value = false;
    }
  };
  const signedIn = desk.value !== null && desk.value.state.value !== "ended" ? desk.value : null;
  const waiting = signedIn ? signedIn.waiting.value.length + arrived(signedIn).length : 0;
  useEffect(() => {
    document.title = waiting ? `(${waiting}) ${t("title.agent")}` : t("title.agent"); // seen from another tab too
  }, [language.value, waiting]);
  useEffect(() => {
    if (signedIn === null) announce(""); // whoever sits down next hears nothing of the last conversation
  }, [signedIn]);
  return (
    <>
      {loading.value ? (
        <ArriveLoading />
      ) : signedIn ? (
        <Workbench desk={signedIn} site={site.value} />
      ) : (
        <LoginPage site={site.value} busy={busy.value} error={error.value} onLogin={(username, password) => void login(username, password)} />
      )}
      <Announcer />
    </>
  );
}
