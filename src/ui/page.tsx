// The dashboard: one page, served from the executable, that knows of the daemon what the public API tells. Everything that it shows was
// written by strangers at some point, so it makes text nodes and nothing else.
import { render } from "preact";
import { findSession } from "./api.ts";
import { App } from "./app.tsx";
import { followTheme } from "./theme.ts";
import { startTicking } from "./ticking.ts";
import { followKeys } from "./keys.ts";

const root = document.getElementById("page");
if (root !== null) {
  followTheme();
  startTicking();
  followKeys();
  void findSession();
  render(<App />, root);
}
