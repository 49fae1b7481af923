// What a sender was warned of stands with the message, and with the event of its acceptance.
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { EventView } from "../../src/mail/eventView.ts";
import type { EmailView, ListView } from "../../src/mail/query.ts";
import { attempt, createStage, type Stage, view } from "./stage.ts";

let stage: Stage;
beforeEach(() => void (stage = createStage()));
afterEach(() => stage.remove());

test("warnings are told with the message and with its first event", async () => {
  const { id, uuid } = stage.accept({ facts: { warnings: ["from_not_aligned"] } });
  stage.settle(id, { step: attempt() });
  const email = await view<EmailView>(stage.reader.ask({ ask: "email", id: uuid }));
  expect(email.warnings).toEqual(["from_not_aligned"]);
  const { data } = await view<ListView<EventView>>(stage.reader.ask({ ask: "events", id: uuid }));
  expect(data.map(({ type, data }) => [type, data.postrider.warnings])).toEqual([
    ["email.sent", ["from_not_aligned"]],
    ["email.attempted", []],
    ["email.delivered", []],
  ]);
});

test("a message that nobody was warned of says so", async () => {
  const { uuid } = stage.accept();
  const email = await view<EmailView>(stage.reader.ask({ ask: "email", id: uuid }));
  expect(email.warnings).toEqual([]);
});
