// Setting a connection up for mail: greeting, EHLO, encryption, login. Sending on it is transaction.ts, so that a kept connection runs
// one transaction after another.
import { logIn, type Login } from "./auth.ts";
import { fixedLine, line, STARTTLS } from "./command.ts";
import {
  accepted,
  ask,
  expect,
  lossOf,
  Stop,
  type Dialogue,
  type OpeningTrouble,
} from "./dialogue.ts";
import { nothingOffered, offerOf, type Offer } from "./extensions.ts";
import { classOf, type Reply } from "./reply.ts";

export type OpeningEnd =
  { readonly end: "ready"; readonly offer: Offer; readonly secured: boolean } | OpeningTrouble;

export interface OpeningOptions {
  /** Our name for EHLO. */
  readonly helo: string;
  readonly encrypt: "never" | "offered" | "always";
  /** Already encrypted, as with implicit TLS (RFC 8314). */
  readonly secured: boolean;
  readonly login: Login | null;
  /** A password may be said in clear: the server is on this host, or the operator named a mechanism for a line without TLS. */
  readonly clearAllowed: boolean;
  /** Printable and never the same twice. */
  readonly nonce: () => string;
  /** Say HELO at once, to a server that hung up on EHLO. */
  readonly heloOnly?: boolean;
}

export function* opening(options: OpeningOptions): Dialogue<OpeningEnd> {
  try {
    const greeting = yield* expect("greeting", null);
    const dotApart = mangled(greeting, options);
    let offer = yield* hello(dotApart ? { ...options, heloOnly: true } : options);
    let secured = options.secured;
    if (!secured && options.encrypt !== "never" && (yield* startTls(offer, options))) {
      secured = true;
      // What was said before the handshake may have been said by anybody (RFC 3207 4.2).
      offer = yield* hello(options);
    }
    const { login } = options;
    if (login !== null) yield* logIn({ ...options, login, offer, secured });
    if (dotApart) offer = { ...offer, dotApart };
    return { end: "ready", offer, secured };
  } catch (stop) {
    if (stop instanceof Stop) return stop.end;
    throw stop;
  }
}

/**
 * A firewall (Cisco PIX, `fixup protocol smtp`) has blanked the banner with stars. It breaks ESMTP too, so such a server is spoken to
 * as before RFC 1869, unless what we must have cannot be had that way.
 */
function mangled(greeting: Reply, { encrypt, login }: OpeningOptions): boolean {
  if (encrypt === "always" || login !== null) return false;
  return /^[*02 ]*\*{3}[*02 ]*$/.test(greeting.lines[0] ?? "");
}

function* hello(options: OpeningOptions): Dialogue<Offer> {
  const name = line(options.helo) ?? fixedLine("localhost");
  if (options.heloOnly !== true) {
    const reply = yield* ask("ehlo", fixedLine(`EHLO ${name}`));
    if (accepted("ehlo", reply)) return offerOf(reply);
    // A server from before RFC 1869 says 500 or 502; anything but "never" is no reason to try the old way.
    if (classOf(reply) !== 5) throw new Stop({ end: "refused", phase: "ehlo", reply });
  }
  yield* expect("helo", fixedLine(`HELO ${name}`));
  return nothingOffered;
}

/** True when the connection is encrypted now; false when it may go on in clear. */
function* startTls(offer: Offer, options: OpeningOptions): Dialogue<boolean> {
  if (!offer.starttls) {
    if (options.encrypt === "offered") return false;
    throw new Stop({ end: "unfit", lacks: "tls", text: "the server does not offer STARTTLS" });
  }
  const reply = yield* ask("starttls", STARTTLS);
  if (!accepted("starttls", reply)) {
    // 454: TLS is not to be had at the moment (RFC 3207 4). The session stands as it was.
    if (options.encrypt === "offered" && reply.code !== 421) return false;
    throw new Stop({ end: "refused", phase: "starttls", reply });
  }
  const happened = yield { want: "tls" };
  if (happened.got === "done") return true;
  throw new Stop({ end: "lost", phase: "tls", ...lossOf(happened) });
}
