// A DNS server whose behaviour is the first label of the name it is asked for: `servfail.a.test` gets SERVFAIL, `silent.a.test`
// nothing. What a test puts into the zone is answered as it stands there; any other name does not exist.
import * as packet from "dns-packet";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import {
  createServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket as Link,
} from "node:net";
import type { Server } from "../../src/dns/servers.ts";

export interface Asked {
  readonly type: string;
  readonly name: string;
  readonly over: "udp" | "tcp";
  readonly edns: boolean;
  readonly id: number;
  readonly port: number;
}

export interface FakeDns {
  readonly server: Server;
  readonly asked: readonly Asked[];
  /** Records by name; may be changed while the server runs. */
  readonly zone: Map<string, packet.Answer[]>;
  /** While true nothing is answered at all. */
  silent: boolean;
  close(): Promise<void>;
}

type Reply = (bytes: Uint8Array) => void;

interface Turn {
  readonly query: packet.DecodedPacket;
  readonly name: string;
  readonly type: string;
  readonly over: "udp" | "tcp";
  readonly edns: boolean;
  readonly port: number;
  readonly reply: Reply;
  /** How often this name and type were asked before. */
  readonly before: number;
}

export async function startFakeDns(records: readonly packet.Answer[] = []): Promise<FakeDns> {
  const zone = new Map<string, packet.Answer[]>();
  for (const record of records) addRecord(zone, record);
  const { udp, tcp, port } = await listen();
  const asked: Asked[] = [];
  const times = new Map<string, number>();
  const links = new Set<Link>();
  const fake: FakeDns = {
    server: { address: "127.0.0.1", port },
    asked,
    zone,
    silent: false,
    async close() {
      for (const link of links) link.destroy();
      await new Promise<void>((resolve) => udp.close(() => resolve()));
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
    },
  };
  function take(bytes: Buffer, over: "udp" | "tcp", fromPort: number, reply: Reply): void {
    const query = packet.decode(bytes);
    const { name = "", type = "" } = query.questions?.[0] ?? {};
    const edns = (query.additionals ?? []).some((record) => record.type === "OPT");
    const key = `${type} ${name}`;
    const before = times.get(key) ?? 0;
    times.set(key, before + 1);
    asked.push({ type, name, over, edns, id: query.id ?? 0, port: fromPort });
    if (fake.silent) return;
    behave({ query, name, type, over, edns, port: fromPort, reply, before }, zone);
  }
  udp.on("message", (bytes: Buffer, from: RemoteInfo) =>
    take(bytes, "udp", from.port, (answer) => udp.send(answer, from.port, from.address)),
  );
  tcp.on("connection", (link) => {
    links.add(link);
    link.on("close", () => links.delete(link));
    link.on("error", () => link.destroy());
    link.on("data", (chunk: Buffer) => {
      const name = packet.decode(chunk.subarray(2)).questions?.[0]?.name ?? "";
      if (name.startsWith("tcprefused.")) return void link.destroy();
      take(chunk.subarray(2), "tcp", link.remotePort ?? 0, (answer) => {
        // In two pieces, as a network may cut it.
        link.write(Uint8Array.of(answer.length >> 8));
        link.write(Buffer.concat([Uint8Array.of(answer.length & 0xff), answer]));
      });
    });
  });
  return fake;
}

export function addRecord(zone: Map<string, packet.Answer[]>, record: packet.Answer): void {
  const list = zone.get(record.name) ?? [];
  list.push(record);
  zone.set(record.name, list);
}

/** The same free port on both transports. What is free for TCP may be the port from which somebody asks by UDP. */
async function listen(): Promise<{ udp: Socket; tcp: TcpServer; port: number }> {
  for (;;) {
    const tcp = createServer();
    await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket({ type: "udp4", recvBufferSize: 4_000_000 });
    const isBound = await new Promise<boolean>((resolve) => {
      udp.once("error", () => resolve(false));
      udp.bind(port, "127.0.0.1", () => resolve(true));
    });
    if (isBound) return { udp, tcp, port };
    tcp.close();
  }
}

const SOA: packet.Answer = {
  type: "SOA",
  name: "test",
  ttl: 300,
  data: { mname: "ns.test", rname: "root.test", minimum: 30 },
};

const codes = { formerr: 1, servfail: 2, nxdomain: 3, notimp: 4, refused: 5 } as const;

const behaviours: Readonly<Record<string, (turn: Turn) => void>> = {
  silent: () => {},
  servfail: (turn) => answer(turn, { rcode: codes.servfail }),
  refused: (turn) => answer(turn, { rcode: codes.refused }),
  nxdomain: (turn) => answer(turn, { rcode: codes.nxdomain, authorities: [SOA] }),
  nodata: (turn) => answer(turn, { authorities: [SOA] }),
  lame: (turn) =>
    answer(turn, { authorities: [{ type: "NS", name: "test", ttl: 60, data: "ns.other.test" }] }),
  flaky: (turn) => (turn.before === 0 ? undefined : usual(turn)),
  truncate: (turn) =>
    turn.over === "udp" ? answer(turn, { flags: packet.TRUNCATED_RESPONSE }) : usual(turn),
  tcprefused: (turn) => answer(turn, { flags: packet.TRUNCATED_RESPONSE }),
  formerr: (turn) => (turn.edns ? answer(turn, { rcode: codes.formerr }) : usual(turn)),
  bareformerr: (turn) =>
    turn.edns ? answer(turn, { rcode: codes.formerr, questions: [] }) : usual(turn),
  aaaafails: (turn) =>
    turn.type === "AAAA" ? answer(turn, { rcode: codes.servfail }) : usual(turn),
  wrongid: (turn) => {
    answer(turn, { id: ((turn.query.id ?? 0) + 1) & 0xffff, answers: [forged(turn)] });
    usual(turn);
  },
  wrongquestion: (turn) => {
    answer(turn, {
      questions: [{ type: "A", name: "other.test" }],
      answers: [{ ...forged(turn), name: "other.test" } as packet.Answer],
    });
    usual(turn);
  },
  isquery: (turn) => {
    answer(turn, { type: "query", answers: [forged(turn)] });
    usual(turn);
  },
  spoof: (turn) => {
    // From another port than the one that was asked.
    const socket = createSocket("udp4");
    const bytes = encode(turn, { answers: [forged(turn)] });
    socket.send(bytes, turn.port, "127.0.0.1", () => {
      socket.close();
      usual(turn);
    });
  },
  cut: (turn) => turn.reply(encode(turn, { answers: usualRecords(turn) }).subarray(0, -3)),
  garbage: (turn) => turn.reply(Uint8Array.of(...encode(turn, {}).subarray(0, 6), 0xff, 0xff)),
  pointers: (turn) => turn.reply(pointerLoop(turn)),
  counts: (turn) => {
    const bytes = Uint8Array.from(encode(turn, { answers: usualRecords(turn) }));
    bytes.set([0xff, 0xff], 6);
    turn.reply(bytes);
  },
  case: (turn) => {
    const name = turn.name.toUpperCase();
    const answers = usualRecords(turn).map((record) => ({ ...record, name }));
    answer(turn, { questions: [{ type: turn.type as "A", name }], answers });
  },
  loop: (turn) => answer(turn, { answers: [alias(turn.name, turn.name)] }),
  ringa: (turn) => answer(turn, { answers: [alias(turn.name, turn.name.replace("a", "b"))] }),
  ringb: (turn) => answer(turn, { answers: [alias(turn.name, turn.name.replace("b", "a"))] }),
  many: (turn) => (turn.over === "udp" ? answer(turn, { flags: 0x200 }) : answer(turn, many(turn))),
  ttl0: (turn) => answer(turn, { answers: usualRecords(turn, 0) }),
  ttlmax: (turn) => answer(turn, { answers: usualRecords(turn, 0x7fffffff) }),
  ttlnegative: (turn) => answer(turn, { answers: usualRecords(turn, 0xffffffff) }),
  validated: (turn) => answer(turn, { flags: packet.AUTHENTIC_DATA, answers: usualRecords(turn) }),
};

function behave(turn: Turn, zone: ReadonlyMap<string, packet.Answer[]>): void {
  const own = zone.get(turn.name);
  if (own !== undefined) {
    const chain = own.filter((record) => record.type === turn.type || record.type === "CNAME");
    return answer(turn, chain.length > 0 ? { answers: chain } : { authorities: [SOA] });
  }
  const label = turn.name.slice(0, turn.name.indexOf("."));
  const behaviour = behaviours[label];
  if (behaviour !== undefined) return behaviour(turn);
  if (label.startsWith("ok")) return usual(turn);
  answer(turn, { rcode: codes.nxdomain, authorities: [SOA] });
}

function usual(turn: Turn): void {
  answer(turn, { answers: usualRecords(turn) });
}

export const USUAL_A = "192.0.2.1";
export const USUAL_AAAA = "2001:db8::1";

function usualRecords({ name, type }: Turn, ttl = 60): packet.Answer[] {
  switch (type) {
    case "A":
      return [{ type, name, ttl, data: USUAL_A }];
    case "AAAA":
      return [{ type, name, ttl, data: USUAL_AAAA }];
    case "MX":
      return [{ type, name, ttl, data: { preference: 10, exchange: `ok-mx.${name}` } }];
    case "TXT":
      return [{ type, name, ttl, data: ["v=spf1 ", "-all"] }];
    default:
      return [];
  }
}

function forged(turn: Turn): packet.Answer {
  const { name } = turn;
  if (turn.type !== "MX") return { type: "A", name, ttl: 60, data: "203.0.113.66" };
  return { type: "MX", name, ttl: 60, data: { preference: 0, exchange: "evil.test" } };
}

function alias(name: string, target: string): packet.Answer {
  return { type: "CNAME", name, ttl: 60, data: target };
}

function many({ name }: Turn): Said {
  const answers = Array.from({ length: 2000 }, (_, i): packet.Answer => {
    return { type: "MX", name, ttl: 60, data: { preference: i, exchange: `m${i}.t` } };
  });
  return { answers };
}

/** The owner of the first answer is a pointer to itself. */
function pointerLoop(turn: Turn): Uint8Array {
  const head = Uint8Array.from(encode(turn, {}));
  head.set([0, 1], 6);
  const at = head.length;
  return Uint8Array.of(...head, 0xc0 | (at >> 8), at & 0xff, 0, 15, 0, 1, 0, 0, 0, 60, 0, 2, 0, 0);
}

interface Said extends packet.Packet {
  readonly rcode?: number;
}

function answer(turn: Turn, said: Said): void {
  turn.reply(encode(turn, said));
}

function encode({ query }: Turn, { rcode = 0, flags = 0, ...said }: Said): Buffer {
  return packet.encode({
    type: "response",
    id: query.id,
    questions: query.questions,
    flags: packet.RECURSION_AVAILABLE | flags | rcode,
    ...said,
  });
}
