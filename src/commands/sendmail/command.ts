// `postrider sendmail` among the commands: its help. Its options are sendmail's own and are read in options.ts, before the parser of all
// other commands could misread them.
import type { Command } from "commander";

const OPTIONS = `
Options:
  -t             the recipients are those of To, Cc and Bcc, besides the arguments
  -i, -oi        a line with a single dot does not end the message
  -f ADDRESS     the envelope's sender; <> for none
  -F NAME        the name beside the address, where the message has no From
  -bs            speak SMTP on standard input and output
  -bp            list what waits, as mailq does
  -q             try everything that waits now
  -N NOTICES     ask for notices: never, or some of success,failure,delay
  -R full|hdrs   how much of the message a failure notice brings back
  -V ENVID       a name for these notices
Others that sendmail knows are taken and ignored; it prints nothing, so there is no --json.

While the daemon is down, the message waits in the pickup folder and is sent once it is up.
Exit codes are those of sysexits.h: 0 taken, 64 usage, 65 message refused, 69 no daemon and
no pickup folder, 74 input error, 75 try again later, 77 not permitted, 78 settings.

Example:
  postrider sendmail -t < message.eml`;

export function addSendmail(program: Command): void {
  program
    .command("sendmail [arguments...]")
    .description("take a message as other sendmails do; also by that name")
    .addHelpText("after", OPTIONS);
}
