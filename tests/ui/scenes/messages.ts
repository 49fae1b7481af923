// Messages in several states; what strangers write in them is as hostile as it can be.
import type { EmailView } from "../../../src/mail/query.ts";
import { at } from "./instants.ts";

export const MESSAGE = "019ab0f2-7c1e-7a4b-8d22-5e0f9a1c3b7d";
export const DONE = "019ab0f2-1111-7a4b-8d22-5e0f9a1c3b7d";
const HELD = "019ab0e0-2222-7a4b-8d22-5e0f9a1c3b7d";
export const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

export const email: EmailView = {
  object: "email",
  id: MESSAGE,
  message_id: `<${MESSAGE}@mail.example.com>`,
  from: "Example Shop <orders@shop.example>",
  to: ["ann@example.org", "bert@example.net"],
  cc: null,
  bcc: null,
  reply_to: null,
  subject: "Your order 4711 is on its way",
  html: null,
  text: null,
  tags: [{ name: "campaign", value: "orders" }],
  created_at: at(620),
  scheduled_at: null,
  last_event: "delivery_delayed",
  recipients: [
    {
      ...{ address: "ann@example.org", state: "deferred", attempts: 2 },
      next_attempt_at: at(-211),
      last: "451 4.7.1 Greylisted, try again in 5 minutes",
    },
    {
      ...{ address: "bert@example.net", state: "delivered", attempts: 1, next_attempt_at: null },
      last: "250 2.0.0 Ok: queued as 4XyZ12",
    },
  ],
  priority: "p0",
  reference: "order-4711",
  metadata: null,
  warnings: ["no_text_part"],
};

export const emails: readonly EmailView[] = [
  email,
  {
    ...email,
    id: DONE,
    // Whatever strangers write is text.
    subject: `<img src=x onerror="document.title='taken'"> Zażółć gęślą jaźń 請查收`,
    from: "billing@shop.example",
    reference: null,
    created_at: at(700),
    recipients: [
      {
        ...{ address: "someone-with-a-very-long-name@subdomain.of.a.long.domain.example" },
        ...{ state: "bounced", attempts: 1, next_attempt_at: null },
        last: "550 5.1.1 <someone>: Recipient address rejected: User unknown",
      },
    ],
  },
  {
    ...email,
    id: HELD,
    subject: "",
    created_at: at(8000),
    reference: "invoice-2026-11",
    recipients: [
      ...["c", "d", "e"].map((name) => ({
        ...{ address: `${name}@example.com`, state: "held" as const, attempts: 0 },
        ...{ next_attempt_at: null, last: null },
      })),
    ],
  },
];
