// What stands around each view: the way to the others, whether the figures are live, what came of the last action.
import type { ComponentChildren } from "preact";
import { unreachable } from "../base/unreachable.ts";
import { logOut, mayManage, session } from "./api.ts";
import { connection, figures, reconnect } from "./live.ts";
import { age } from "./model/format.ts";
import { forget, notices, tell } from "./notices.ts";
import { Action } from "./parts/action.tsx";
import { FaultText } from "./parts/faults.tsx";
import { Mark } from "./parts/words.tsx";
import { linkTo, type Section, sections } from "./route.ts";
import { setTheme, type Theme, theme, themes } from "./theme.ts";
import { nowMs } from "./ticking.ts";
import { Banners } from "./views/banners.tsx";

interface FrameProps {
  readonly section: Section | null;
  readonly children: ComponentChildren;
}

export function Frame({ section, children }: FrameProps) {
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <div class="bar">
          <a class="name" href={linkTo("overview")}>
            Postrider
          </a>
          <span class="host dim">{figures.value?.hostname ?? ""}</span>
          <Live />
          <ThemeSwitch />
          <Who />
        </div>
        <nav aria-label="Sections">
          <ul>
            {sections.map((one) => (
              <li key={one}>
                <a href={linkTo(one)} aria-current={one === section ? "page" : undefined}>
                  {titles[one]}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      </header>
      <main id="main" tabIndex={-1}>
        <Banners isFull={section === "overview"} />
        {children}
      </main>
      <Notices />
    </>
  );
}

const titles: Readonly<Record<Section, string>> = {
  overview: "Overview",
  sites: "Sites",
  messages: "Messages",
  suppressions: "Suppressions",
  webhooks: "Webhooks",
  domains: "Domains",
  inbox: "Inbox",
};

/** In words, and aloud only when it changes: the seconds are for the eye. */
function Live() {
  const { value } = connection;
  switch (value.at) {
    case "connecting":
      return (
        <span class="live" role="status">
          <Mark tone="quiet">connecting</Mark>
        </span>
      );
    case "live":
      return (
        <span class="live" role="status">
          <Mark tone="good">live</Mark>
        </span>
      );
    case "lost":
      return (
        <span class="live">
          <span role="status">
            <Mark tone="bad">not live</Mark>
          </span>
          <span class="dim wide">
            for {age((nowMs.value - value.sinceMs) / 1000)}, again in{" "}
            {age((value.again - nowMs.value) / 1000)}
          </span>
          <button type="button" class="small" onClick={reconnect}>
            Reconnect
          </button>
        </span>
      );
    default:
      return unreachable(value);
  }
}

function ThemeSwitch() {
  return (
    <label class="theme">
      <span class="unseen">Colours</span>
      <select
        value={theme.value}
        onChange={(event) => setTheme(event.currentTarget.value as Theme)}
      >
        {themes.map((one) => (
          <option key={one} value={one}>
            {themeNames[one]}
          </option>
        ))}
      </select>
    </label>
  );
}

const themeNames: Readonly<Record<Theme, string>> = {
  system: "System colours",
  light: "Light",
  dark: "Dark",
};

function Who() {
  const { value } = session;
  if (value.at !== "in") return null;
  const leave = async (): Promise<void> => {
    const fault = await logOut();
    if (fault !== null) tell("You are still logged in.", fault);
  };
  return (
    <span class="who">
      <span class="dim wide" title="The API key of this session">
        {value.view.key.name}
        {mayManage() ? "" : " (may only read)"}
      </span>
      <Action isFree run={leave}>
        Log out
      </Action>
    </span>
  );
}

/** Always there, so that what comes into it is read aloud. */
function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map(({ id, what, fault }) => (
        <div key={id} class={`notice ${fault === null ? "good" : "bad"}`}>
          <div>
            <p>
              <strong>{what}</strong> {fault === null ? "" : `${fault.title}.`}
            </p>
            {fault !== null && <FaultText fault={fault} />}
          </div>
          <button
            type="button"
            class="small"
            aria-label={`Dismiss: ${what}`}
            onClick={() => forget(id)}
          >
            Dismiss
          </button>
        </div>
      ))}
    </div>
  );
}
