// A whole message goes to the daemon, or where no daemon takes it into the pickup folder.
import { partsOf, type PickupEnvelope } from "../../mail/pickup.ts";
import { type Answer, createDaemonClient, type DaemonClient } from "../daemonClient.ts";
import type { CliDeps } from "../deps.ts";
import { problemText } from "../target.ts";
import type { Collected } from "./collected.ts";
import { post } from "./letterbox.ts";
import type { Places } from "./places.ts";
import { fail, sysexits } from "./sysexits.ts";

/** A body that is large, on a disk that is slow. */
const SEND_TIMEOUT_MS = 300_000;

/** To the daemon, part by part; from the first part that no daemon takes on, into the pickup folder. */
export async function handOver(
  deps: CliDeps,
  places: Places,
  name: string,
  envelope: PickupEnvelope,
  message: Collected,
): Promise<number> {
  const client = createDaemonClient({ kind: "socket", paths: places.sockets }, deps.clock);
  for (const part of partsOf(name, envelope)) {
    const answer = await ask(client, part.query, part.idempotencyKey, message);
    if (answer.kind === "answer" && answer.status < 300) continue;
    const refusal = refusalOf(answer);
    if (refusal !== undefined) return fail(deps, codeOf(refusal), problemText(refusal));
    // Every part has the key that the daemon will use for it, so one that it has taken is not taken again.
    const posted = post(places.pickup, name, envelope, message);
    if (posted.kind === "posted") return sysexits.ok;
    const why = answer.kind === "answer" ? problemText(answer) : answer.why;
    const code = posted.kind === "nowhere" ? sysexits.unavailable : sysexits.temporary;
    return fail(deps, code, `${why}; ${posted.why}`);
  }
  return sysexits.ok;
}

function ask(
  client: DaemonClient,
  query: string,
  idempotencyKey: string,
  message: Collected,
): Promise<Answer> {
  return client.ask({
    method: "POST",
    path: `/send?${query}`,
    stream: { type: "message/rfc822", open: message.stream },
    headers: { "idempotency-key": idempotencyKey },
    timeoutMs: SEND_TIMEOUT_MS,
  });
}

type Answered = Extract<Answer, { kind: "answer" }>;

/** The message is no good, or its sender: waiting mends nothing. Everything else may be better later. */
function refusalOf(answer: Answer): Answered | undefined {
  if (answer.kind !== "answer") return undefined;
  const { status, body } = answer;
  const { name } = (body ?? {}) as { readonly name?: string };
  const isLater = status === 429 || (status === 409 && name !== "invalid_idempotent_request");
  const isFinal = status >= 400 && status < 500 && !isLater;
  return isFinal ? answer : undefined;
}

function codeOf({ status }: Answered): number {
  return status === 401 || status === 403 ? sysexits.noPermission : sysexits.dataError;
}
