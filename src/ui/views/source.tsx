// The message as it is sent, as text: never as a page. Asked for only when somebody opens it.
import { useState } from "preact/hooks";
import { askText, type Said } from "../api.ts";
import { FaultBox } from "../parts/faults.tsx";

/** What is shown; the download has all of it. */
const SHOWN_BYTES_MAX = 200_000;

interface SourceProps {
  readonly path: string;
  readonly id: string;
}

export function Source({ path, id }: SourceProps) {
  const [said, setSaid] = useState<Said<string> | null>(null);
  const load = async (): Promise<void> => setSaid(await askText(path, SHOWN_BYTES_MAX));
  return (
    <section>
      <h2>Source</h2>
      <details
        onToggle={(event) => {
          if (event.currentTarget.open && said?.kind !== "ok") void load();
        }}
      >
        <summary>The message as it is sent (RFC 5322)</summary>
        {said === null && (
          <p class="loading" role="status">
            Loading the source…
          </p>
        )}
        {said?.kind === "fault" && <FaultBox what="No source." fault={said.fault} again={load} />}
        {said?.kind === "ok" && (
          <>
            <p>
              <a href={path} download={`${id}.eml`}>
                Download
              </a>
            </p>
            <pre class="source" tabIndex={0} role="region" aria-label="Source of the message">
              {said.value}
            </pre>
          </>
        )}
      </details>
    </section>
  );
}
