// Senders that keep no queue and ask no MX: they are given the server, and what they tell their caller is the outcome.
import { spawn } from "node:child_process";
import { createTransport } from "nodemailer";
import { findProgram } from "../../peers.ts";
import { type Delivered, PORT, type Sender, type SenderKind, type Staged } from "../arena.ts";
import { type FaultCase, type Outcome, type Told, deadlines } from "../case.ts";
import { addresses, messageFor, sleep } from "../letters.ts";

interface Parcel {
  readonly server: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: string;
}

/** By recipient. */
type Handed = (parcel: Parcel) => Promise<readonly Outcome[]>;

interface Direct {
  readonly name: string;
  readonly missing: () => string | undefined;
  readonly unable: (one: FaultCase) => string | undefined;
  /** Whoever gives out a `handed` for each case may keep connections within it. */
  readonly handle: (server: string) => { readonly handed: Handed; end(): void };
}

function kindOf(direct: Direct): SenderKind {
  return {
    name: direct.name,
    missing: direct.missing,
    unable(one) {
      if (one.oursAlone !== undefined) return one.oursAlone;
      if (one.needs?.includes("mx") === true) return "asks for no MX";
      if (one.needs?.includes("queue") === true) return "keeps no queue";
      return direct.unable(one);
    },
    async start(): Promise<Sender> {
      return {
        name: direct.name,
        queue: false,
        stop: async () => {},
        deliver: (staged) => deliver(direct, staged),
      };
    },
  };
}

const LIMIT_MS = 50_000;

async function deliver(direct: Direct, staged: Staged): Promise<Delivered> {
  const told: Told[] = [];
  const server = staged.place.hosts[0]?.address ?? "";
  const handle = direct.handle(server);
  const { messages = 1, pauseMs = 0, from = "a@sender.test" } = staged.one.letter ?? {};
  for (let i = 0; i < messages; i++) {
    if (i > 0) await sleep(pauseMs);
    const to = addresses(staged, i);
    const handed = handle.handed({ server, from, to, raw: messageFor(staged, i) });
    // One that never comes back has no outcome.
    const outcomes = await Promise.race([handed, sleep(LIMIT_MS).then(() => [])]);
    for (const [n, each] of to.entries())
      told.push({ to: each, outcomes: outcomes[n] === undefined ? [] : [outcomes[n]], events: [] });
  }
  handle.end();
  return { told, grownBytes: 0, log: () => "" };
}

/** sysexits.h: only this one asks the caller to try again. */
const EX_TEMPFAIL = 75;

function msmtpOutcome(code: number | null): Outcome {
  if (code === 0) return "delivered";
  return code === EX_TEMPFAIL ? "deferred" : "bounced";
}

export const msmtp = kindOf({
  name: "msmtp",
  missing: () =>
    findProgram("msmtp", process.env["PATH"] ?? "") === undefined ? "not installed" : undefined,
  unable: ({ row }) => (/^T|^R17/.test(row) ? "knows no opportunistic TLS" : undefined),
  handle: () => ({
    end: () => {},
    handed: async ({ server, from, to, raw }) => {
      const program = findProgram("msmtp", process.env["PATH"] ?? "") ?? "";
      const flags = [
        `--host=${server}`,
        `--port=${PORT}`,
        `--from=${from}`,
        `--timeout=${deadlines.dot / 1000}`,
        "--file=/dev/null",
        "--auth=off",
        "--tls=off",
        "--",
      ];
      const child = spawn(program, [...flags, ...to], { stdio: ["pipe", "ignore", "ignore"] });
      child.stdin.on("error", () => {});
      child.stdin.end(Buffer.from(raw.replaceAll("\r\n", "\n"), "utf8"));
      const code = await new Promise<number | null>((resolve) => child.on("exit", resolve));
      return to.map(() => msmtpOutcome(code));
    },
  }),
});

/** What nodemailer throws or returns, as its callers read it. */
interface Complaint {
  readonly responseCode?: number;
  readonly rejected?: readonly string[];
  readonly rejectedErrors?: readonly Complaint[];
  readonly recipient?: string;
}

const outcomeOfError = ({ responseCode = 0 }: Complaint): Outcome =>
  responseCode >= 500 ? "bounced" : "deferred";

export const nodemailer = kindOf({
  name: "nodemailer pool",
  missing: () => undefined,
  unable: () => undefined,
  handle: (server) => {
    const transport = createTransport({
      ...{ pool: true, host: server, port: PORT },
      connectionTimeout: deadlines.connect,
      greetingTimeout: deadlines.greeting,
      socketTimeout: deadlines.dot,
      tls: { rejectUnauthorized: false },
    });
    return {
      end: () => transport.close(),
      handed: async ({ from, to, raw }) => {
        const envelope = { from, to: [...to] };
        try {
          const info = (await transport.sendMail({ envelope, raw })) as unknown as Complaint;
          return to.map((each) => {
            const error = info.rejectedErrors?.find(({ recipient }) => recipient === each);
            return error === undefined ? "delivered" : outcomeOfError(error);
          });
        } catch (error) {
          return to.map((each) => {
            const { rejectedErrors } = error as Complaint;
            const own = rejectedErrors?.find(({ recipient }) => recipient === each);
            return outcomeOfError(own ?? (error as Complaint));
          });
        }
      },
    };
  },
});
