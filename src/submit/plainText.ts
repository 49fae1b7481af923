// The plain-text part of a message that has only html. The reader of html is loaded when the first such message comes; what it is given
// is bounded, since its time grows with the tags and nothing else may run meanwhile.
import type { Clock } from "../base/clock.ts";

type Convert = (html: string) => string;

/** About where Gmail clips a message; larger html gets no text part. */
const HTML_MAX = 131_072;
/** The usual newsletter has 3000; so many cost some 50 ms. */
const TAGS_MAX = 10_000;
/** What is nested deeper is left out. */
const DEPTH_MAX = 500;
/** Characters of html after which whoever else waits has a turn: a batch may hold hundreds of newsletters. */
const TURN_MAX = 65_536;

/** Null: there is none, or it would take too long. A promise for the first message, and after much html. */
export type PlainText = (html: string) => string | null | Promise<string | null>;

export function createPlainText({ soon }: Pick<Clock, "soon">): PlainText {
  let convert: Convert | undefined;
  let taken = 0;
  const convertNow = (run: Convert, html: string): string | null => {
    taken += html.length;
    const text = run(html).trim();
    return text === "" ? null : `${text}\n`;
  };
  const convertLater = (run: Convert, html: string): Promise<string | null> =>
    new Promise((resolve, reject) => {
      soon(() => {
        taken = 0;
        try {
          resolve(convertNow(run, html));
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  return (html) => {
    if (html.length > HTML_MAX || tagsExceed(html, TAGS_MAX)) return null;
    if (convert === undefined)
      return load().then((loaded) => convertLater((convert = loaded), html));
    return taken > TURN_MAX ? convertLater(convert, html) : convertNow(convert, html);
  };
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
      // Tables lay mail out more often than they hold data: a cell is some words of its row.
      cell: (element, walk, builder) => {
        walk(element.children, builder);
        builder.addInline(" ");
      },
    },
    selectors: [
      { selector: "title", format: "skip" },
      { selector: "img", format: "alternative" },
      // As RFC 3986 appendix C delimits addresses in text.
      {
        selector: "a",
        options: { hideLinkHrefIfSameAsText: true, noAnchorUrl: true, linkBrackets: ["<", ">"] },
      },
      ...["h1", "h2", "h3", "h4", "h5", "h6"].map((selector) => ({ selector, ...heading })),
      ...["td", "th"].map((selector) => ({ selector, format: "cell" })),
      {
        selector: "tr",
        format: "block",
        options: { leadingLineBreaks: 1, trailingLineBreaks: 1 },
      },
    ],
  });
}
