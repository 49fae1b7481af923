// A message that comes by SMTP, from its first octet to the commit: the same intake, holder and options as raw mail by HTTP, with the
// envelope that the client gave.
import type { Clock, EpochMs } from "../../base/clock.ts";
import type { Counter, Histogram } from "../../base/meter.ts";
import { type Address, needsUtf8 } from "../../mail/address.ts";
import { formatDate } from "../../mail/compose/headers.ts";
import { uuidOf } from "../../mail/id.ts";
import type { MessageHead } from "../../mail/message.ts";
import { createRawIntake, type RawTaken } from "../../mail/raw/intake.ts";
import type { Accept } from "../../mail/submission.ts";
import { said } from "../../smtp/server/said.ts";
import type { ServerEnvelope } from "../../smtp/server/speech.ts";
import { admitSender, type Caller, markOf } from "../caller.ts";
import type { Problem } from "../problem.ts";
import { createHolder, type Envelope, headerText, type RawDeps, readOptions } from "../raw.ts";
import { refusals } from "../send.ts";
import { diskProblem } from "../spool.ts";
import type { Decision, Taker } from "./connection.ts";
import { saidOf } from "./replies.ts";

export interface MessageDeps extends RawDeps {
  readonly clock: Clock;
  readonly accept: Accept;
  readonly accepted: Counter;
  readonly duration: Histogram;
}

/** Who sends, and from where. */
export interface Client {
  readonly caller: Caller;
  readonly address: string;
}

export function createTaker(deps: MessageDeps, client: Client, envelope: ServerEnvelope): Taker {
  const now = deps.clock.now();
  const id = deps.ids(now);
  const uuid = uuidOf(id, deps.tag);
  const intake = createRawIntake({
    received: headerText(traceOf(deps, client, envelope, uuid, now)),
    date: now,
    messageId: headerText(`${uuid}@${deps.hostname}`),
  });
  const holder = createHolder(deps.spool);
  let refusal: Decision | undefined;
  /** The queue may have it: the file is no longer ours to remove. */
  let handed = false;

  /** What a full disk does to the message is told at its end, where the client listens. */
  const onDisk = async (work: Promise<void>): Promise<void> => {
    const done = await diskProblem(work);
    if (done.kind === "ok") return;
    refusal = no(done.problem);
    await holder.discard();
  };
  const fault = async (why: string): Promise<void> => {
    refusal = { got: "no", said: said(550, "5.6.0", why, "validation_error") };
    await holder.discard();
  };

  const headOf = (taken: RawTaken, read: Pick<MessageHead, "priority" | "facts">): MessageHead => ({
    ...read,
    ...markOf(client.caller),
    id,
    acceptedAt: now,
    from: envelope.from,
    recipients: envelope.recipients,
    dueAt: now,
    expiresAt: null,
    sizeBytes: taken.sizeBytes,
    sha256: taken.sha256,
    eightBit: taken.eightBit,
    utf8:
      taken.header.utf8 ||
      [envelope.from, ...envelope.recipients].some((one) => needsUtf8(one as Address)),
    body: holder.place(),
  });

  /** Checked once the header is whole; the message is sealed. */
  const own = async (taken: RawTaken): Promise<Decision> => {
    const { caller } = client;
    const senders = taken.header.from.map((one) => one.address);
    const foreign = admitSender(caller, [...senders, envelope.from]);
    if (foreign !== undefined) return no(foreign);
    const to = envelope.recipients as readonly Address[];
    const given: Envelope = { from: envelope.from, to, dsn: undefined };
    const read = readOptions(deps, taken.header, given);
    if (read.kind === "problem") return no(read.problem);
    const startMs = deps.clock.monotonicMs();
    const head = headOf(taken, read.value.head);
    // If this throws, the queue may have the message or not: its file stays, and the sweep at start decides.
    handed = true;
    const answer = await deps.accept([{ head, body: holder.bytes() }]);
    if (answer.kind === "accepted") {
      deps.accepted.add();
      deps.duration.observe((deps.clock.monotonicMs() - startMs) / 1000);
      return { got: "yes", value: uuid };
    }
    if (answer.kind !== "refused") throw new Error(`${answer.kind} without an idempotency key`);
    const { why: name, retryAfterS } = answer;
    return no({ name, detail: refusals[name], retryAfterS });
  };

  return {
    async write(pieces) {
      for (const piece of pieces) {
        if (refusal !== undefined) return;
        const passed = intake.write(piece);
        await (passed.kind === "fault" ? fault(passed.why) : onDisk(holder.add(passed.bytes)));
      }
    },
    async end() {
      if (refusal === undefined) {
        const taken = intake.end();
        if (taken.kind === "fault") await fault(taken.why);
        else {
          await onDisk(holder.add(taken.bytes).then(() => holder.seal()));
          if (refusal === undefined) {
            const decision = await own(taken);
            if (decision.got === "no") await holder.discard();
            return decision;
          }
        }
      }
      if (refusal === undefined) throw new Error("a message that is not taken has a reason");
      return refusal;
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
