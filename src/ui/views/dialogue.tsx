// What was said in one attempt, as a table: when, how long the answer took, the command, the reply.
import { useState } from "preact/hooks";
import type { ConversationView } from "../../mail/eventView.ts";
import { dialogueRows, dialogueText } from "../model/dialogue.ts";
import { milliseconds } from "../model/format.ts";
import { phaseInWords } from "../model/words.ts";
import { Table } from "../parts/table.tsx";
import { Copy, Mark } from "../parts/words.tsx";

interface DialogueProps {
  readonly conversation: ConversationView;
  /** From the beginning; afterwards it is as the reader leaves it. */
  readonly isOpen: boolean;
}

export function Dialogue({ conversation, isOpen }: DialogueProps) {
  const [open] = useState(isOpen);
  const { host, address, source, reused, exchanges, dropped } = conversation;
  const count = exchanges.length;
  return (
    <details class="dialogue" open={open}>
      <summary>
        Dialogue with {host} [{address}], {count} {count === 1 ? "exchange" : "exchanges"}
      </summary>
      <p class="dim">
        {source === null ? "" : `From ${source}. `}
        {reused ? "The connection had carried mail before. " : ""}
        <Copy text={dialogueText(conversation)} what="the dialogue" />
      </p>
      <Table
        caption={`What was said with ${host}`}
        columns={[
          { name: "At", isNumber: true },
          { name: "Took", isNumber: true },
          { name: "Phase", isWide: true },
          { name: "Command and reply" },
        ]}
      >
        {dialogueRows(conversation).map((one, i) => (
          <tr key={i}>
            <td class="number">{milliseconds(one.sent_ms)}</td>
            <td class="number">
              {one.isSlowest ? (
                <strong title="The slowest">{milliseconds(one.took_ms)}</strong>
              ) : (
                milliseconds(one.took_ms)
              )}
            </td>
            <td class="wide phase">{phaseInWords(one.phase)}</td>
            <td class="lines">
              {one.sent !== "" && (
                <p>
                  <span class="dim">C:</span> {one.sent}
                </p>
              )}
              <p class={one.tone}>
                {one.code !== null && (
                  <>
                    <span class="dim">S:</span> {one.code}{" "}
                  </>
                )}
                {one.reply} {one.isLost && <Mark tone="bad">no reply</Mark>}
              </p>
            </td>
          </tr>
        ))}
      </Table>
      {dropped > 0 && <p class="dim">{dropped} more exchanges are not kept.</p>}
    </details>
  );
}
