// A resolver that answers from a table, also wrongly: each name and type has records, or a behaviour that makes its own octets.
import * as packet from "dns-packet";
import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server, type Socket as Link } from "node:net";

export interface Question {
  readonly name: string;
  readonly type: string;
  readonly over: "udp" | "tcp";
  readonly edns: boolean;
  readonly port: number;
  /** How often the same was asked before. */
  readonly before: number;
  readonly id: number;
  encode(said: Said): Buffer;
  reply(octets: Uint8Array): void;
  /** From a port that was not asked. */
  forge(octets: Uint8Array): void;
}

export interface Said {
  readonly answers?: packet.Answer[];
  readonly authorities?: packet.Answer[];
  readonly questions?: packet.Question[];
  readonly rcode?: number;
  readonly flags?: number;
  readonly id?: number;
  readonly type?: "query" | "response";
  /** The AD bit: what a validating resolver says of signed names. */
  readonly secure?: boolean;
}

export type Say = Said | "silent" | ((question: Question) => void);

export const rcode = { formerr: 1, servfail: 2, nxdomain: 3, refused: 5 } as const;

export interface NameServer {
  /** By `name TYPE`; `name *` for all types that have no row of their own. May be changed at any time. */
  readonly table: Map<string, Say>;
  readonly asked: Question[];
  readonly counts: Map<string, number>;
  close(): Promise<void>;
}

/** So many questions are kept to be looked at. */
const ASKED_MAX = 10_000;

export async function startNameServer(address: string, port: number): Promise<NameServer> {
  const table = new Map<string, Say>();
  const counts = new Map<string, number>();
  const asked: Question[] = [];
  const udp = createSocket({ type: "udp4", recvBufferSize: 4_000_000 });
  const tcp = createServer();
  const links = new Set<Link>();
  const take = (octets: Buffer, over: "udp" | "tcp", from: number, reply: Question["reply"]) => {
    const query = packet.decode(octets);
    const { name = "", type = "" } = query.questions?.[0] ?? {};
    const key = `${name.toLowerCase()} ${type}`;
    const before = counts.get(key) ?? 0;
    counts.set(key, before + 1);
    const edns = (query.additionals ?? []).some((record) => record.type === "OPT");
    const question: Question = {
      ...{ name, type, over, edns, port: from, before, reply, id: query.id ?? 0 },
      encode: (said) => encode(query, said),
      forge: (bytes) => forge(bytes, from, address),
    };
    if (asked.length < ASKED_MAX) asked.push(question);
    answer(question, sayOf(table, name.toLowerCase(), type));
  };
  udp.on("message", (octets, from) =>
    take(octets, "udp", from.port, (bytes) => udp.send(bytes, from.port, from.address)),
  );
  tcp.on("connection", (link) => {
    links.add(link);
    link.on("close", () => links.delete(link));
    link.on("error", () => link.destroy());
    link.on("data", (chunk: Buffer) =>
      take(chunk.subarray(2), "tcp", link.remotePort ?? 0, (bytes) => {
        if (bytes.length === 0) return void link.destroy();
        link.write(Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes]));
      }),
    );
  });
  await listen(tcp, udp, address, port);
  return {
    ...{ table, counts, asked },
    async close() {
      for (const link of links) link.destroy();
      await new Promise<void>((resolve) => udp.close(() => resolve()));
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
    },
  };
}

async function listen(tcp: Server, udp: Socket, address: string, port: number): Promise<void> {
  await new Promise<void>((resolve) => tcp.listen(port, address, resolve));
  await new Promise<void>((resolve) => udp.bind(port, address, resolve));
}

export const soa: packet.Answer = {
  type: "SOA",
  name: "test",
  ttl: 300,
  data: { mname: "ns.test", rname: "root.test", minimum: 30 },
};

function sayOf(table: ReadonlyMap<string, Say>, name: string, type: string): Say {
  const own = table.get(`${name} ${type}`) ?? table.get(`${name} CNAME`) ?? table.get(`${name} *`);
  if (own !== undefined) return own;
  const there = [...table.keys()].some((key) => key.startsWith(`${name} `));
  return there ? { authorities: [soa] } : { rcode: rcode.nxdomain, authorities: [soa] };
}

function answer(question: Question, say: Say): void {
  if (say === "silent") return;
  if (typeof say === "function") return say(question);
  question.reply(question.encode(say));
}

function encode(query: packet.DecodedPacket, said: Said): Buffer {
  const { rcode: code = 0, flags = 0, secure = false, ...rest } = said;
  return packet.encode({
    type: "response",
    id: query.id,
    questions: query.questions,
    flags: packet.RECURSION_AVAILABLE | (secure ? packet.AUTHENTIC_DATA : 0) | flags | code,
    ...rest,
  });
}

function forge(octets: Uint8Array, port: number, address: string): void {
  const socket = createSocket("udp4");
  socket.send(octets, port, address, () => socket.close());
}
