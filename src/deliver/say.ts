// What we say to a server beyond single commands: groups of them, and the message. A small message leaves in one write, with the
// commands of the next one behind it; a large one is poured.
import type { BodyWant, Happened } from "../smtp/dialogue.ts";
import type { Line } from "../smtp/command.ts";
import { dotted } from "../smtp/dot.ts";
import type { Body } from "./body.ts";
import { lose, resume, type State } from "./hear.ts";
import { pour } from "./pour.ts";
import { noteBody, notePoured, noteReply } from "./record.ts";

export function written(lines: readonly Line[]): string {
  let text = "";
  for (const line of lines) text += `${line}\r\n`;
  return text;
}

/** Up to here a body goes out with its dot in one write; above it, in pieces that wait for each other. */
const ONE_WRITE_OCTETS = 65_536;

/** Null when `resume` will be called later. */
export function sendBody(state: State, body: Body, want: BodyWant): Happened | null {
  if (state.lost !== null) return state.lost;
  const [early] = state.heard;
  if (early !== undefined) {
    noteReply(state, "body", 0, early, 0);
    return { got: "early", reply: early };
  }
  if (body.kind !== "bytes") return pourBody(state, body, want);
  const { bytes, front } = body;
  const { header = "" } = front ?? {};
  if (typeof header !== "string")
    return whenSigned(state, header, () => sendBody(state, body, want));
  if (want.manner !== "dotted" || bytes.length + header.length > ONE_WRITE_OCTETS)
    return pourBody(state, body, want);
  state.sentAt = state.clock.monotonicMs();
  if (state.recording !== null) noteBody(state, body);
  const behind = goAhead(state);
  const room = (octets: number): Buffer => roomFor(state, octets);
  // Answers from within the write wait in `heard` for the next want, which is the dot's reply.
  state.connection.write(dotted(bytes, { front: header, behind, room }));
  return { got: "done" };
}

/** The server waits for the message, whose signature is made on another thread. It may hang up meanwhile, or say that it wants none. */
function whenSigned(state: State, signing: Promise<string>, send: () => Happened | null): null {
  state.doing = "body";
  state.deadline.set(state.deadlines.body);
  void signing.then(() => {
    // Whoever waited has been told.
    if (state.lost !== null) return;
    state.doing = null;
    const happened = send();
    if (happened !== null) resume(state, happened);
  });
  return null;
}

function pourBody(state: State, body: Body, { manner }: BodyWant): null {
  state.sentAt = state.clock.monotonicMs();
  if (state.recording !== null) noteBody(state, body);
  state.doing = "body";
  state.pouring = pour({
    body,
    manner,
    clock: state.clock,
    write: (octets) => state.connection.write(octets),
    block: () => state.deadline.set(state.deadlines.body),
    ended(happened) {
      state.pouring = null;
      state.doing = null;
      const nowMs = state.clock.monotonicMs();
      if (state.recording !== null) notePoured(state, happened, nowMs);
      state.sentAt = nowMs;
      const go = state.resume;
      state.resume = null;
      if (happened.got !== "done") lose(state, "closed", "the message was cut off before its end");
      go?.(happened);
    },
  });
  return null;
}

/**
 * A buffer for one message. It is used again: the next message leaves only after a 354 that came after every octet of this one, so
 * by then the network holds none of it. A fresh buffer each time cost 5 us a message.
 */
function roomFor(state: State, octets: number): Buffer {
  if (octets > ROOM_OCTETS_MAX) return Buffer.allocUnsafeSlow(octets);
  if (state.room.length < octets)
    state.room = Buffer.allocUnsafeSlow(Math.ceil(octets / ROOM_STEP_OCTETS) * ROOM_STEP_OCTETS);
  return state.room.subarray(0, octets);
}

const ROOM_STEP_OCTETS = 4096;
/** Thousands of connections may each keep so much. */
const ROOM_OCTETS_MAX = 16_384;

/** The next dialogue's first group, to leave behind the dot; empty when there is none. */
function goAhead(state: State): string {
  const dialogue = state.ahead?.() ?? null;
  if (dialogue === null) return "";
  const step = dialogue.next();
  const group = step.done !== true && step.value.want === "replies" ? step.value : null;
  state.begun = { dialogue, step, sent: group?.phases ?? null };
  return group === null ? "" : written(group.send);
}
