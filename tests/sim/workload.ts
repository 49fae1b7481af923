// What the callers of a run want sent: messages of every priority, to one or several recipients, some scheduled, some with a limit of
// their own, some too large for memory.
import { createHash } from "node:crypto";
import type { Random } from "../../src/base/random.ts";
import type { MessageId } from "../../src/mail/id.ts";
import type { Priority } from "../../src/mail/message.ts";
import type { Submission } from "../../src/mail/submission.ts";

export interface Wish {
  readonly afterMs: number;
  readonly to: readonly string[];
  readonly priority: Priority;
  readonly scheduledInMs: number;
  readonly expiresInMs: number | null;
  readonly spooled: boolean;
  readonly lines: number;
}

const HOUR_MS = 3_600_000;

export function drawWishes(
  { roll }: Pick<Random, "roll">,
  options: {
    readonly messages: number;
    readonly spanMs: number;
    readonly domains: readonly string[];
  },
): Wish[] {
  const draw = (): Wish => {
    const count = roll() < 0.6 ? 1 : 2 + Math.floor(roll() * 4);
    const to = Array.from({ length: count }, (_, i) => {
      const domain = options.domains[Math.floor(roll() * options.domains.length)] ?? "d0-0.test";
      return `r${i}@${domain}`;
    });
    return {
      afterMs: roll() * options.spanMs,
      to,
      priority: Math.floor(roll() * 3) as Priority,
      scheduledInMs: roll() < 0.1 ? roll() * 2 * HOUR_MS : 0,
      expiresInMs: roll() < 0.1 ? 60_000 + roll() * 2 * HOUR_MS : null,
      spooled: roll() < 0.1,
      lines: 1 + Math.floor(roll() * 6),
    };
  };
  return Array.from({ length: options.messages }, draw);
}

export function contentOf(message: string, lines: number): string {
  const head = `Message-ID: <${message}@sim.test>\r\n\r\n`;
  return (
    head + Array.from({ length: lines }, (_, i) => `${i % 2 ? "." : ""}line ${i}\r\n`).join("")
  );
}

export function submissionOf(wish: Wish, id: MessageId, now: number): Submission {
  const bytes = new TextEncoder().encode(contentOf(String(id), wish.lines));
  return {
    head: {
      id,
      acceptedAt: now,
      from: `m${id}@sender.test`,
      recipients: wish.to,
      priority: wish.priority,
      dueAt: Math.floor(now + wish.scheduledInMs),
      expiresAt: wish.expiresInMs === null ? null : Math.floor(now + wish.expiresInMs),
      sizeBytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("base64url"),
      eightBit: false,
      utf8: false,
      facts: "{}",
      body: wish.spooled
        ? { kind: "spool", file: `f${id}` }
        : { kind: "inline", length: bytes.length },
    },
    body: bytes,
  };
}
