import "./styles/all";
import { render } from "preact";
import { api } from "./core";
import { CustomerApp, isBadLink, secretFrom } from "./pages/customer/App";
import { startPrefs } from "./ui/prefs";
import { startViewport } from "./ui/viewport";

startPrefs();
startViewport();
const root = document.getElementById("app");
if (root) render(<CustomerApp api={api} secret={secretFrom(location)} badLink={isBadLink(location)} />, root);
