/** The reviewers' page: sign in, the list, one recording. The address says which. */
import { LogOut } from "lucide-preact";
import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { ReviewApi, Reviewer } from "../../core/review/model";
import { language, t } from "../../i18n";
import type { Site } from "../../protocol.gen";
import { Announcer } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { Logo } from "../../ui/drawings";
import { asProblem, problemText } from "../../ui/problems";
import { LanguageButton, LargeTextButton, bankName } from "../../ui/Shell";
import { LoginPage } from "../agent/Login";
import { ArriveLoading } from "../customer/Arrive";
import { RecordingList } from "./List";
import { RecordingPageOf } from "./Recording";

const HOME = "/review";

/** The recording that the address names, or null: the list. */
export const shown = signal<string | null>(null);

function read(): void {
  const found = /^\/review\/([A-Za-z0-9_-]+)\/?$/.exec(location.pathname);
  shown.value = found?.[1] ?? null;
}

export function go(recording: string | null): void {
  history.pushState(null, "", recording === null ? HOME : `${HOME}/${recording}`);
  read();
  scrollTo(0, 0);
}

/** The frame of all pages here: bank, language, who is signed in. */
export function ReviewShell(props: { site: Site | null; reviewer: Reviewer; children: ComponentChildren }) {
  return (
    <div class="review">
      <header class="review-head">
        <div class="row grow brand">
          <Logo />
          <span class="one-line" dir="auto">
            {bankName(props.site)}
          </span>
        </div>
        <div class="row review-tools">
          <span class="small soft one-line review-who">
            <bdi>{props.reviewer.staff.value.name}</bdi>
          </span>
          <LargeTextButton />
          <LanguageButton />
          <Button look="plain" icon={LogOut} onClick={() => props.reviewer.logout()}>
            {t("rail.logout")}
          </Button>
        </div>
      </header>
      <main class="review-main">{props.children}</main>
    </div>
  );
}

export function ReviewApp({ api, getSite }: { api: ReviewApi; getSite: () => Promise<Site> }) {
  const site = useSignal<Site | null>(null);
  const reviewer = useSignal<Reviewer | null>(null);
  const loading = useSignal(true);
  const busy = useSignal(false);
  const error = useSignal<string | null>(null);
  useEffect(() => {
    read();
    addEventListener("popstate", read);
    const start = async () => {
      try {
        site.value = await getSite();
        reviewer.value = await api.resume();
      } catch (problem) {
        error.value = problemText(asProblem(problem));
      } finally {
        loading.value = false;
      }
    };
    void start();
    return () => removeEventListener("popstate", read);
  }, [api]);
  useEffect(() => {
    document.title = t("title.review");
  }, [language.value]);
  const login = async (username: string, password: string) => {
    busy.value = true;
    error.value = null;
    try {
      reviewer.value = await api.login(username, password);
    } catch (problem) {
      error.value = problemText(asProblem(problem));
    } finally {
      busy.value = false;
    }
  };
  const signedIn = reviewer.value?.signedIn.value === true ? reviewer.value : null;
  return (
    <>
      {loading.value ? (
        <ArriveLoading />
      ) : signedIn === null ? (
        <LoginPage
          site={site.value}
          title={t("review.login")}
          under={t("review.login.under")}
          busy={busy.value}
          error={error.value}
          onLogin={(username, password) => void login(username, password)}
        />
      ) : (
        <ReviewShell site={site.value} reviewer={signedIn}>
          {shown.value === null ? <RecordingList reviewer={signedIn} onOpen={go} /> : <RecordingPageOf key={shown.value} reviewer={signedIn} id={shown.value} onBack={() => go(null)} />}
        </ReviewShell>
      )}
      <Announcer />
    </>
  );
}
