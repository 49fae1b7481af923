// Who is here, and where: the login for nobody, the frame with one view for somebody.
import { useEffect, useState } from "preact/hooks";
import { findSession, session } from "./api.ts";
import { Frame } from "./frame.tsx";
import { startFigures } from "./live.ts";
import { FaultBox } from "./parts/faults.tsx";
import type { Fault } from "./problem.ts";
import { place } from "./place.ts";
import type { Route } from "./route.ts";
import { unreachable } from "../base/unreachable.ts";
import { Domain } from "./views/domain.tsx";
import { Domains } from "./views/domains.tsx";
import { Inbox } from "./views/inbox.tsx";
import { InboxMessage } from "./views/inboxMessage.tsx";
import { Login } from "./views/login.tsx";
import { Message } from "./views/message.tsx";
import { Messages } from "./views/messages.tsx";
import { Nowhere } from "./views/nowhere.tsx";
import { Overview } from "./views/overview.tsx";
import { Site } from "./views/site.tsx";
import { Sites } from "./views/sites.tsx";
import { Suppressions } from "./views/suppressions.tsx";
import { Webhook } from "./views/webhook.tsx";
import { WebhookEvent } from "./views/webhookEvent.tsx";
import { Webhooks } from "./views/webhooks.tsx";

export function App() {
  switch (session.value.at) {
    case "unknown":
      return <Finding />;
    case "out":
      return <Login />;
    case "in":
      return <Inside />;
    default:
      return unreachable(session.value);
  }
}

/** Until the daemon says whether somebody is logged in. */
function Finding() {
  const [fault, setFault] = useState<Fault | null>(null);
  const again = async (): Promise<void> => setFault(await findSession());
  useEffect(() => void again(), []);
  return (
    <main class="alone">
      <h1>Postrider</h1>
      {fault === null ? (
        <p class="loading" role="status">
          Asking the daemon…
        </p>
      ) : (
        <FaultBox what="The dashboard cannot begin." fault={fault} again={again} />
      )}
    </main>
  );
}

function Inside() {
  useEffect(() => startFigures(), []);
  const route = place.value;
  return (
    <Frame section={route?.section ?? null}>
      {route === null ? <Nowhere /> : <View key={keyOf(route)} route={route} />}
    </Frame>
  );
}

/** Another page of the same list is the same view. */
function keyOf({ section, names }: Route): string {
  return [section, ...names].join("/");
}

function View({ route }: { readonly route: Route }) {
  const [first, second, third] = route.names;
  if (third !== undefined) return <Nowhere />;
  if (second !== undefined)
    return route.section === "webhooks" && first !== undefined ? (
      <WebhookEvent webhook={first} event={second} />
    ) : (
      <Nowhere />
    );
  return first === undefined ? <List route={route} /> : <One route={route} name={first} />;
}

function List({ route: { section, query } }: { readonly route: Route }) {
  switch (section) {
    case "overview":
      return <Overview />;
    case "sites":
      return <Sites />;
    case "messages":
      return <Messages query={query} />;
    case "suppressions":
      return <Suppressions query={query} />;
    case "webhooks":
      return <Webhooks />;
    case "domains":
      return <Domains />;
    case "inbox":
      return <Inbox query={query} />;
    default:
      return unreachable(section);
  }
}

function One({ route, name }: { readonly route: Route; readonly name: string }) {
  switch (route.section) {
    case "sites":
      return <Site name={name} />;
    case "messages":
      return <Message id={name} />;
    case "webhooks":
      return <Webhook id={name} query={route.query} />;
    case "domains":
      return <Domain id={name} />;
    case "inbox":
      return <InboxMessage id={name} />;
    case "overview":
    case "suppressions":
      return <Nowhere />;
    default:
      return unreachable(route.section);
  }
}
