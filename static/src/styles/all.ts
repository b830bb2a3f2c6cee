import "./tokens.css";
import "./base.css";
import "./controls.css";
import "./customer.css";
import "./session.css";
import "./screen.css";
import "./side.css";
import "./chat.css";
