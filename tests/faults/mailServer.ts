// A mail server that does what its script says, however wrong, at an address of its own. It keeps the truth about what was said to it and
// what it took, and shares no code with the product.
import { createServer, type Server, type Socket } from "node:net";
import { TLSSocket, type TLSSocketOptions } from "node:tls";

/** The connection's end; `say` goes out before it, and `took`: the message was taken all the same. */
export interface Ending {
  readonly end: "close" | "reset" | "fin" | "hang";
  readonly say?: string;
  readonly took?: boolean;
}

/** A reply, said octet by octet. */
export interface Slow {
  readonly slowly: string;
  readonly everyMs: number;
}

/** A reply, CRLF is added; octets as they stand; an end; undefined: what a good server would say. */
export type Act = string | { readonly raw: string } | Slow | Ending | undefined;

export interface Turn {
  /** CONNECT, a command in upper case, BODY at a message's first octets, or `.` at its end. */
  readonly verb: string;
  readonly line: string;
  readonly session: Session;
  /** Recipients accepted so far in this transaction. */
  readonly accepted: number;
  /** Octets that came with this line, behind it. */
  readonly behind: number;
  /** At `.`: it came in a packet of its own. */
  readonly dotAlone: boolean;
  /** How often this server has met this verb before, over all sessions. */
  readonly before: number;
  /** How long ago that was for the first time, in milliseconds. */
  readonly sinceFirst: number;
  write(octets: string): void;
  pause(ms: number): Promise<void>;
  /** Reads no more from now on. */
  stopReading(): void;
}

export type Script = (turn: Turn) => Act | Promise<Act>;

export interface Session {
  readonly number: number;
  readonly beganAt: number;
  endedAt: number | null;
  /** The client's address. */
  readonly from: string;
  /** All but what belongs to messages; encrypted ones begin with `*`. */
  readonly lines: string[];
  readonly taken: Taken[];
  /** Octets of messages that came, whether their end came or not. */
  bodyOctets: number;
  secure: boolean;
}

export interface Taken {
  readonly mailFrom: string;
  readonly to: readonly string[];
  /** One character an octet, dots still doubled. */
  readonly content: string;
  readonly secure: boolean;
  readonly at: number;
  readonly session: number;
}

export interface MailServer {
  readonly name: string;
  readonly address: string;
  readonly sessions: Session[];
  taken(): Taken[];
  lines(): string[];
  close(): Promise<void>;
}

export interface MailServerOptions {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Keywords after EHLO; null: a server that knows only HELO. */
  readonly offers?: readonly string[] | null;
  readonly script?: Script;
  readonly tls: TLSSocketOptions;
}

export const usualOffers = ["PIPELINING", "8BITMIME", "SIZE 10000000", "ENHANCEDSTATUSCODES"];

const HANG: Ending = { end: "hang" };

export async function startMailServer(options: MailServerOptions): Promise<MailServer> {
  const sessions: Session[] = [];
  const sockets = new Set<Socket>();
  const met = new Map<string, Met>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    const session: Session = {
      number: sessions.length,
      beganAt: performance.now(),
      endedAt: null,
      from: socket.remoteAddress ?? "",
      lines: [],
      taken: [],
      bodyOctets: 0,
      secure: false,
    };
    sessions.push(session);
    void serve(socket, { session, options, met });
  });
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(options.port, options.address, resolve);
  });
  return {
    name: options.name,
    address: options.address,
    sessions,
    taken: () => sessions.flatMap((session) => session.taken),
    lines: () => sessions.flatMap((session) => session.lines),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Envelope {
  readonly mailFrom: string;
  readonly to: string[];
}

interface Met {
  readonly before: number;
  readonly firstAt: number;
}

interface Serving {
  readonly session: Session;
  readonly options: MailServerOptions;
  readonly met: Map<string, Met>;
}

async function serve(plain: Socket, { session, options, met }: Serving): Promise<void> {
  const wire = createWire(plain, session);
  let envelope: Envelope | null = null;
  const act = async (verb: string, line: string): Promise<string | Ending> => {
    const { before, firstAt } = met.get(verb) ?? { before: 0, firstAt: performance.now() };
    met.set(verb, { before: before + 1, firstAt });
    const chosen = await options.script?.({
      verb,
      line,
      session,
      before,
      sinceFirst: performance.now() - firstAt,
      dotAlone: wire.dotAlone(),
      accepted: envelope?.to.length ?? 0,
      behind: wire.waiting(),
      write: wire.write,
      pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      stopReading: wire.stopReading,
    });
    const said = chosen ?? usual(verb, { options, envelope });
    if (typeof said === "object" && "end" in said) return said;
    if (typeof said === "object" && "slowly" in said) return dribble(said);
    const text = typeof said === "string" ? `${said}\r\n` : said.raw;
    if (text !== "") wire.write(text);
    return text;
  };
  const begun = await act("CONNECT", "");
  if (typeof begun !== "string") return wire.end(begun);
  for (;;) {
    const line = await wire.until("\r\n");
    if (line === undefined) return wire.end({ end: "close" });
    session.lines.push(session.secure ? `*${line}` : line);
    const verb = line.split(/[ :]/)[0]?.toUpperCase() ?? "";
    const said = await act(verb, line);
    if (typeof said !== "string") return wire.end(said);
    if (verb === "MAIL" && said.startsWith("2")) envelope = { mailFrom: addressIn(line), to: [] };
    if (verb === "RSET" || verb === "EHLO") envelope = null;
    if (verb === "RCPT" && said.startsWith("2")) envelope?.to.push(addressIn(line));
    if (verb === "QUIT") return wire.end({ end: "close" });
    if (verb === "STARTTLS" && said === "220 2.0.0 go ahead\r\n") wire.secure(options.tls);
    if (verb !== "DATA" || !said.startsWith("354")) continue;
    const end = await takeMessage(envelope ?? { mailFrom: "", to: [] });
    envelope = null;
    if (end !== undefined) return wire.end(end);
  }

  async function dribble({ slowly, everyMs }: Slow): Promise<string> {
    for (const octet of slowly) {
      if (session.endedAt !== null) break;
      wire.write(octet);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    return slowly;
  }

  async function takeMessage({ mailFrom, to }: Envelope): Promise<Ending | undefined> {
    const early = await act("BODY", "");
    if (typeof early !== "string") return early;
    // The line end before the lone dot may be that of the DATA command.
    wire.unread("\r\n");
    const content = (await wire.until("\r\n.\r\n"))?.slice(2);
    if (content === undefined) return { end: "close" };
    const said = await act(".", content);
    const took = typeof said === "string" ? said.startsWith("2") : said.took === true;
    const at = performance.now();
    const { number, secure } = session;
    if (took) session.taken.push({ mailFrom, to, content, secure, at, session: number });
    return typeof said === "string" ? undefined : said;
  }
}

/** UTF-8 as SMTPUTF8 wants it (RFC 6531). */
function addressIn(line: string): string {
  return Buffer.from(/<([^>]*)>/.exec(line)?.[1] ?? "", "latin1").toString("utf8");
}

function createWire(plain: Socket, session: Session) {
  let socket: Socket = plain;
  let pending = "";
  let over = false;
  let dotAlone = false;
  let wake = (): void => {};
  const onData = (chunk: Buffer): void => {
    dotAlone = chunk.length <= 5 && chunk.toString("latin1").endsWith(".\r\n");
    pending += chunk.toString("latin1");
    session.bodyOctets += chunk.length;
    wake();
  };
  const ended = (): void => {
    over = true;
    session.endedAt ??= performance.now();
    wake();
  };
  for (const event of ["end", "close", "error"]) plain.on(event, ended);
  plain.on("data", onData);
  return {
    write: (octets: string): void => void (over || socket.write(Buffer.from(octets, "latin1"))),
    unread: (octets: string): void => void (pending = octets + pending),
    dotAlone: (): boolean => dotAlone,
    waiting: (): number => pending.length,
    stopReading: (): void => void socket.pause(),
    async until(mark: string): Promise<string | undefined> {
      // What holds no mark is put aside, so that a large message is not looked through again with each packet.
      const aside: string[] = [];
      for (;;) {
        const at = pending.indexOf(mark);
        if (at !== -1) {
          aside.push(pending.slice(0, at));
          pending = pending.slice(at + mark.length);
          return aside.join("");
        }
        const kept = Math.max(0, pending.length - mark.length + 1);
        aside.push(pending.slice(0, kept));
        pending = pending.slice(kept);
        if (over) return undefined;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    secure(tls: TLSSocketOptions): void {
      plain.off("data", onData);
      // What came in clear behind STARTTLS is not the client's word.
      pending = "";
      socket = new TLSSocket(plain, { isServer: true, ...tls });
      session.secure = true;
      socket.on("data", onData);
      socket.on("error", () => {});
    },
    end({ end, say }: Ending): void {
      if (say !== undefined && !over) socket.write(Buffer.from(say, "latin1"));
      if (end === "reset") plain.resetAndDestroy();
      else if (end === "fin") socket.end();
      else if (end === "close") {
        // Reads to the end, so that what was said last is not swept away by a reset.
        socket.end();
        plain.resume();
      }
    },
  };
}

interface Standing {
  readonly options: MailServerOptions;
  readonly envelope: Envelope | null;
}

function usual(verb: string, { options, envelope }: Standing): string | { readonly raw: string } {
  const { name, offers = usualOffers } = options;
  switch (verb) {
    case "CONNECT":
      return `220 ${name} ESMTP`;
    case "EHLO": {
      if (offers === null) return "502 5.5.1 what?";
      const lines = [name, ...offers];
      return lines.map((text, i) => `250${i === lines.length - 1 ? " " : "-"}${text}`).join("\r\n");
    }
    case "STARTTLS":
      return "220 2.0.0 go ahead";
    case "AUTH":
      return "235 2.7.0 welcome";
    case "RCPT":
      return envelope === null ? "503 5.5.1 MAIL first" : "250 2.1.5 ok";
    case "DATA":
      if (envelope === null) return "503 5.5.1 MAIL first";
      return envelope.to.length === 0 ? "554 5.5.1 no valid recipients" : "354 go on";
    case "BODY":
      return { raw: "" };
    case "QUIT":
      return "221 2.0.0 bye";
    default:
      return "250 2.0.0 ok";
  }
}

export const hang: Act = HANG;
export const closes: Act = { end: "close" };
