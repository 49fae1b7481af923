// The command line: one tree of commands, and one place where each way to end becomes an exit code.
import { Command, CommanderError } from "commander";
import { addConfig } from "./config.ts";
import type { CliDeps } from "./deps.ts";
import { addDomain } from "./domain.ts";
import { addDns } from "./dns.ts";
import { addExplain } from "./explain.ts";
import { exitCodes } from "./exitCodes.ts";
import { CommandFailure } from "./failure.ts";
import { addKey } from "./key.ts";
import { addMessage } from "./message.ts";
import { addQueue } from "./queue.ts";
import { addReload } from "./reload.ts";
import { addSend } from "./send.ts";
import { addServe } from "./serve.ts";
import { addSink } from "./sink.ts";
import { addInbox } from "./inbox.ts";
import { addJournal } from "./journal.ts";
import { addLog } from "./log.ts";
import { addMailq } from "./mailq.ts";
import { addSendmail } from "./sendmail/command.ts";
import { addStress } from "./stress.ts";
import { addSuppress } from "./suppress.ts";
import { addTail } from "./tail.ts";
import { addTop } from "./top.ts";
import { addTrace } from "./trace.ts";
import { addVersion, version } from "./version.ts";

/** `argv` without the program's own name. Resolves with the exit code and never rejects but for a bug. */
export async function runCli(argv: readonly string[], deps: CliDeps): Promise<number> {
  let code: number = exitCodes.done;
  let complaint = "";
  // Its options are older than every convention, so they are read by itself.
  if (argv[0] === "sendmail" && !HELP.has(argv[1] ?? ""))
    return (await import("./sendmail/sendmail.ts")).runSendmail(argv.slice(1), deps);
  // `mailq -v`, `mailq -Ac`: elsewhere it is a sendmail that lists.
  if (argv[0] === "mailq" && argv.length > 1 && argv.slice(1).every((one) => /^-[^-h]/.test(one)))
    return (await import("./sendmail/sendmail.ts")).runSendmail(["-bp", ...argv.slice(1)], deps);
  const program = createProgram(deps, {
    end: (next) => void (code = next),
    complain: (text) => void (complaint += text),
  });
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommandFailure) {
      deps.output.err(error.message);
      return error.code;
    }
    if (!(error instanceof CommanderError)) throw error;
    // A group without its command is a question, not a mistake.
    const asked = error.exitCode === 0 || error.code === "commander.help";
    if (complaint !== "") (asked ? deps.output.out : deps.output.err)(complaint.trimEnd());
    return asked ? exitCodes.done : exitCodes.usage;
  }
}

const HELP = new Set(["--help", "help"]);

interface Ways {
  end(code: number): void;
  /** Commander's complaints are kept until it is known what they mean. */
  complain(text: string): void;
}

/** Everything that a user can type; also read by the tests of the documents. */
export function createProgram(deps: CliDeps, { end, complain }: Ways): Command {
  const program = new Command("postrider")
    .description("An outbound mail daemon in one executable")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => deps.output.out(text.trimEnd()),
      writeErr: complain,
    })
    .version(version, "-V, --version", "print the version alone")
    .addHelpText("after", "\nExample:\n  postrider serve");
  addServe(program, deps, end);
  addSend(program, deps, end);
  addSendmail(program);
  addQueue(program, deps);
  addMailq(program, deps, end);
  addInbox(program, deps, end);
  addMessage(program, deps);
  addDomain(program, deps, end);
  addKey(program, deps);
  addExplain(program, deps);
  addTrace(program, deps);
  addTail(program, deps);
  addTop(program, deps);
  addJournal(program, deps);
  addLog(program, deps);
  addSuppress(program, deps);
  addDns(program, deps);
  addReload(program, deps);
  addStress(program, deps, end);
  addSink(program, deps, end);
  addConfig(program, deps, end);
  addVersion(program, deps);
  return program;
}
