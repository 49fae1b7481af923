// Why a message that is not final waits at this moment: what the daemon says of the roads of its recipients.
import type { ExplainView } from "../../mail/explain.ts";
import type { EmailView } from "../../mail/query.ts";
import { useLoad } from "../load.ts";
import { plainTimes } from "../model/format.ts";
import { roadsOf } from "../model/message.ts";
import { Show } from "../parts/faults.tsx";
import { Due } from "../parts/words.tsx";
import { linkTo } from "../route.ts";

const EVERY_MS = 5000;

export function WhyNow({ email }: { readonly email: EmailView }) {
  const { held, scheduled, domains, more, nextAt } = roadsOf(email);
  if (held + scheduled + domains.length === 0) return null;
  return (
    <section>
      <h2>Why it waits</h2>
      {held > 0 && <p>An operator holds it: Release lets it go on.</p>}
      {scheduled > 0 && <p>It is scheduled: nothing is tried before its time.</p>}
      {nextAt !== null && (
        <p>
          It was deferred. Next attempt: <Due at={nextAt} />.
        </p>
      )}
      {domains.map((domain) => (
        <Road key={domain} domain={domain} />
      ))}
      {more > 0 && <p class="dim">And {more} more domains.</p>}
    </section>
  );
}

type Told = Pick<ExplainView, "reasons" | "route">;

function Road({ domain }: { readonly domain: string }) {
  const path = `/explain/${encodeURIComponent(domain)}`;
  const { loaded, again } = useLoad<Told>(path, EVERY_MS);
  return (
    <Show loaded={loaded} again={again} what={`why mail to ${domain} waits`}>
      {({ reasons, route }) => (
        <p>
          <strong>{domain}</strong>{" "}
          {reasons.length === 0
            ? "Nothing holds its road up: what is due goes out."
            : reasons.map(plainTimes).join(" ")}{" "}
          {route.result === "route" && <a href={linkTo("sites", [route.site])}>Its site</a>}
        </p>
      )}
    </Show>
  );
}
