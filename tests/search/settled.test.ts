// Which messages are final, as those who wait for them ask.
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { SettledView } from "../../src/mail/query.ts";
import { attempt, createStage, NOW, type Stage, view } from "./stage.ts";

let stage: Stage;
beforeEach(() => void (stage = createStage()));
afterEach(() => stage.remove());

const ask = (...ids: readonly string[]): Promise<SettledView[]> =>
  view(stage.reader.ask({ ask: "settled", ids }));

test("a message is told once its last recipient is final, with each one's last word", async () => {
  const { id, uuid } = stage.accept({ to: ["a@example.com", "b@example.com"] });
  expect(await ask(uuid)).toEqual([]);
  stage.settle(id, { step: attempt({ text: "taken" }) });
  expect(await ask(uuid)).toEqual([]);
  stage.settle(id, { n: 1, next: { at: "bounced", endedAt: NOW + 9, attempts: 1 } });
  expect(await ask(uuid)).toEqual([
    {
      id: uuid,
      status: "delivered",
      recipients: [
        { address: "a@example.com", status: "delivered", last: "250 2.0.0 taken" },
        { address: "b@example.com", status: "bounced", last: null },
      ],
    },
  ]);
});

test("ids that are not known are left out", async () => {
  expect(await ask("x", stage.uuid(1), "00000000-0000-7000-8000-000000000000")).toEqual([]);
});
