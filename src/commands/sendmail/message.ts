// A message as a program writes it, made whole as it comes.
import type { Collected, createCollector } from "./collected.ts";
import { type Author, makeHeader } from "./header.ts";
import { createDotEnd, createHeadReader, createLineBreaker, type Head } from "./stream.ts";

export type Read =
  | {
      readonly kind: "read";
      readonly message: Collected;
      readonly recipients: readonly string[];
      readonly unreadable: string | undefined;
    }
  | { readonly kind: "refused"; readonly why: string };

/** Of what is read: as much as `max_message_bytes` can be set to. What has no end would fill the disk. */
const MESSAGE_BYTES_MAX = 1_000_000_000;

interface Reading {
  readonly author: Author;
  readonly dotEnds: boolean;
  readonly bytesMax?: number;
}

/** The message made whole, up to its end or its lone dot. */
export async function readMessage(
  input: AsyncIterable<Uint8Array>,
  { author, dotEnds, bytesMax = MESSAGE_BYTES_MAX }: Reading,
  open: () => ReturnType<typeof createCollector>,
): Promise<Read> {
  const dot = createDotEnd();
  const head = createHeadReader();
  const lines = createLineBreaker();
  const collector = open();
  let header: ReturnType<typeof makeHeader> | undefined;
  const begin = (found: Head): string | undefined => {
    if (found.kind === "too large") return "the header is too large";
    header = makeHeader(found.lines, author);
    collector.add(Buffer.from(header.text, "latin1"));
    collector.add(lines.push(found.body));
    return undefined;
  };
  const take = (bytes: Uint8Array): string | undefined => {
    if (header !== undefined) return void collector.add(lines.push(bytes));
    const found = head.push(bytes);
    return found === undefined ? undefined : begin(found);
  };
  let bytes = 0;
  for await (const chunk of input) {
    bytes += chunk.length;
    const why =
      bytes > bytesMax
        ? `it has more than ${bytesMax} octets`
        : take(dotEnds ? dot.push(chunk) : chunk);
    if (why !== undefined) {
      collector.done().close();
      return { kind: "refused", why };
    }
    if (dot.ended) break;
  }
  const last = take(dot.rest());
  const why = last ?? (header === undefined ? begin(head.end()) : undefined);
  if (why !== undefined || header === undefined)
    return { kind: "refused", why: why ?? "there is no message" };
  const { recipients, unreadable } = header;
  return { kind: "read", message: collector.done(), recipients, unreadable };
}
