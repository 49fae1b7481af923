// The header as DKIM signs it: every field in relaxed canonical form (RFC 6376 3.4.2), and which of them are signed, in which order
// (5.4). It is read octet by octet, once, into room that the next message uses again: this runs for every message that is sent.

/** Valid until the next header is read. */
export interface Header {
  /** The canonical fields, each with CRLF. */
  readonly octets: Buffer;
  /** Where each field begins, and behind the last one where it ends. */
  readonly starts: readonly number[];
  /** Their names in lower case, a colon behind each: the same for all messages of a kind. */
  readonly shape: string;
}

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;

/** Letters of ASCII in lower case, all else as it is. */
const lowerOf = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet,
);

const ROOM_OCTETS = 16_384;
let fieldRoom = Buffer.alloc(ROOM_OCTETS);
let nameRoom = Buffer.alloc(ROOM_OCTETS);

/** `end` is behind the last field's CRLF. Lines that are no fields are passed over: they cannot be signed. */
export function readHeader(bytes: Uint8Array, end: number): Header {
  // Each field comes out no longer than it is, but for the last one's CRLF.
  if (fieldRoom.length < end + 4) fieldRoom = Buffer.alloc(end + ROOM_OCTETS);
  if (nameRoom.length < end + 4) nameRoom = Buffer.alloc(end + ROOM_OCTETS);
  const out = fieldRoom;
  const names = nameRoom;
  const starts: number[] = [];
  let length = 0;
  let namesLength = 0;
  for (let i = 0; i < end;) {
    const colon = colonOf(bytes, i, end);
    let nameEnd = colon;
    while (nameEnd > i && isBlank(bytes[nameEnd - 1])) nameEnd--;
    if (nameEnd <= i) {
      i = fieldEnd(bytes, i, end);
      continue;
    }
    starts.push(length);
    for (; i < nameEnd; i++) {
      const octet = lowerOf[bytes[i] as number] as number;
      out[length++] = octet;
      names[namesLength++] = octet;
    }
    out[length++] = COLON;
    names[namesLength++] = COLON;
    const valueAt = length;
    // White space in front of the value goes, within it becomes one space, behind it goes again.
    let blank = true;
    for (i = colon + 1; i < end; i++) {
      const octet = bytes[i] as number;
      if (octet === SPACE || octet === TAB) {
        if (!blank) out[length++] = SPACE;
        blank = true;
      } else if (octet === CR && bytes[i + 1] === LF) {
        i++;
        if (i + 1 >= end || !isBlank(bytes[i + 1])) break;
      } else {
        out[length++] = octet;
        blank = false;
      }
    }
    i++;
    if (blank && length > valueAt) length--;
    out[length++] = CR;
    out[length++] = LF;
  }
  starts.push(length);
  return { octets: out, starts, shape: names.toString("latin1", 0, namesLength) };
}

/** -1 when the line has none. */
function colonOf(bytes: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end && bytes[i] !== LF; i++) if (bytes[i] === COLON) return i;
  return -1;
}

/** Behind the line end that no white space follows. */
function fieldEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  do {
    while (i < end && bytes[i] !== LF) i++;
    i++;
  } while (i < end && isBlank(bytes[i]));
  return i;
}

function isBlank(octet: number | undefined): boolean {
  return octet === SPACE || octet === TAB;
}

/** Named once more than they stand there, so that nobody can add another one unseen (RFC 6376 8.15). */
const oversigned = "from to subject date message-id cc reply-to mime-version content-type".split(
  " ",
);
/** Signed where they stand. RFC 8058 4 wants the two of one-click unsubscription covered. */
const covered = [
  ..."list-unsubscribe list-unsubscribe-post content-transfer-encoding sender".split(" "),
  ..."in-reply-to references list-id list-help list-post list-owner list-archive".split(" "),
  ..."list-subscribe auto-submitted feedback-id".split(" "),
];

/** What is signed of all headers of one shape. */
export interface Selection {
  /** For `h=`, in the order in which their fields are hashed. */
  readonly names: readonly string[];
  /** The places of those fields. */
  readonly places: readonly number[];
  /** The place of the first From; -1 when there is none. */
  readonly from: number;
}

export function select(shape: string): Selection {
  const fields = shape.split(":").slice(0, -1);
  const count = (name: string): string[] => fields.filter((field) => field === name);
  const names = [
    ...oversigned.flatMap((name) => [...count(name), name]),
    ...covered.flatMap((name) => count(name)),
  ];
  return { names, places: placesOf(fields, names), from: fields.indexOf("from") };
}

/**
 * Where a name comes again it means the next field upwards (RFC 6376 5.4.2); one for which no field is left adds nothing.
 */
export function placesOf(fields: readonly string[], names: readonly string[]): readonly number[] {
  /** Where the search for the next field of a name begins, going upwards. */
  const next = new Map<string, number>();
  return names.flatMap((name) => {
    const from = next.get(name) ?? fields.length - 1;
    const at = from < 0 ? -1 : fields.lastIndexOf(name, from);
    next.set(name, at - 1);
    return at < 0 ? [] : at;
  });
}
