// The options of sendmail as programs have used them for forty years. What only steers a mail system of another make is taken and
// left alone; what would change who gets the mail, or what they get, and is not known here, is refused.

export type Mode =
  /** A message on standard input. */
  | "deliver"
  /** SMTP on standard input and output. */
  | "smtp"
  /** The list of what waits. */
  | "list"
  /** Try everything again now. */
  | "flush"
  /** Asked for what is not needed here, such as a new table of aliases. */
  | "nothing";

export interface SendmailOptions {
  readonly mode: Mode;
  /** `-t`: also to whom the header names. */
  readonly fromHeader: boolean;
  /** A line with a single dot ends the message, unless `-i`. */
  readonly dotEnds: boolean;
  /** `-f`; undefined: the user. Empty: the null reverse-path. */
  readonly sender: string | undefined;
  readonly fullName: string | undefined;
  readonly notify: string | undefined;
  readonly ret: string | undefined;
  readonly envid: string | undefined;
  readonly recipients: readonly string[];
}

export type ParsedOptions =
  | { readonly kind: "ok"; readonly options: SendmailOptions }
  | { readonly kind: "refused"; readonly why: string };

type Draft = { -readonly [Key in keyof SendmailOptions]: SendmailOptions[Key] };

/** Letters that take a value, glued on or as the next argument. */
const WITH_VALUE = new Set("ABCFLNOQRVXbdefhopqr");
/** Of those, the ones whose value is only ever glued on. */
const GLUED = new Set("Abdeoq");
/** What they mean is ours to decide, or means nothing here. */
const IGNORED = new Set("ACGLOQUXcdehmnpvx");

export function parseSendmail(args: readonly string[]): ParsedOptions {
  const draft: Draft = {
    mode: "deliver",
    fromHeader: false,
    dotEnds: true,
    sender: undefined,
    fullName: undefined,
    notify: undefined,
    ret: undefined,
    envid: undefined,
    recipients: [],
  };
  const recipients: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === "--") {
      recipients.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      recipients.push(arg);
      continue;
    }
    // Several letters may share one dash (`-ti`), up to one that takes a value.
    for (let at = 1; at < arg.length; at++) {
      const letter = arg[at] as string;
      let value = arg.slice(at + 1);
      const takes = WITH_VALUE.has(letter);
      if (takes && value === "" && !GLUED.has(letter)) {
        const next = args[++i];
        if (next === undefined) return { kind: "refused", why: `-${letter} needs a value` };
        value = next;
      }
      const why = apply(draft, letter, value);
      if (why !== undefined) return { kind: "refused", why };
      if (takes) break;
    }
  }
  return { kind: "ok", options: { ...draft, recipients } };
}

/** Words why it is refused; undefined when it is taken. */
function apply(draft: Draft, letter: string, value: string): string | undefined {
  switch (letter) {
    case "t":
      draft.fromHeader = true;
      return undefined;
    case "i":
      draft.dotEnds = false;
      return undefined;
    case "f":
    case "r":
      draft.sender = value === "<>" ? "" : value;
      return undefined;
    case "F":
      draft.fullName = value;
      return undefined;
    case "b":
      return applyMode(draft, value);
    case "B":
      // 7BIT or 8BITMIME: the message itself says which it is.
      return undefined;
    case "N":
      return applyNotify(draft, value);
    case "R":
      return applyReturn(draft, value);
    case "V":
      draft.envid = value;
      return undefined;
    case "q":
      // With an interval it asks for a daemon, which we have.
      if (value === "" || !/^\d/.test(value)) draft.mode = "flush";
      else draft.mode = "nothing";
      return undefined;
    case "o":
      // The old form: `-oi` is `-i`, all others steer sendmail itself.
      if (value === "i") draft.dotEnds = false;
      return undefined;
    default:
      return IGNORED.has(letter) ? undefined : `-${letter} is not known`;
  }
}

function applyMode(draft: Draft, value: string): string | undefined {
  const modes: Readonly<Record<string, Mode>> = {
    m: "deliver",
    s: "smtp",
    p: "list",
    i: "nothing",
  };
  const mode = modes[value];
  if (mode === undefined)
    return `-b${value} is not known: the daemon is started by "postrider serve"`;
  draft.mode = mode;
  return undefined;
}

const NOTICES = ["never", "success", "failure", "delay"];

function applyNotify(draft: Draft, value: string): string | undefined {
  const words = value.toLowerCase().split(/[ ,]+/);
  if (!words.every((word) => NOTICES.includes(word)))
    return `-N: found ${value}; allowed: never, or some of success, failure, delay`;
  draft.notify = words.join(",");
  return undefined;
}

function applyReturn(draft: Draft, value: string): string | undefined {
  const word = value.toLowerCase();
  if (word !== "hdrs" && word !== "headers" && word !== "full")
    return `-R: found ${value}; allowed: full or hdrs`;
  draft.ret = word === "full" ? "full" : "headers";
  return undefined;
}
