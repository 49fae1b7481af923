// The name of an attachment as a stranger's disk will see it. Folders are cut off, as every reader of mail would have to; what would
// show another name than it has, or cannot be saved everywhere, is refused and not mended in silence.
import {
  type HeaderText,
  type Parsed,
  parseHeaderText,
  refused,
} from "../mail/compose/headerText.ts";

const FILENAME_MAX = 255;

/** Marks that turn the direction of what follows: `exe.gpj` behind one of them is shown as `jpg.exe`, or the other way round. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/;
/** What Windows takes for a device, with any ending. */
const DEVICE =
  /^(?:con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(?:\.|$)/i;

/** Empty stays empty: an attachment need not have a name. */
export function parseFilename(text: string): Parsed<HeaderText> {
  const parsed = parseHeaderText("The filename", text);
  if (parsed.kind === "refused") return parsed;
  const name = text.slice(Math.max(text.lastIndexOf("/"), text.lastIndexOf("\\")) + 1);
  if (name === "" && text !== "") return refused("The filename is that of a folder.");
  if (name === "." || name === "..") return refused("The filename is that of a folder.");
  if (name.length > FILENAME_MAX)
    return refused(`The filename is longer than ${FILENAME_MAX} characters.`);
  if (TURNING.test(name))
    return refused(
      "The filename holds a mark that turns its direction: it would be shown as another.",
    );
  if (DEVICE.test(name))
    return refused("The filename is that of a device on Windows, where nobody could save it.");
  // Part of a text that is one: no surrogate pair spans a slash.
  return { kind: "ok", value: name as HeaderText };
}
