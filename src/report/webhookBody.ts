// What is sent stays below what receivers take: Standard Webhooks advises 20 kB. Only a message to very many recipients, or with very
// large metadata, comes near it; what is cut is said.
import type { EventView } from "../mail/eventView.ts";

const BODY_BYTES_MAX = 20_000;
/** Recipients that stay, and characters of the subject and of the last word. */
const TO_MAX = 20;
const TEXT_MAX = 500;

export function fitBody(body: string): string {
  if (Buffer.byteLength(body) <= BODY_BYTES_MAX) return body;
  const view = JSON.parse(body) as EventView;
  const { data } = view;
  const { postrider, bounce } = data;
  const cut = {
    ...view,
    data: {
      ...data,
      from: data.from.slice(0, TEXT_MAX),
      to: data.to.slice(0, TO_MAX),
      subject: data.subject.slice(0, TEXT_MAX),
      tags: {},
      ...(bounce === undefined
        ? {}
        : {
            bounce: { ...bounce, message: bounce.message.slice(0, TEXT_MAX), diagnosticCode: [] },
          }),
      postrider: {
        ...postrider,
        metadata: null,
        text: postrider.text === null ? null : postrider.text.slice(0, TEXT_MAX),
        truncated: true,
        recipients: data.to.length,
      },
    },
  };
  return JSON.stringify(cut);
}
