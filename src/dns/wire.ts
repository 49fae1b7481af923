// Questions and replies as bytes. A reply is hostile until judged: the records are walked by their own lengths here, and only those
// that answer the question are given to dns-packet, one by one; decoding a whole packet with it would follow every name of a
// 64 KB reply and let one record shift the next.
import * as packet from "dns-packet";
import type { MxRecord, RecordType, TlsaRecord } from "./answer.ts";

export interface Question {
  readonly type: RecordType;
  /** As `cleanName` gives it. */
  readonly name: string;
}

export interface Query extends Question {
  /** With an id of zero, to be replaced by `withId` each time it is sent. */
  readonly bytes: Uint8Array;
  /** The length of the question section, which the reply must repeat. */
  readonly questionBytes: number;
}

export interface QueryOptions {
  /** RFC 6891; without it when a server answers FORMERR. */
  readonly edns: boolean;
  /** Ask for signatures too (DO bit). The AD bit is asked for in any case (RFC 6840 5.7). */
  readonly dnssecOk?: boolean;
}

export type WireRecord = { readonly owner: string; readonly ttlS: number } & (
  | { readonly type: "MX"; readonly value: MxRecord }
  | { readonly type: "A" | "AAAA" | "TXT"; readonly value: string }
  | { readonly type: "CNAME" | "PTR"; readonly value: string }
  | { readonly type: "TLSA"; readonly value: TlsaRecord }
);

export interface Reply {
  /** With the upper bits of EDNS. */
  readonly rcode: number;
  /** AD bit. */
  readonly secure: boolean;
  readonly records: readonly WireRecord[];
  /** How long the absence holds (RFC 2308 section 5), when the reply says it. */
  readonly negativeTtlS: number | undefined;
  /** Name servers instead of an answer: what a server says that does not resolve for us. */
  readonly referral: boolean;
}

export type Judged =
  /** Not the reply to this question, whoever sent it: keep waiting (RFC 5452). */
  | { readonly kind: "foreign" }
  | { readonly kind: "truncated" }
  | { readonly kind: "broken"; readonly why: string }
  | { readonly kind: "reply"; readonly reply: Reply };

export const rcodes = {
  noError: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  badVers: 16,
} as const;

/** Records of one reply that are decoded; a list of 2,000 MX is cut here. */
const RECORDS_MAX = 512;
/** Records of all sections that are walked at all. */
const WALK_MAX = 4096;
/** Text of one reply that is kept: SPF and DKIM records are far below. */
const TEXT_BYTES_MAX = 32_768;
/** Fits an Ethernet frame and IPv6's least MTU (DNS flag day 2020). */
const UDP_PAYLOAD = 1232;

const HEADER_BYTES = 12;
const typeCodes = {
  ...{ A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, OPT: 41, TLSA: 52 },
};
const CLASS_IN = 1;

export function makeQuery(question: Question, options: QueryOptions): Query {
  const flags = packet.RECURSION_DESIRED | packet.AUTHENTIC_DATA;
  const bytes = packet.encode({
    type: "query",
    id: 0,
    flags,
    questions: [{ type: question.type, name: question.name }],
    additionals: options.edns ? [optRecord(options.dnssecOk === true)] : [],
  });
  // A name of n characters takes n + 2 bytes; type and class take four.
  return { ...question, bytes, questionBytes: question.name.length + 2 + 4 };
}

function optRecord(dnssecOk: boolean): packet.OptAnswer {
  return {
    type: "OPT",
    name: ".",
    udpPayloadSize: UDP_PAYLOAD,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: dnssecOk ? packet.DNSSEC_OK : 0,
    flag_do: dnssecOk,
    options: [],
  };
}

export function withId(query: Query, id: number): Uint8Array {
  const bytes = Uint8Array.from(query.bytes);
  bytes[0] = id >> 8;
  bytes[1] = id & 0xff;
  return bytes;
}

export function idOf(bytes: Uint8Array): number {
  return bytes.length < 2 ? -1 : u16(bytes, 0);
}

/** What a packet means as the reply to `query` sent under `id`. Never throws, whatever the bytes are. */
export function judge(query: Query, id: number, bytes: Uint8Array): Judged {
  if (bytes.length < HEADER_BYTES || idOf(bytes) !== id) return { kind: "foreign" };
  const flags = u16(bytes, 2);
  const isResponse = (flags & 0x8000) !== 0;
  const opcode = (flags >> 11) & 0xf;
  if (!isResponse || opcode !== 0) return { kind: "foreign" };
  const rcode = flags & 0xf;
  const asked = u16(bytes, 4);
  if (asked === 0 && rcode !== rcodes.noError && rcode !== rcodes.nxDomain) {
    // Some servers send back a bare header with a question that they could not read.
    return { kind: "reply", reply: emptyReply(rcode) };
  }
  if (asked !== 1 || !repeats(query, bytes)) return { kind: "foreign" };
  if ((flags & 0x0200) !== 0) return { kind: "truncated" };
  return readReply(query, bytes, { rcode, secure: (flags & 0x20) !== 0 });
}

function emptyReply(rcode: number): Reply {
  return { rcode, secure: false, records: [], negativeTtlS: undefined, referral: false };
}

/** Whether the reply holds our question, whatever the case of its letters. */
function repeats(query: Query, bytes: Uint8Array): boolean {
  const end = HEADER_BYTES + query.questionBytes;
  if (bytes.length < end) return false;
  for (let i = HEADER_BYTES; i < end; i++) {
    if (bytes[i] !== query.bytes[i] && lower(bytes[i]) !== lower(query.bytes[i])) return false;
  }
  return true;
}

function lower(byte: number | undefined): number {
  const code = byte ?? 0;
  return code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
}

function readReply(query: Query, bytes: Uint8Array, head: Pick<Reply, "rcode" | "secure">): Judged {
  const counts = [u16(bytes, 6), u16(bytes, 8), u16(bytes, 10)] as const;
  const records: WireRecord[] = [];
  let { rcode } = head;
  let negativeTtlS: number | undefined;
  let nameServers = false;
  let textBytes = 0;
  let offset = HEADER_BYTES + query.questionBytes;
  let walked = 0;
  for (const [section, count] of counts.entries()) {
    for (let i = 0; i < count; i++) {
      const frame = frameAt(bytes, offset);
      if (frame === undefined) return broken(`record ${walked + 1} is cut`);
      if (++walked > WALK_MAX) return broken(`more than ${WALK_MAX} records`);
      offset = frame.end;
      if (frame.type === typeCodes.OPT) {
        if (section === 2) rcode = ((frame.ttl >>> 24) << 4) | (rcode & 0xf);
      } else if (frame.klass !== CLASS_IN) continue;
      else if (section === 0) {
        if (records.length >= RECORDS_MAX || !isAnswer(query, frame.type)) continue;
        const record = decode(bytes, frame);
        if (record === undefined) return broken(`record ${walked} cannot be read`);
        if (record.type === "TXT") textBytes += record.value.length;
        if (textBytes > TEXT_BYTES_MAX) return broken(`more than ${TEXT_BYTES_MAX} bytes of text`);
        records.push(record);
      } else if (section === 1 && frame.type === typeCodes.SOA && negativeTtlS === undefined) {
        // The last four bytes of an SOA are its minimum.
        const minimum = frame.end - frame.data >= 22 ? u32(bytes, frame.end - 4) : frame.ttl;
        negativeTtlS = Math.min(frame.ttl, minimum);
      } else if (section === 1 && frame.type === typeCodes.NS) nameServers = true;
    }
  }
  const referral = nameServers && negativeTtlS === undefined && records.length === 0;
  return { kind: "reply", reply: { rcode, secure: head.secure, records, negativeTtlS, referral } };
}

function broken(why: string): Judged {
  return { kind: "broken", why };
}

function isAnswer(query: Query, type: number): boolean {
  return type === typeCodes[query.type] || type === typeCodes.CNAME;
}

/** A record's place: from `start` with its name, `data` with what it holds, up to `end`. */
interface Frame {
  readonly start: number;
  readonly type: number;
  readonly klass: number;
  readonly ttl: number;
  readonly data: number;
  readonly end: number;
}

function frameAt(bytes: Uint8Array, start: number): Frame | undefined {
  const head = skipName(bytes, start);
  if (head === undefined || head + 10 > bytes.length) return undefined;
  const data = head + 10;
  const end = data + u16(bytes, head + 8);
  if (end > bytes.length) return undefined;
  const ttl = u32(bytes, head + 4);
  return { start, type: u16(bytes, head), klass: u16(bytes, head + 2), ttl, data, end };
}

/** Where the name that starts here ends; pointers are passed, not followed. */
function skipName(bytes: Uint8Array, start: number): number | undefined {
  let offset = start;
  for (;;) {
    const length = bytes[offset];
    if (length === undefined) return undefined;
    if (length === 0) return offset + 1;
    if ((length & 0xc0) === 0xc0) return offset + 2;
    if ((length & 0xc0) !== 0) return undefined;
    offset += length + 1;
  }
}

/** Pointers followed for one name. Real ones have one or two; a reply of pointers to pointers would cost a walk a record. */
const JUMPS_MAX = 16;
/** RFC 1035 2.3.4. */
const NAME_OCTETS_MAX = 255;

function hasShortName(bytes: Uint8Array, start: number): boolean {
  let offset = start;
  let octets = 0;
  for (let jumps = 0; jumps <= JUMPS_MAX && octets < NAME_OCTETS_MAX;) {
    const length = bytes[offset];
    if (length === undefined) return false;
    if (length === 0) return true;
    if (length >= 0xc0) {
      jumps++;
      offset = u16(bytes, offset) & 0x3fff;
    } else {
      octets += length + 1;
      offset += length + 1;
    }
  }
  return false;
}

function hasShortNames(bytes: Uint8Array, { start, type, data }: Frame): boolean {
  if (!hasShortName(bytes, start)) return false;
  if (type === typeCodes.MX) return hasShortName(bytes, data + 2);
  const isName = type === typeCodes.CNAME || type === typeCodes.PTR;
  return !isName || hasShortName(bytes, data);
}

/** dns-packet decodes one record at a place, which its type definitions do not tell. */
const codec = (packet as unknown as { readonly answer: RecordCodec }).answer;
interface RecordCodec {
  readonly decode: { (bytes: Buffer, offset: number): packet.Answer; bytes: number };
}

function decode(bytes: Uint8Array, frame: Frame): WireRecord | undefined {
  if (!hasShortNames(bytes, frame)) return undefined;
  // Only up to the record's end, so that no length inside it can reach further.
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, frame.end);
  try {
    const answer = codec.decode(view, frame.start);
    if (codec.decode.bytes !== frame.end - frame.start) return undefined;
    return wireRecord(answer, frame.ttl);
  } catch {
    // The codec throws on whatever it cannot read, with no type of its own for it.
    return undefined;
  }
}

function wireRecord(answer: packet.Answer, ttl: number): WireRecord | undefined {
  // RFC 2181 section 8: a TTL with its top bit set is zero.
  const head = { owner: plainName(answer.name), ttlS: ttl > 0x7fffffff ? 0 : ttl };
  switch (answer.type) {
    case "MX": {
      const { preference = 0, exchange } = answer.data;
      return { ...head, type: "MX", value: { preference, exchange: plainName(exchange) } };
    }
    case "A":
    case "AAAA":
      return { ...head, type: answer.type, value: answer.data };
    case "CNAME":
    case "PTR":
      return { ...head, type: answer.type, value: plainName(answer.data) };
    case "TXT":
      return { ...head, type: "TXT", value: joined(answer.data) };
    case "TLSA": {
      const { usage, selector, matchingType, certificate } = answer.data;
      const value = { usage, selector, matchingType, data: certificate.toString("hex") };
      return { ...head, type: "TLSA", value };
    }
    default:
      return undefined;
  }
}

/** dns-packet writes the root as one dot. */
function plainName(name: string): string {
  return name === "." ? "" : name.toLowerCase();
}

function joined(data: packet.TxtData): string {
  const parts = Array.isArray(data) ? data : [data];
  return parts.map((part) => (typeof part === "string" ? part : part.toString("utf8"))).join("");
}

function u16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

function u32(bytes: Uint8Array, offset: number): number {
  return ((u16(bytes, offset) << 16) | u16(bytes, offset + 2)) >>> 0;
}
