// Remote mail servers, written apart from our own: they keep the truth that our books are compared with - what was taken, how often,
// and to what they said no for good.
import type { Random } from "../../src/base/random.ts";
import type { Guest, Wire } from "./network.ts";
import type { FaultRates } from "./plan.ts";
import type { Temper } from "./temper.ts";

export interface Truth {
  /** Times taken by `message address`. */
  readonly taken: Map<string, number>;
  /** Refused for good: `message address`, or `message` alone for all of its recipients. */
  readonly refused: Set<string>;
}

export interface ServerDeps {
  readonly site: string;
  readonly random: Random;
  readonly now: () => number;
  readonly faults: () => FaultRates;
  readonly truth: Truth;
  readonly temper: Temper;
  readonly violation: (text: string) => void;
  readonly trace: (text: string) => void;
  /** The content that this message must have. */
  readonly contentOf: (message: string) => string;
  /** Called when the dot arrives, before anything is decided. */
  readonly dot: (message: string, address: string, proven: boolean) => void;
}

export interface Server {
  welcome(wire: Wire): Guest;
}

interface Visit {
  secure: boolean;
  /** Encrypted, and the client has seen who we are. */
  proven: boolean;
  /** Empty: no transaction. */
  message: string;
  to: string[];
  content: string | null;
  rest: string;
  over: boolean;
}

export const keyOf = (message: string, address: string): string => `${message} ${address}`;

const GREYLIST_MS = 300_000;

export function createServer(deps: ServerDeps): Server {
  const { random, truth, site } = deps;
  const { roll } = random;
  const offersTls = roll() < 0.4;
  const pipelines = roll() < 0.7;
  const greylists = roll() < 0.2;
  const hasEhlo = roll() < 0.9;
  const seen = new Map<string, number>();

  const hello = (visit: Visit): string => {
    const offers = [site, "8BITMIME", "SIZE 10000000", "ENHANCEDSTATUSCODES"];
    if (pipelines) offers.push("PIPELINING");
    if (offersTls && !visit.secure) offers.push("STARTTLS");
    return offers
      .map((offer, i) => `250${i === offers.length - 1 ? " " : "-"}${offer}`)
      .join("\r\n");
  };

  const mail = (visit: Visit, wire: Wire, line: string): string | null => {
    const message = /^MAIL FROM:<m(\d+)@/.exec(line)?.[1] ?? "";
    const { softMail, hardMail } = deps.faults();
    if (visit.message !== "") return "503 5.5.1 Nested MAIL";
    if (deps.temper.asked(deps.now())) {
      deps.trace(`${site} wants a pause`);
      wire.say("421 4.7.28 Unusual rate of unsolicited mail - gsmtp\r\n");
      return hangUp(visit, wire);
    }
    if (roll() < softMail) return "451 4.3.0 Not this sender now";
    if (roll() < hardMail) {
      truth.refused.add(message);
      return "550 5.7.1 Not this sender";
    }
    visit.message = message;
    visit.to = [];
    return "250 2.1.0 Ok";
  };

  const rcpt = (visit: Visit, line: string): string => {
    const address = /^RCPT TO:<([^>]*)>/.exec(line)?.[1] ?? "";
    const { softRcpt, hardRcpt } = deps.faults();
    if (visit.message === "") return "503 5.5.1 MAIL first";
    if (greylists) {
      const first = seen.get(address) ?? deps.now();
      seen.set(address, first);
      if (deps.now() - first < GREYLIST_MS) return "451 4.7.1 Greylisted, please try again later";
    }
    if (roll() < softRcpt) return "450 4.2.0 Mailbox is busy";
    if (roll() < hardRcpt) {
      truth.refused.add(keyOf(visit.message, address));
      return "550 5.1.1 No such mailbox";
    }
    visit.to.push(address);
    return "250 2.1.5 Ok";
  };

  const data = (visit: Visit): string => {
    if (visit.message === "") return "503 5.5.1 MAIL first";
    if (visit.to.length === 0) return "554 5.5.1 No valid recipient";
    if (roll() < deps.faults().softData) return "451 4.3.0 No room now";
    visit.content = "";
    return "354 Go ahead";
  };

  const take = (visit: Visit): void => {
    for (const address of visit.to) {
      const key = keyOf(visit.message, address);
      truth.taken.set(key, (truth.taken.get(key) ?? 0) + 1);
      deps.trace(`${site} takes ${key}`);
    }
  };

  const dot = (visit: Visit, wire: Wire, content: string): string | null => {
    const { softDot, hardDot, takeAndDrop, dropAtDot, takeAndHang } = deps.faults();
    for (const address of visit.to) deps.dot(visit.message, address, visit.proven);
    if (content !== deps.contentOf(visit.message))
      deps.violation(`message ${visit.message} arrived changed`);
    if (roll() < softDot) return "451 4.3.0 Could not store it";
    if (roll() < hardDot) {
      for (const address of visit.to) truth.refused.add(keyOf(visit.message, address));
      return "554 5.6.0 Not this message";
    }
    if (roll() < dropAtDot) return hangUp(visit, wire);
    take(visit);
    if (roll() < takeAndDrop) return hangUp(visit, wire);
    if (roll() < takeAndHang) {
      visit.over = true;
      return null;
    }
    return "250 2.0.0 Taken";
  };

  const command = (visit: Visit, wire: Wire, line: string): string | null => {
    const { drop, hang, closing } = deps.faults();
    if (roll() < drop) return hangUp(visit, wire);
    if (roll() < hang) {
      visit.over = true;
      return null;
    }
    if (roll() < closing) {
      wire.say("421 4.3.2 Closing\r\n");
      return hangUp(visit, wire);
    }
    switch (line.slice(0, 4).toUpperCase()) {
      case "EHLO":
        visit.message = "";
        return hasEhlo ? hello(visit) : "502 5.5.1 Speak HELO";
      case "HELO":
        return `250 ${site}`;
      case "STAR":
        return "220 2.0.0 Ready";
      case "MAIL":
        return mail(visit, wire, line);
      case "RCPT":
        return rcpt(visit, line);
      case "DATA":
        return data(visit);
      case "RSET":
        visit.message = "";
        return "250 2.0.0 Ok";
      case "QUIT":
        return hangUp(visit, wire);
      default:
        deps.violation(`${site} heard "${line.slice(0, 40)}"`);
        return "500 5.5.2 What";
    }
  };

  function hangUp(visit: Visit, wire: Wire): null {
    visit.over = true;
    wire.hangUp();
    return null;
  }

  /** One line of a message, or its end. */
  const contentLine = (visit: Visit, wire: Wire, line: string): string | null => {
    if (line !== ".") {
      visit.content += `${line.startsWith(".") ? line.slice(1) : line}\r\n`;
      return null;
    }
    const content = visit.content ?? "";
    visit.content = null;
    const reply = visit.to.length === 0 ? "554 5.5.1 Nobody" : dot(visit, wire, content);
    visit.message = "";
    return reply;
  };

  return {
    welcome(wire) {
      const visit: Visit = {
        secure: false,
        proven: false,
        message: "",
        to: [],
        content: null,
        rest: "",
        over: false,
      };
      const { softGreeting } = deps.faults();
      let isHere = true;
      if (deps.temper.opened()) {
        wire.say("421 4.7.0 Too many connections\r\n");
        hangUp(visit, wire);
      } else if (roll() < softGreeting) {
        wire.say("421 4.3.2 Too busy\r\n");
        hangUp(visit, wire);
      } else wire.say(`220 ${site} ESMTP\r\n`);
      return {
        heard(text) {
          visit.rest += text;
          for (;;) {
            const end = visit.rest.indexOf("\r\n");
            if (end < 0 || visit.over) return;
            const line = visit.rest.slice(0, end);
            visit.rest = visit.rest.slice(end + 2);
            const reply =
              visit.content === null ? command(visit, wire, line) : contentLine(visit, wire, line);
            if (reply !== null) wire.say(`${reply}\r\n`);
          }
        },
        secured(proven) {
          // RFC 3207 4.2: everything that was said in clear is forgotten.
          visit.secure = true;
          visit.proven = proven;
          visit.message = "";
          visit.rest = "";
        },
        left() {
          visit.over = true;
          if (isHere) deps.temper.closed();
          isHere = false;
        },
      };
    },
  };
}
