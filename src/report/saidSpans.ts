// What was said on one connection, a span for each command and its reply. Of what was sent nothing stands in them but which command it was.
import type { EpochMs } from "../base/clock.ts";
import { type Conversation, isLost } from "../mail/dialogue.ts";
import { attributesOf, type Span } from "./span.ts";
import { type Root, spanOf, type SpanRules, veiled } from "./spanRoot.ts";

/** As people call them; a phase that is not here has its own name. */
const commands: Readonly<Record<string, string>> = {
  ehlo: "EHLO",
  helo: "HELO",
  starttls: "STARTTLS",
  auth: "AUTH",
  mail: "MAIL",
  rcpt: "RCPT",
  data: "DATA",
  body: "message",
  dot: "end of DATA",
  rset: "RSET",
};

export function conversationSpans(
  { exchanges, session, host, address, source, at }: Conversation,
  inner: Root,
  rules: SpanRules,
  { name, since }: { readonly name: string; readonly since: EpochMs },
): Span[] {
  const common = attributesOf({
    "server.address": host,
    "network.peer.address": address,
    "network.local.address": source,
    "postrider.session.id": session,
  });
  return exchanges.flatMap((one, i) => {
    // The connection may have been opened for another message, before this one came.
    const endAt = at + one.sentMs + one.tookMs;
    if (endAt < Math.floor(since)) return [];
    const startAt = Math.max(at + one.sentMs, since);
    const failed = one.code >= 400 || isLost(one);
    return spanOf(inner, {
      ...{ what: `said ${name} ${i}`, name: commands[one.phase] ?? one.phase, kind: "client" },
      ...{ startAt, endAt },
      attributes: {
        ...common,
        ...attributesOf({
          "smtp.phase": one.phase,
          "smtp.reply.code": one.code === 0 ? null : one.code,
          "smtp.reply.text": failed ? veiled(one.reply, rules) : null,
          "error.type": failed ? (one.code === 0 ? "lost" : String(one.code)) : null,
        }),
      },
      error: failed ? veiled(one.reply, rules) : null,
    });
  });
}
