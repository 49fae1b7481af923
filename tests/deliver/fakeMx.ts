// A mail server on loopback that does what its script says, however wrong. It keeps the truth: what was said to it and what it took.
import { createServer, type Server, type Socket } from "node:net";
import { createSecureContext, TLSSocket, type SecureContextOptions } from "node:tls";
import { fakeCertificate, fakeKey } from "./fakeCertificate.ts";

/**
 * Text to say, with CRLF added; or what to do instead. Undefined: what a good server would say. `then`: what happens once it is said -
 * `END` says goodbye (FIN), `RESET` throws the connection away (RST).
 */
export type Act =
  string | { readonly raw: string; readonly then?: "END" | "RESET" } | "CLOSE" | "HANG" | undefined;

/** `verb` is CONNECT, a command in upper case, or `.` for the end of the message, in a chunk too. */
export type Script = (
  verb: string,
  line: string,
  session: FakeSession,
) => Act | Promise<Act> | undefined;

export interface FakeSession {
  readonly number: number;
  /** Every line but those of messages; encrypted ones begin with `*`. */
  readonly lines: string[];
  readonly messages: string[];
  ended: boolean;
  secure: boolean;
  /** Octets in front of what is not read yet; for scripts that look at it. */
  pending: string;
  /** Says it unasked. */
  say(text: string): void;
}

export interface FakeMx {
  readonly port: number;
  readonly sessions: FakeSession[];
  messages(): string[];
  openSessions(): number;
  /** Ends all connections from this side. */
  hangUp(): Promise<void>;
  close(): Promise<void>;
}

export interface FakeMxOptions {
  /** Keywords after EHLO; null: a server that knows only HELO. */
  readonly offers?: readonly string[] | null;
  readonly script?: Script;
  /** False: the server says 220 to STARTTLS and goes on in clear. */
  readonly handshakes?: boolean;
  /** Silent after its answer to STARTTLS. */
  readonly silentTls?: boolean;
  /** What differs from a server of today with `fakeCertificate`. */
  readonly tls?: SecureContextOptions;
  readonly implicitTls?: boolean;
  /** Several servers of one port differ in their loopback address. */
  readonly listen?: { readonly host: string; readonly port: number };
}

export const usualOffers = ["PIPELINING", "8BITMIME", "SIZE 10000000", "ENHANCEDSTATUSCODES"];

export async function startFakeMx(options: FakeMxOptions = {}): Promise<FakeMx> {
  const sessions: FakeSession[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    const session: FakeSession = {
      number: sessions.length,
      lines: [],
      messages: [],
      ended: false,
      secure: false,
      pending: "",
      say: (text) => void socket.write(text),
    };
    sessions.push(session);
    void serve(socket, session, options);
  });
  const { host, port } = options.listen ?? { host: "127.0.0.1", port: 0 };
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    sessions,
    messages: () => sessions.flatMap((session) => session.messages),
    openSessions: () => sessions.filter((session) => !session.ended).length,
    async hangUp() {
      await Promise.all([...sockets].map((one) => new Promise((done) => one.end(() => done(0)))));
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(plain: Socket, session: FakeSession, options: FakeMxOptions): Promise<void> {
  let socket: Socket = plain;
  let wake = (): void => {};
  const onData = (chunk: Buffer): void => {
    session.pending += chunk.toString("latin1");
    wake();
  };
  const ended = (): void => {
    session.ended = true;
    wake();
  };
  for (const event of ["end", "close", "error"]) plain.on(event, ended);
  if (options.implicitTls === true) socket = secure(plain, session, options, onData);
  else plain.on("data", onData);

  const until = async (mark: string): Promise<string | undefined> => {
    for (;;) {
      const at = session.pending.indexOf(mark);
      if (at !== -1) {
        const text = session.pending.slice(0, at);
        session.pending = session.pending.slice(at + mark.length);
        return text;
      }
      if (session.ended) return undefined;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  /** False when the session is over. */
  const act = async (verb: string, line: string): Promise<string | false> => {
    const chosen = (await options.script?.(verb, line, session)) ?? usual(verb, options);
    if (chosen === "CLOSE" || session.ended) {
      socket.destroy();
      return false;
    }
    if (chosen === "HANG") return new Promise<false>(() => {});
    const text = typeof chosen === "string" ? `${chosen}\r\n` : chosen.raw;
    const then = typeof chosen === "string" ? undefined : chosen.then;
    await new Promise((written) => socket.write(text, written));
    if (then === "RESET") plain.resetAndDestroy();
    if (then === "END") socket.end();
    return then === undefined ? text : false;
  };

  /** RFC 3030: so many octets, whatever they are. A script may answer to BDAT before they have come. */
  const takeChunk = async (octets: number, line: string): Promise<boolean> => {
    const early = (await options.script?.("BDAT", line, session)) ?? undefined;
    if (early !== undefined) socket.write(typeof early === "string" ? `${early}\r\n` : "");
    while (session.pending.length < octets && !session.ended)
      await new Promise<void>((resolve) => (wake = resolve));
    if (session.pending.length < octets) return false;
    const body = session.pending.slice(0, octets);
    session.pending = session.pending.slice(octets);
    if (early !== undefined) return true;
    const said = await act(".", body);
    if (said === false) return false;
    if (said.startsWith("2")) session.messages.push(body);
    return true;
  };

  if ((await act("CONNECT", "")) === false) return;
  for (;;) {
    const line = await until("\r\n");
    if (line === undefined) return;
    session.lines.push(session.secure ? `*${line}` : line);
    const verb = line.split(/[ :]/)[0]?.toUpperCase() ?? "";
    if (verb === "BDAT") {
      if (!(await takeChunk(Number(line.split(" ")[1]), line))) return;
      continue;
    }
    const said = await act(verb, line);
    if (said === false) return;
    if (verb === "QUIT") return void socket.end();
    if (verb === "STARTTLS" && options.silentTls === true) return;
    if (verb === "STARTTLS" && said.startsWith("220") && options.handshakes !== false) {
      plain.off("data", onData);
      socket = secure(plain, session, options, onData);
    }
    if (verb === "STARTTLS" && options.handshakes === false) {
      while (session.pending === "" && !session.ended)
        await new Promise<void>((resolve) => (wake = resolve));
      session.pending = "";
      socket.write("500 5.5.1 that is no command\r\n");
    }
    if (verb !== "DATA" || !said.startsWith("354")) continue;
    // The line end before the lone dot may be that of the DATA command.
    session.pending = `\r\n${session.pending}`;
    const body = (await until("\r\n.\r\n"))?.slice(2);
    if (body === undefined) return;
    const dot = await act(".", body);
    if (dot === false) return;
    if (dot.startsWith("2")) session.messages.push(body);
  }
}

/** One for all connections of a server, so that its tickets can be used. */
const contexts = new WeakMap<FakeMxOptions, ReturnType<typeof createSecureContext>>();

function contextOf(options: FakeMxOptions): ReturnType<typeof createSecureContext> {
  const own = { key: fakeKey, cert: fakeCertificate, ...options.tls };
  const context = contexts.get(options) ?? createSecureContext(own);
  contexts.set(options, context);
  return context;
}

function secure(
  plain: Socket,
  session: FakeSession,
  options: FakeMxOptions,
  onData: (chunk: Buffer) => void,
): Socket {
  const socket = new TLSSocket(plain, { isServer: true, secureContext: contextOf(options) });
  session.secure = true;
  socket.on("data", onData);
  socket.on("error", () => {});
  return socket;
}

function usual(verb: string, { offers = usualOffers }: FakeMxOptions): Exclude<Act, undefined> {
  switch (verb) {
    case "CONNECT":
      return "220 mx.example.com ESMTP";
    case "EHLO": {
      if (offers === null) return "502 5.5.1 what?";
      const lines = ["mx.example.com", ...offers];
      return lines.map((text, i) => `250${i === lines.length - 1 ? " " : "-"}${text}`).join("\r\n");
    }
    case "STARTTLS":
      return "220 2.0.0 go ahead";
    case "AUTH":
      return "235 2.7.0 welcome";
    case "DATA":
      return "354 go on";
    case "QUIT":
      return "221 2.0.0 bye";
    default:
      return "250 2.0.0 ok";
  }
}
