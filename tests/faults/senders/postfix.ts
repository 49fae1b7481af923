// Postfix as the sender: its own queue, its own notion of names and retries; its log tells what became of each recipient.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTransport } from "nodemailer";
import { type Postfix, startPostfix } from "../../fixtures/postfix.ts";
import { findProgram } from "../../peers.ts";
import type { Sender, SenderKind, Staged } from "../arena.ts";
import { type Outcome, type Told, deadlines } from "../case.ts";
import { addresses, messageFor, sleep } from "../letters.ts";

const NAME = "Postfix";

export const postfix: SenderKind = {
  name: NAME,
  missing: (lab) => {
    if (!lab.root) return "needs root";
    const found = findProgram("postfix", process.env["PATH"] ?? "");
    return found === undefined ? "not installed" : undefined;
  },
  unable: ({ oursAlone }) => oursAlone,
  async start() {
    const folder = mkdtempSync(join(tmpdir(), "fault-postfix-"));
    const running = await startPostfix({ folder, settings });
    return senderOf(running, async () => {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    });
  },
};

const seconds = (ms: number): string => `${Math.round(ms / 1000)}s`;

/** As it is shipped, but for the deadlines of this run, retries within it, and TLS where it is offered. */
const settings: Readonly<Record<string, string>> = {
  virtual_mailbox_domains: "",
  relay_domains: "",
  inet_protocols: "all",
  smtpd_recipient_restrictions: "permit_mynetworks, reject",
  smtp_connect_timeout: seconds(deadlines.connect),
  smtp_helo_timeout: seconds(deadlines.greeting),
  smtp_starttls_timeout: seconds(deadlines.tls),
  smtp_mail_timeout: seconds(deadlines.mail),
  smtp_rcpt_timeout: seconds(deadlines.rcpt),
  smtp_data_init_timeout: seconds(deadlines.data),
  smtp_data_xfer_timeout: seconds(deadlines.block),
  smtp_data_done_timeout: seconds(deadlines.dot),
  smtp_tls_security_level: "may",
  minimal_backoff_time: "2s",
  maximal_backoff_time: "8s",
  queue_run_delay: "2s",
  smtp_pix_workaround_threshold_time: "2s",
  smtp_pix_workaround_delay_time: "1s",
  default_process_limit: "200",
};

function senderOf(running: Postfix, stop: () => Promise<void>): Sender {
  const transport = createTransport({ host: "127.0.0.1", port: running.port, ignoreTLS: true });
  return {
    name: NAME,
    queue: true,
    stop,
    async deliver(staged) {
      const told: Told[] = [];
      const { messages = 1, pauseMs = 0 } = staged.one.letter ?? {};
      for (let i = 0; i < messages; i++) {
        if (i > 0) await sleep(pauseMs);
        const to = addresses(staged, i);
        const from = staged.one.letter?.from ?? "a@sender.test";
        const raw = messageFor(staged, i);
        const info = await transport.sendMail({ envelope: { from, to }, raw });
        const id = /queued as (\w+)/.exec(info.response)?.[1] ?? "";
        told.push(...(await follow(running, id, { staged, to })));
      }
      return { told, grownBytes: 0, log: () => "" };
    },
  };
}

const POLL_MS = 300;
const LIMIT_MS = 50_000;

const words: Readonly<Record<string, Outcome>> = {
  sent: "delivered",
  deferred: "deferred",
  bounced: "bounced",
  expired: "expired",
};

interface Followed {
  readonly staged: Staged;
  readonly to: readonly string[];
}

async function follow(running: Postfix, id: string, { staged, to }: Followed): Promise<Told[]> {
  const { then } = staged.one.expect;
  const endAt = performance.now() + LIMIT_MS;
  for (;;) {
    const lines = running.log().split("\n");
    const own = lines.filter((line) => line.includes(` ${id}: `));
    const told = to.map((address): Told => {
      const about = own.filter((line) => line.includes(` to=<${address}>`));
      const outcomes = about.flatMap((line) => words[/status=(\w+)/.exec(line)?.[1] ?? ""] ?? []);
      return { to: address, outcomes, events: [] };
    });
    const isOver = ({ outcomes }: Told): boolean => {
      const last = outcomes.at(-1);
      return last !== undefined && (then === undefined || last !== "deferred");
    };
    if (told.every(isOver) || performance.now() > endAt) return told;
    await sleep(POLL_MS);
  }
}
