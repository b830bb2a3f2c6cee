import "./styles/all";
import "./styles/workbench.css";
import "./styles/plots.css";
import "./styles/reviews.css";
import "./styles/offers.css";
import { render } from "preact";
import { api } from "./core";
import { AgentApp } from "./pages/agent/App";
import { startPrefs } from "./ui/prefs";
import { startViewport } from "./ui/viewport";

startPrefs();
startViewport();
const root = document.getElementById("app");
if (root) render(<AgentApp api={api} />, root);
