// Resend's dialect of a message: what its packages send, older versions and those of other languages included, in our fields. What
// it means stays the same, so nothing is dropped here but what says nothing.

/** Names that packages gave attachments before they were settled. */
const attachmentNames: Readonly<Record<string, string>> = {
  contentType: "content_type",
  contentId: "content_id",
  inlineContentId: "content_id",
  inline_content_id: "content_id",
};

/** Anything else than an object comes back as it is: the schema says what is wrong with it. */
export function fromResend(body: unknown): unknown {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body;
  const message = withoutNulls(body);
  const { attachments } = message;
  if (!Array.isArray(attachments)) return message;
  return { ...message, attachments: attachments.map(attachment) };
}

function attachment(given: unknown): unknown {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return given;
  const entries = Object.entries(withoutNulls(given)).map(([name, value]) => {
    const known = Object.hasOwn(attachmentNames, name) ? attachmentNames[name] : undefined;
    return [known !== undefined && !(known in given) ? known : name, value];
  });
  // Packages of languages without `undefined` write an empty one beside the content, too.
  const isHere = "content" in given && given.content !== null;
  if (isHere && "path" in given && given.path === "")
    return Object.fromEntries(entries.filter(([name]) => name !== "path")) as unknown;
  return Object.fromEntries(entries) as unknown;
}

/** Packages of languages without `undefined` write null for what was not given. */
function withoutNulls(given: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}
