// A message that comes by SMTP, from its first octet to the commit: the same intake, holder and options as raw mail by HTTP, with the
// envelope that the client gave.
import type { EpochMs } from "../../base/clock.ts";
import type { Counter, Histogram } from "../../base/meter.ts";
import type { Address } from "../../mail/address.ts";
import { formatDate } from "../../mail/compose/headers.ts";
import { uuidOf } from "../../mail/id.ts";
import { createRawIntake, type RawTaken } from "../../mail/raw/intake.ts";
import type { Accept } from "../../mail/submission.ts";
import { said } from "../../smtp/server/said.ts";
import type { ServerEnvelope } from "../../smtp/server/speech.ts";
import { takenBefore, takenOf } from "../accepted.ts";
import type { Caller } from "../caller.ts";
import type { Problem } from "../problem.ts";
import { createHolder, headerText, prepareTaken, type RawDeps } from "../raw.ts";
import type { Envelope } from "../rawEnvelope.ts";
import { hand } from "../send.ts";
import { diskProblem } from "../spool.ts";
import type { Decision, Taker } from "./connection.ts";
import { saidOf } from "./replies.ts";
import { createMailDigest } from "./sameMail.ts";

export interface MessageDeps extends RawDeps {
  readonly accept: Accept;
  readonly accepted: Counter;
  readonly duration: Histogram;
}

/** Who sends, and from where. */
export interface Client {
  readonly caller: Caller;
  readonly address: string;
  /** Why it may not send any more: a message can take as long as its client likes. */
  readonly lacks: () => Problem | undefined;
}

export function createTaker(deps: MessageDeps, client: Client, envelope: ServerEnvelope): Taker {
  const now = deps.clock.now();
  const id = deps.ids(now);
  const uuid = uuidOf(id, deps.tag);
  const intake = createRawIntake({
    received: headerText(traceOf(deps, client, envelope, uuid, now)),
    date: now,
    messageId: headerText(`${uuid}@${deps.hostname}`),
    // Programs that know only the envelope leave it out, and other servers have always put it in.
    author: envelope.from === "" ? undefined : envelope.from,
    crlfOnly: true,
  });
  const holder = createHolder(deps.spool);
  const digest = createMailDigest();
  let refusal: Decision | undefined;
  /** The queue may have it: the file is no longer ours to remove. */
  let handed = false;

  const refuse = async (why: Decision): Promise<Decision> => {
    refusal = why;
    await holder.discard();
    return why;
  };
  /** What a full disk does to the message is told at its end, where the client listens. */
  const onDisk = (work: Promise<void> | undefined): Promise<void> | undefined =>
    work &&
    diskProblem(work).then(async (done) => {
      if (done.kind === "problem") await refuse(no(done.problem));
    });
  const fault = (why: string): Promise<Decision> =>
    refuse({ got: "no", said: said(550, "5.6.0", why, "validation_error") });

  /** Once the message is sealed. */
  const own = async (taken: RawTaken): Promise<Decision> => {
    const to = envelope.recipients as readonly Address[];
    const given: Envelope = { from: envelope.from, to, dsn: undefined };
    const came = { id, uuid, now, envelope: given, caller: client.caller, digest, holder };
    const made = prepareTaken(deps, came, taken);
    if (made.kind === "problem") return no(made.problem);
    const startMs = deps.clock.monotonicMs();
    const { once } = made.value;
    const text = once === undefined ? "" : takenOf(made.value).text;
    // If this throws, the queue may have the message or not: its file stays, and the sweep at start decides.
    handed = true;
    const answer = await hand(deps, [made.value], { once, answer: text, way: "SMTP" });
    if (answer.kind === "problem") return no(answer.problem);
    if (answer.kind === "replayed")
      return { got: "yes", value: takenBefore(answer.answer, undefined).uuid };
    deps.accepted.add();
    deps.duration.observe((deps.clock.monotonicMs() - startMs) / 1000, id);
    return { got: "yes", value: uuid };
  };

  return {
    write(bytes) {
      if (refusal !== undefined || bytes.length === 0) return undefined;
      const passed = intake.write(bytes);
      digest.add(bytes, intake.header);
      return passed.kind === "fault"
        ? fault(passed.why).then(() => undefined)
        : onDisk(holder.add(passed.bytes, passed.areNew));
    },
    async end() {
      if (refusal !== undefined) return refusal;
      const taken = intake.end();
      if (taken.kind === "fault") return fault(taken.why);
      const lacking = client.lacks();
      if (lacking !== undefined) return refuse(no(lacking));
      const added = onDisk(holder.add(taken.bytes));
      if (added !== undefined) await added;
      const sealed = refusal === undefined ? onDisk(holder.seal()) : undefined;
      if (sealed !== undefined) await sealed;
      if (refusal !== undefined) return refusal;
      const decision = await own(taken);
      if (decision.got === "no" && !handed) await holder.discard();
      return decision;
    },
    discard: async () => (handed ? undefined : holder.discard()),
  };
}

function no(problem: Problem): Decision {
  return { got: "no", said: saidOf(problem) };
}

/** RFC 5321 4.4. */
function traceOf(
  { hostname }: RawDeps,
  { address }: Client,
  { helo, protocol }: ServerEnvelope,
  uuid: string,
  now: EpochMs,
): string {
  const literal = address.includes(":") ? `IPv6:${address}` : address;
  return `from ${helo} ([${literal}]) by ${hostname} with ${protocol} id ${uuid}; ${formatDate(now)}`;
}
