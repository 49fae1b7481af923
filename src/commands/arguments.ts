// What stands on the command line and can be judged there: before the daemon is asked, and in the words of the command line.
import { domainToASCII } from "node:url";
import { notAllowed } from "./failure.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function isMessageId(text: string): boolean {
  return UUID.test(text);
}

export function checkedId(argument: string, text: string): string {
  if (isMessageId(text)) return text;
  throw notAllowed(argument, text, "a message's id, as `postrider message list` shows it");
}

/** As it was given; the daemon may still know better, since some names are domains and take no mail. */
export function checkedDomain(
  argument: string,
  text: string,
  allowed = "a domain name such as example.com",
): string {
  if (domainToASCII(text.toLowerCase()) !== "") return text;
  throw notAllowed(argument, text, allowed);
}
