// Reports that came back, matched to their messages; and those that say what is not so.
import { afterEach, beforeEach, expect, test } from "bun:test";
import fc from "fast-check";
import type { Finding, ReportView } from "../../src/mail/report.ts";
import { createStage, type Sketch, type Stage, view } from "./stage.ts";

let stage: Stage;
beforeEach(() => void (stage = createStage()));
afterEach(() => stage.remove());

const bytesOf = (text: string): Uint8Array =>
  new TextEncoder().encode(text.replaceAll(/\r?\n/g, "\r\n"));

const ask = (text: string, ...to: readonly string[]): Promise<ReportView> =>
  view(stage.reader.ask({ ask: "report", bytes: bytesOf(text), to }));

const outcomes = ({ findings }: ReportView): string[] => findings.map(({ outcome }) => outcome);

const about = (finding: Finding | undefined) =>
  finding?.outcome === "matched" ? finding.about : undefined;

interface Bounce {
  readonly to?: string;
  readonly recipient?: string;
  readonly original?: string;
  readonly action?: string;
  readonly status?: string;
  readonly header?: string;
}

/** As Postfix writes it. */
function bounce(given: Bounce): string {
  const { to = "bounce@s.example", recipient = "ann@example.com", action = "failed" } = given;
  const { status = "5.1.1", header = "", original } = given;
  return `From: MAILER-DAEMON@mx.example.com
To: ${to}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="B/1"

--B/1
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you

--B/1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
X-Postfix-Queue-ID: 4F2D

Final-Recipient: rfc822; ${recipient}
${original === undefined ? "" : `Original-Recipient: rfc822;${original}\n`}Action: ${action}
Status: ${status}
Remote-MTA: dns; inner.example.com
Diagnostic-Code: smtp; 550 ${status} <ann@example.com>: Recipient address
    rejected: User unknown

--B/1
Content-Type: text/rfc822-headers

${header}

--B/1--
`;
}

interface Complaint {
  readonly type?: string;
  readonly fields?: string;
  readonly header?: string;
}

function complaint({ type = "abuse", fields = "", header = "" }: Complaint): string {
  return `From: feedback@example.com
To: fbl@s.example
Subject: FW: Hi
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="B"

--B
Content-Type: text/plain

This is an email abuse report.

--B
Content-Type: message/feedback-report

Feedback-Type: ${type}
User-Agent: SomeFBL/0.1
Version: 1
${fields}

--B
Content-Type: message/rfc822
Content-Disposition: inline

${header}

Hello
--B--
`;
}

const verp: Sketch = { sender: "bounces+{id}@s.example" };
const headerOf = (uuid: string, more = "From: Shop <shop@s.example>\nSubject: Hi"): string =>
  `Received: from sender.example\nMessage-ID: <${uuid}@mail.s.example>\n${more}`;

test("a bounce is matched by the address that its message left with", async () => {
  const { uuid, id } = stage.accept(verp);
  const found = await ask(bounce({ to: `bounces+${uuid}@s.example` }));
  expect(found).toEqual({
    kind: "dsn",
    findings: [
      {
        outcome: "matched",
        about: {
          ...{ message: id, email_id: uuid, n: 0, recipient: "ann@example.com" },
          ...{ report: "bounced", enhanced: "5.1.1", by: "inner.example.com", suppress: true },
          text: "550 5.1.1 <ann@example.com>: Recipient address rejected: User unknown",
        },
      },
    ],
  });
  const handedOn = await ask(bounce({}), `Bounces+${uuid}@S.example`);
  expect(outcomes(handedOn)).toEqual(["matched"]);
});

test("a bounce is matched by the header that it brings back, also of a caller's own Message-ID", async () => {
  const { uuid } = stage.accept();
  expect(outcomes(await ask(bounce({ header: headerOf(uuid) })))).toEqual(["matched"]);
  const own = stage.accept({ facts: { message_id: "<order-7@shop.example>" } });
  const header = "Message-ID: <order-7@shop.example>\nFrom: shop@s.example\nSubject: [SPAM] Hi";
  const found = await ask(bounce({ header }));
  expect(about(found.findings[0])?.email_id).toBe(own.uuid);
});

test("a sender and a recipient are the same in each spelling of the domain", async () => {
  const facts = { from: "Shop <shop@bücher.example>", message_id: "<order-8@shop.example>" };
  const { uuid } = stage.accept({ to: ["ann@xn--mnchen-3ya.example"], facts });
  const header =
    "Message-ID: <order-8@shop.example>\nFrom: Shop <shop@xn--bcher-kva.example>\nSubject: Hi";
  const found = await ask(bounce({ header, recipient: "Ann@München.example" }));
  expect(about(found.findings[0])?.email_id).toBe(uuid);
});

test("what was asked for may have gone on to somebody else: the original recipient counts", async () => {
  const { uuid } = stage.accept(verp);
  const to = `bounces+${uuid}@s.example`;
  const forwarded = { to, recipient: "ann@elsewhere.example" };
  expect(outcomes(await ask(bounce(forwarded)))).toEqual(["unmatched"]);
  const found = await ask(bounce({ ...forwarded, original: "ANN@example.com" }));
  expect(about(found.findings[0])?.recipient).toBe("ann@example.com");
});

test("a bounce is read as the world writes it", async () => {
  const { uuid } = stage.accept({ ...verp, to: ["josé@example.com", "bob@example.com"] });
  const to = `bounces+${uuid}@s.example`;
  const status = /Reporting-MTA:[\s\S]*User unknown/;
  const failed = "Action: failed\nStatus: 5.1.1";
  const odd = {
    "all in one group": `Reporting-MTA: dns; a.example\nFinal-Recipient: rfc822; bob@example.com\n${failed}`,
    "nothing about the message": `Final-Recipient: rfc822; bob@example.com\n${failed}`,
    "with comments": `Reporting-MTA: dns; a.example (A)\n\nFinal-Recipient: rfc822; bob@example.com (Bob)
Action: failed (for good)\nStatus: 5.1.1 (no such user)`,
    "beyond ASCII": `Reporting-MTA: dns; a.example\n\nFinal-Recipient: utf-8; josé@example.com\n${failed}`,
    "beyond ASCII in ASCII (RFC 6533)": `Reporting-MTA: dns; a.example

Original-Recipient: utf-8;jos\\x{E9}@example.com\nFinal-Recipient: rfc822;x@y.example\n${failed}`,
  };
  for (const [what, text] of Object.entries(odd)) {
    const { findings } = await ask(bounce({ to }).replace(status, () => text));
    expect([what, ...findings.map((one) => about(one)?.suppress)]).toEqual([what, true]);
  }
  const empty = await ask(bounce({ to }).replace(status, "Reporting-MTA: dns; a.example"));
  expect(outcomes(empty)).toEqual(["unmatched"]);
});

test("only the status of a mailbox that is not there suppresses", async () => {
  const { uuid } = stage.accept(verp);
  const to = `bounces+${uuid}@s.example`;
  const statuses = ["5.1.1", "5.1.10", "5.1.2", "5.1.7", "5.2.2", "5.7.1", "5.4.4", "4.4.7", "5"];
  const suppressed: string[] = [];
  for (const status of statuses) {
    const [finding] = (await ask(bounce({ to, status }))).findings;
    if (about(finding)?.suppress === true) suppressed.push(status);
    expect(finding?.outcome).toBe("matched");
  }
  expect(suppressed).toEqual(["5.1.1", "5.1.10"]);
});

test("a delay, and the word that it was delivered, are no failures", async () => {
  const { uuid } = stage.accept(verp);
  const to = `bounces+${uuid}@s.example`;
  for (const action of ["delayed", "delivered", "relayed", "expanded", ""])
    expect(outcomes(await ask(bounce({ to, action, status: "4.0.0" })))).toEqual(["ignored"]);
});

test("a complaint is matched by its return path, its header, and the recipient that it names", async () => {
  const { uuid } = stage.accept({ ...verp, to: ["ann@example.com", "bob@example.com"] });
  const fields = `Original-Mail-From: <bounces+${uuid}@s.example>\nOriginal-Rcpt-To: <bob@example.com>`;
  const found = await ask(complaint({ fields, header: headerOf(uuid) }));
  expect(found.kind).toBe("arf");
  expect(about(found.findings[0])).toMatchObject({
    ...{ recipient: "bob@example.com", report: "complained", suppress: true },
    ...{ enhanced: "", text: "abuse (SomeFBL/0.1)" },
  });
  const unnamed = await ask(complaint({ header: headerOf(uuid) }));
  expect(outcomes(unnamed)).toEqual(["unmatched"]);
  const single = stage.accept();
  const hidden = { fields: "Original-Rcpt-To: <redacted@x>", header: headerOf(single.uuid) };
  expect(about((await ask(complaint(hidden))).findings[0])?.email_id).toBe(single.uuid);
});

test("that mail is no spam, or that a signature failed, is no complaint", async () => {
  const { uuid } = stage.accept();
  for (const type of ["not-spam", "auth-failure", "dmarc", ""])
    expect(outcomes(await ask(complaint({ type, header: headerOf(uuid) })))).toEqual(["ignored"]);
});

test("a report about mail that is not ours, or no report at all, matches nothing", async () => {
  stage.accept();
  const foreign = "Message-ID: <1@elsewhere.example>\nFrom: shop@s.example\nSubject: Hi";
  expect(outcomes(await ask(bounce({ header: foreign })))).toEqual(["unmatched"]);
  expect(await ask("From: ann@example.com\nSubject: I am away\n\nUntil Monday")).toMatchObject({
    kind: "other",
    findings: [{ outcome: "unmatched" }],
  });
});

test("who names a message of ours and is wrong about it is not believed", async () => {
  const { uuid } = stage.accept();
  const other = stage.accept(verp);
  const forged = [
    // Guessed from the id of another message: without what stood in it.
    bounce({ header: `Message-ID: <${uuid}@mail.s.example>` }),
    bounce({ header: headerOf(uuid, "From: eve@evil.example\nSubject: Hi") }),
    bounce({ header: headerOf(uuid, "From: shop@s.example\nSubject: Something else") }),
    // The return path of one message, and the header of another.
    bounce({ to: `bounces+${other.uuid}@s.example`, header: headerOf(uuid) }),
  ];
  for (const text of forged) expect(outcomes(await ask(text))).toEqual(["forged"]);
  const elsewhere = [
    // A return path that no message left with, and an id of another host.
    bounce({ to: `bounces+${uuid}@s.example` }),
    bounce({ header: headerOf(uuid).replace("mail.s.example", "evil.example") }),
    bounce({ to: `bounces+${other.uuid}@s.example`, recipient: "victim@example.com" }),
  ];
  for (const text of elsewhere) expect(outcomes(await ask(text))).toEqual(["unmatched"]);
});

test("words from outside cannot steer a terminal, and are bounded", async () => {
  const { uuid } = stage.accept(verp);
  const text = bounce({ to: `bounces+${uuid}@s.example` })
    .replace("Recipient address", `\u001b[2J\u202e${"x".repeat(5000)}`)
    .replace("inner.example.com", `\u0007inner`);
  const found = about((await ask(text)).findings[0]);
  expect(found?.text.length).toBeLessThanOrEqual(300);
  expect(`${found?.text}${found?.by}`).not.toMatch(/[\u0000-\u001f\u202e]/);
});

test("ten thousand recipients, parts and fields end in bounded time and bounded answers", async () => {
  const { uuid } = stage.accept(verp);
  const to = `bounces+${uuid}@s.example`;
  const groups = "Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n\n";
  const many = bounce({ to }).replace(
    "Final-Recipient:",
    `${groups.repeat(10_000)}Final-Recipient:`,
  );
  expect((await ask(many)).findings.length).toBe(100);
  const deep = Array.from({ length: 300 }, (_, i) => {
    return `Content-Type: multipart/mixed; boundary="b${i}"\n\n--b${i}\n`;
  }).join("");
  expect((await ask(`To: ${to}\n${deep}`)).kind).toBe("other");
  const fields = Array.from({ length: 20_000 }, (_, i) => `X-${i}: y`).join("\n");
  expect((await ask(complaint({ fields }))).kind).toBe("arf");
});

test("whatever a report is made of, it is answered, and nothing is matched by chance", async () => {
  const { uuid } = stage.accept(verp);
  const whole = bounce({ to: `bounces+${uuid}@s.example`, header: headerOf(uuid) });
  const cut = fc.tuple(fc.nat(whole.length), fc.nat(40), fc.string({ maxLength: 40 }));
  await fc.assert(
    fc.asyncProperty(fc.array(cut, { maxLength: 6 }), async (cuts) => {
      let text = whole;
      for (const [at, length, words] of cuts)
        text = text.slice(0, at) + words + text.slice(at + length);
      const { findings } = await ask(text);
      for (const finding of findings)
        if (finding.outcome === "matched") expect(finding.about.recipient).toBe("ann@example.com");
    }),
    { numRuns: 300 },
  );
  const bytes = fc.uint8Array({ maxLength: 3000 });
  await fc.assert(
    fc.asyncProperty(bytes, async (raw) => {
      const found: ReportView = await view(stage.reader.ask({ ask: "report", bytes: raw, to: [] }));
      expect(found.findings.every(({ outcome }) => outcome !== "matched")).toBe(true);
    }),
    { numRuns: 100 },
  );
});
