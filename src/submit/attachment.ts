// One attachment as callers write it: its content in the request, or by URL where the settings allow that.
import { z } from "zod";
import { parseContentId, parseMediaType } from "../mail/compose/contentType.ts";
import { contentOf, type StoredContent } from "./content.ts";
import { type Context, fault, take } from "./fieldFault.ts";
import { parseFilename } from "./filename.ts";
import { type AttachmentUrls, nameInUrl, parseRemote, type RemoteContent } from "./remote.ts";

const BAD = "invalid_attachment";
const CONTENT_HELP = "Base64, or a list of bytes; a byte string in CBOR.";
const CONTENT_FORMS = [
  { type: "string", contentEncoding: "base64" },
  { type: "array", items: { type: "integer", minimum: 0, maximum: 255 } },
];

export function attachmentField(urls: AttachmentUrls) {
  return z
    .strictObject({
      filename: z.string().optional(),
      content: z.unknown().meta({ description: CONTENT_HELP, anyOf: CONTENT_FORMS }).optional(),
      content_type: z.string().optional(),
      content_id: z.string().optional(),
      path: z
        .string()
        .meta({ description: "A URL, in place of the content, where attachment_urls allows it." })
        .optional(),
    })
    .transform((given, context) => {
      const { content_type: type, content_id: id, path } = given;
      const name = parseFilename(given.filename ?? (path === undefined ? "" : nameInUrl(path)));
      return {
        filename: take(context, name, BAD, ["filename"]),
        content: contentFrom(urls, given, context),
        contentType:
          type === undefined
            ? null
            : take(context, parseMediaType("The content_type", type), BAD, ["content_type"]),
        contentId:
          id === undefined
            ? null
            : take(context, parseContentId("The content_id", id), BAD, ["content_id"]),
      };
    });
}

function contentFrom(
  urls: AttachmentUrls,
  { content, path }: { readonly content?: unknown; readonly path?: string | undefined },
  context: Context,
): Uint8Array | StoredContent | RemoteContent {
  if (path === undefined && content === undefined)
    return fault(context, "missing_required_field", "An attachment needs its content.", [
      "content",
    ]);
  if (path === undefined) return take(context, contentOf(content), BAD, ["content"]);
  const code = urls === "off" ? "unsupported_field" : BAD;
  if (content === undefined) return take(context, parseRemote(urls, path), code, ["path"]);
  return fault(context, "conflict", "Give the content or a path, not both.", ["path"]);
}
