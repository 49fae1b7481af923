// The plain-text part of a message that has only html. The reader of html is loaded when the first such message comes; what it is given
// is bounded, since its time grows with the tags and nothing else may run meanwhile.
type Convert = (html: string) => string;

/** About where Gmail clips a message; larger html gets no text part. */
const HTML_MAX = 131_072;
/** The usual newsletter has 3000; so many cost some 50 ms. */
const TAGS_MAX = 10_000;
/** What is nested deeper is left out. */
const DEPTH_MAX = 500;

let convert: Convert | undefined;

/** Null: there is none, or it would take too long. A promise only the first time. */
export function plainText(html: string): string | null | Promise<string | null> {
  if (html.length > HTML_MAX || tagsExceed(html, TAGS_MAX)) return null;
  if (convert !== undefined) return converted(convert, html);
  return load().then((loaded) => converted((convert = loaded), html));
}

function converted(run: Convert, html: string): string | null {
  const text = run(html).trim();
  return text === "" ? null : `${text}\n`;
}

function tagsExceed(html: string, max: number): boolean {
  let count = 0;
  for (let at = html.indexOf("<"); at >= 0; at = html.indexOf("<", at + 1))
    if (++count > max) return true;
  return false;
}

async function load(): Promise<Convert> {
  const { compile } = await import("html-to-text");
  const heading = { options: { uppercase: false } };
  return compile({
    // Lines are folded by the encoding; readers wrap them as wide as they are.
    wordwrap: false,
    limits: { maxDepth: DEPTH_MAX, maxChildNodes: TAGS_MAX, ellipsis: "" },
    formatters: {
      // A picture is what it is called; its address says nothing to a reader, or tracks.
      alternative: (element, _walk, builder) => {
        const text = (element.attribs as Readonly<Record<string, unknown>>)["alt"];
        if (typeof text === "string" && text !== "") builder.addInline(text);
      },
    },
    selectors: [
      { selector: "img", format: "alternative" },
      // As RFC 3986 appendix C delimits addresses in text.
      {
        selector: "a",
        options: { hideLinkHrefIfSameAsText: true, noAnchorUrl: true, linkBrackets: ["<", ">"] },
      },
      ...["h1", "h2", "h3", "h4", "h5", "h6"].map((selector) => ({ selector, ...heading })),
      { selector: "table", options: { uppercaseHeaderCells: false } },
    ],
  });
}
