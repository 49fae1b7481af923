// The beginning of a trace: from the request, or the mail by SMTP, to the commit.
import type { AttemptTrace } from "../mail/attemptTrace.ts";
import { acceptedAtOf } from "../mail/id.ts";
import type { Acceptance } from "./acceptances.ts";
import type { Attributes, Span } from "./span.ts";
import { messageAttributes, priorityOf, type Root, spanOf } from "./spanRoot.ts";

/** From the request to its answer; of one that nobody remembers only that it was. */
export function acceptSpans(
  { message, priority, sizeBytes }: Pick<AttemptTrace, "message" | "priority" | "sizeBytes">,
  root: Root,
  acceptance: Acceptance | undefined,
): Span[] {
  const common = {
    ...messageAttributes(root),
    ...(sizeBytes === 0 ? {} : { "messaging.message.envelope.size": sizeBytes }),
    "postrider.priority": priorityOf(priority),
  };
  const first = {
    spanId: root.spanId,
    parentId: root.parentId,
    isRemoteParent: root.parentId !== null,
    kind: "server",
    what: "message",
  } as const;
  if (acceptance === undefined) {
    const at = acceptedAtOf(message);
    const attributes = { ...common, "postrider.accept.known": false };
    return [spanOf(root, { ...first, name: "accept", startAt: at, endAt: at, attributes })];
  }
  const { way, receivedAt, composedAt, committedAt } = acceptance;
  return [
    spanOf(root, {
      ...first,
      ...{ name: way, startAt: receivedAt, endAt: committedAt },
      attributes: { ...common, ...wayAttributes(way) },
    }),
    spanOf(root, { what: "compose", name: "compose", startAt: receivedAt, endAt: composedAt }),
    spanOf(root, { what: "commit", name: "commit", startAt: composedAt, endAt: committedAt }),
  ];
}

function wayAttributes(way: Acceptance["way"]): Attributes {
  if (way === "SMTP")
    return { "network.protocol.name": "smtp", "messaging.operation.name": "accept" };
  const [method = "", route = ""] = way.split(" ");
  return {
    "http.request.method": method,
    "http.route": route,
    "url.path": route,
    "network.protocol.name": "http",
    "messaging.operation.name": "accept",
  };
}
