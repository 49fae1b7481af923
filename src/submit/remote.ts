// Attachments by URL: fetched while the request waits, into memory while they are small together and onto the disk beyond that. Where
// they may come from is a setting, and whoever fetches them guards against addresses that only this host can reach.
import type { Clock } from "../base/clock.ts";
import { mediaTypeOf, octetStream, parseMediaType } from "../mail/compose/contentType.ts";
import { type Parsed, refused } from "../mail/compose/headerText.ts";
import { createFileKeeper, type FileKeeper } from "./formParts.ts";
import { type Fault, type Result, ok, pointerOf, problem, problemOf } from "./problem.ts";
import type { Attachments } from "./schema.ts";
import { diskProblem, type Spool } from "./spool.ts";
import type { Attachment } from "../mail/compose/part.ts";

/** What the settings say: nobody, everybody, or these hosts, `*.example.com` for those below a domain. */
export type AttachmentUrls = "off" | "on" | readonly string[];

/** All attachments of a message together may take this long: the caller waits. */
const FETCHING_MAX_MS = 30_000;
const URL_MAX = 2048;

const remote = Symbol("remote content");

/** Octets that are still elsewhere. */
export interface RemoteContent {
  readonly [remote]: true;
  readonly url: string;
}

export function isRemote(content: unknown): content is RemoteContent {
  return typeof content === "object" && content !== null && remote in content;
}

export type Fetched =
  /** `type`: what the server says it is. */
  | { readonly kind: "fetched"; readonly type: string | null }
  /** A sentence for the caller. */
  | { readonly kind: "refused"; readonly why: string };

/** Gives the body of a 200 to `take`, piece by piece, and follows nothing. */
export type FetchAttachment = (ask: {
  readonly url: string;
  readonly bytesMax: number;
  readonly timeoutMs: number;
  take(piece: Uint8Array): void | Promise<void>;
}) => Promise<Fetched>;

/** The URL if it may be fetched; looked at before anything is. */
export function parseRemote(rule: AttachmentUrls, text: string): Parsed<RemoteContent> {
  if (rule === "off")
    return refused(
      "Attachments by path are switched off here (attachment_urls). Send the content.",
    );
  const url = text.length > URL_MAX ? null : URL.parse(text);
  // What comes in clear can be changed on its way.
  if (url?.protocol !== "https:" || /[\s\p{Cc}]/u.test(text))
    return refused(`The path must be a URL with https:// of at most ${URL_MAX} characters.`);
  if (rule !== "on" && !rule.some((host) => covers(host, url.hostname)))
    return refused(`Attachments from ${url.hostname} are not allowed here (attachment_urls).`);
  return { kind: "ok", value: { [remote]: true, url: text } };
}

function covers(rule: string, host: string): boolean {
  return rule.startsWith("*.") ? host.endsWith(rule.slice(1)) : host === rule;
}

/** The last step of the path, decoded where that can be done. */
export function nameInUrl(url: string): string {
  const step = URL.parse(url)?.pathname.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

export interface FetchedAttachments {
  readonly attachments: readonly Attachment[];
  /** Their octets can no longer be read. */
  release(): Promise<void>;
}

export function createFetching(deps: {
  readonly fetchAttachment?: FetchAttachment | undefined;
  readonly spool: Pick<Spool, "scratch">;
  readonly clock: Clock;
  readonly messageBytesMax: number;
}): (given: Attachments) => Promise<Result<FetchedAttachments>> {
  return async (given) => {
    const keeper = createFileKeeper(deps.spool);
    let isKept = false;
    try {
      const fetched = await diskProblem(fetchAll(deps, given, keeper));
      const result = fetched.kind === "ok" ? fetched.value : fetched;
      if (result.kind === "problem") return result;
      isKept = true;
      return ok({ attachments: result.value, release: () => keeper.release() });
    } finally {
      if (!isKept) await keeper.release();
    }
  };
}

/** One after the other, so that one message opens one connection. */
async function fetchAll(
  { fetchAttachment, clock, messageBytesMax }: Parameters<typeof createFetching>[0],
  given: Attachments,
  keeper: FileKeeper,
): Promise<Result<readonly Attachment[]>> {
  const attachments: Attachment[] = [];
  const untilMs = clock.monotonicMs() + FETCHING_MAX_MS;
  let left = messageBytesMax;
  for (const [i, one] of given.entries()) {
    const { content } = one;
    if (!isRemote(content)) {
      attachments.push({ ...one, content });
      continue;
    }
    keeper.begin();
    const got: Fetched = (await fetchAttachment?.({
      url: content.url,
      bytesMax: left,
      timeoutMs: Math.max(0, untilMs - clock.monotonicMs()),
      take(piece) {
        left -= piece.length;
        // A copy: what is stored meanwhile must not change.
        return keeper.add(piece);
      },
    })) ?? { kind: "refused", why: "Nothing is fetched here." };
    if (got.kind === "refused") return problem(problemOf([notFetched(i, got.why)]));
    attachments.push({ ...one, content: keeper.end(), contentType: typeOf(one, got.type) });
  }
  return ok(attachments);
}

/** What the caller says, else what the name says, else what the server says. */
function typeOf({ contentType, filename }: Attachments[number], said: string | null) {
  if (contentType !== null || said === null || mediaTypeOf(filename) !== octetStream)
    return contentType;
  const parsed = parseMediaType("The type", said);
  return parsed.kind === "ok" ? parsed.value : null;
}

function notFetched(index: number, why: string): Fault {
  const pointer = pointerOf(["attachments", index, "path"]);
  return { pointer, code: "invalid_attachment", detail: `It could not be fetched. ${why}` };
}
