import "./styles/all";
import "./styles/review.css";
import "./styles/review-page.css";
import { render } from "preact";
import { request } from "./core/http";
import { reviewApi } from "./core/review/api";
import { ReviewApp } from "./pages/review/App";
import type { Site } from "./protocol.gen";
import { startPrefs } from "./ui/prefs";
import { startViewport } from "./ui/viewport";

startPrefs();
startViewport();
const root = document.getElementById("app");
if (root) render(<ReviewApp api={reviewApi} getSite={() => request<Site>("/site")} />, root);
