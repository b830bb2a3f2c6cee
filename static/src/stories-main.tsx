/** `/dev/stories`: every state of every page, by address: `#story=call-live&lang=zh&theme=dark&size=large`. */
import "./styles/all";
import "./styles/workbench.css";
import "./styles/plots.css";
import "./styles/reviews.css";
import "./styles/review.css";
import "./styles/review-page.css";
import "./styles/offers.css";
import "./styles/stories.css";
import { signal } from "@preact/signals";
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { language } from "./i18n";
import { stories } from "./stories/list";
import { Announcer } from "./ui/announce";
import { largeText, startPrefs, theme } from "./ui/prefs";
import { startViewport } from "./ui/viewport";

const shown = signal<{ story: string; turn: number }>({ story: "", turn: 0 });

function read(): void {
  const wish = new URLSearchParams(location.hash.slice(1));
  language.value = wish.get("lang") === "en" ? "en" : "zh";
  theme.value = wish.get("theme") === "dark" ? "dark" : "light";
  largeText.value = wish.get("size") === "large";
  document.documentElement.dir = wish.get("dir") === "rtl" ? "rtl" : "ltr";
  const story = wish.get("story") ?? "";
  shown.value = { story, turn: shown.value.turn + 1 };
}

function link(story: string): string {
  const wish = new URLSearchParams(location.hash.slice(1));
  wish.set("story", story);
  return `#${wish}`;
}

function Stories() {
  const { story, turn } = shown.value;
  useEffect(() => {
    dispatchEvent(new Event("storyshown")); // tests wait for it
  }, [turn]);
  const found = stories.find((item) => item.name === story);
  if (found) {
    return (
      <>
        <div class="story" key={`${story}-${turn}`}>
          {found.make()}
        </div>
        <Announcer />
      </>
    );
  }
  return (
    <main class="story-list">
      <h1>Stories</h1>
      <ul>
        {stories.map((item) => (
          <li key={item.name}>
            <a class="button plain" href={link(item.name)}>
              {item.name}
            </a>
          </li>
        ))}
      </ul>
    </main>
  );
}

startPrefs();
startViewport();
read();
addEventListener("hashchange", read);
Object.assign(window, { storyNames: stories.map((item) => item.name) });
const root = document.getElementById("app");
if (root) render(<Stories />, root);
