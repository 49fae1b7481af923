import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { serverLimits, serverTimeouts } from "../../../src/smtp/server/phases.ts";
import { said } from "../../../src/smtp/server/said.ts";
import type { Decision } from "../../../src/submit/smtp/connection.ts";
import { createClient, LOGIN, MAIL, settle } from "./client.ts";

const BODY = "Subject: a\r\n\r\nHello\r\n..stuffed\r\n";
const OPENED = [220, 250, 235];

describe("a session goes on, however its octets come:", () => {
  const script = `${LOGIN}${MAIL}`;
  test("in one packet, with the message behind it", async () => {
    const client = createClient();
    await client.send(`${script}${BODY}.\r\n${MAIL}${BODY}.\r\nQUIT\r\n`);
    const one = [250, 250, 354, 250];
    expect(client.codes()).toEqual([...OPENED, ...one, ...one, 221]);
    expect(client.came.map(({ text }) => text)).toEqual(Array(2).fill(BODY.replace("..", ".")));
    expect(client.state()).toBe("ended");
    expect(client.clock.waiting()).toBe(0);
  });
  test("octet by octet", async () => {
    const client = createClient();
    await client.trickle(`${script}${BODY}.\r\nQUIT\r\n`);
    expect(client.codes()).toEqual([...OPENED, 250, 250, 354, 250, 221]);
    expect(client.came[0]?.text).toBe(BODY.replace("..", "."));
  });
  test("in any pieces", async () => {
    const whole = `${script}${BODY}.\r\n${MAIL}${BODY}.\r\nQUIT\r\n`;
    const expected = createClient();
    await expected.send(whole);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(whole.length), { maxLength: 6 }), async (cuts) => {
        const client = createClient();
        const places = [...new Set([0, ...cuts, whole.length])].sort((a, b) => a - b);
        for (let i = 1; i < places.length; i++)
          await client.send(whole.slice(places[i - 1], places[i]));
        expect(client.told()).toBe(expected.told());
        expect(client.came).toEqual(expected.came);
      }),
      { numRuns: 60 },
    );
  });
});

test("replies to one packet leave in one write", async () => {
  const client = createClient();
  await client.send(LOGIN);
  client.fresh();
  await client.send(MAIL);
  expect(client.fresh()).toBe("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End with CR LF . CR LF\r\n");
});

test("nothing is said of a message before its commit", async () => {
  let commit: (decision: Decision) => void = () => {};
  const client = createClient({ end: () => new Promise((resolve) => (commit = resolve)) });
  await client.send(`${LOGIN}${MAIL}${BODY}.\r\nNOOP\r\n`);
  expect(client.codes()).toEqual([...OPENED, 250, 250, 354]);
  expect(client.came[0]?.ended).toBe(true);
  commit({ got: "yes", value: "the-id" });
  await settle();
  expect(client.told()).toEndWith("250 2.0.0 Ok: queued as the-id\r\n250 2.0.0 Ok\r\n");
});

describe("a client that vanishes", () => {
  for (const where of ["", "Sub", BODY, `${BODY}.`, `${BODY}.\r`])
    test(`behind ${JSON.stringify(where)} leaves nothing`, async () => {
      const client = createClient();
      await client.send(`${LOGIN}${MAIL}${where}`);
      client.connection.closed();
      await settle();
      expect(client.came).toMatchObject([{ ended: false, discarded: true }]);
      expect(client.connection.busy()).toBe(false);
      expect(client.clock.waiting()).toBe(0);
    });
  test("while its message is committed changes nothing for it", async () => {
    let commit: (decision: Decision) => void = () => {};
    const client = createClient({ end: () => new Promise((resolve) => (commit = resolve)) });
    await client.send(`${LOGIN}${MAIL}${BODY}.\r\n`);
    client.connection.closed();
    commit({ got: "yes", value: "id" });
    await settle();
    expect(client.came).toMatchObject([{ ended: true, discarded: false }]);
    expect(client.failures).toEqual([]);
  });
  test("only for what it sends still hears its answers", async () => {
    const client = createClient();
    await client.send(`${LOGIN}${MAIL}${BODY}.\r\n`);
    client.connection.ended();
    await settle();
    expect(client.codes()).toEqual([...OPENED, 250, 250, 354, 250]);
    expect(client.state()).toBe("ended");
  });
});

describe("bare line ends:", () => {
  for (const text of ["a\nb\r\n", "a\rb\r\n", "a\n.b\r\n"])
    test(`${JSON.stringify(text)} in a message is refused, and the session goes on`, async () => {
      const client = createClient();
      await client.send(`${LOGIN}${MAIL}${text}.\r\n${MAIL}${BODY}.\r\n`);
      expect(client.codes()).toEqual([...OPENED, 250, 250, 354, 550, 250, 250, 354, 250]);
      expect(client.told()).toContain("RFC 5321 2.3.8");
      expect(client.came.map(({ ended, discarded }) => ended !== discarded)).toEqual([true, true]);
      expect(client.came[0]?.discarded).toBe(true);
    });
  for (const torn of ["\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r"])
    test(`a message behind ${JSON.stringify(torn)} is not smuggled in`, async () => {
      const client = createClient();
      await client.send(`${LOGIN}${MAIL}a${torn}${MAIL}evil\r\n.\r\n`);
      expect(client.codes()).toEqual([...OPENED, 250, 250, 354, 550]);
      expect(client.came).toMatchObject([{ ended: false, discarded: true }]);
      expect(client.state()).toBe("ended");
    });
  for (const line of ["NOOP\n", "NO\rOP\r\n", "NOOP\r\r\n", "\n", "NOOP \0\r\n", "NOOP \xff\r\n"])
    test(`${JSON.stringify(line)} as a command ends the session`, async () => {
      const client = createClient();
      await client.send(`${LOGIN}${line}NOOP\r\n`);
      expect(client.codes()).toEqual([...OPENED, 500]);
      expect(client.state()).toBe("ended");
    });
});

describe("sizes:", () => {
  const options = { limits: { ...serverLimits, messageBytes: 100 } };
  test("a message is counted as it comes, without its stuffed dots", async () => {
    const client = createClient({ options });
    const fits = `${"x".repeat(97)}.\r\n`;
    await client.send(`${LOGIN}${MAIL}${fits}.\r\n${MAIL}..${fits}.\r\n`);
    expect(client.codes()).toEqual([...OPENED, 250, 250, 354, 250, 250, 250, 354, 552]);
  });
  test("what is beyond the limit is not kept, and its end is awaited", async () => {
    const client = createClient({ options });
    await client.send(`${LOGIN}${MAIL}${"x".repeat(200)}`);
    expect(client.came).toMatchObject([{ discarded: true, text: "" }]);
    await client.send(`${"x".repeat(200)}\r\n.\r\nNOOP\r\n`);
    expect(client.codes().slice(3)).toEqual([250, 250, 354, 552, 250]);
    expect(client.told()).toContain("552 5.3.4 At most 100 octets");
  });
  test("a client that never stops is not listened to for ever", async () => {
    const client = createClient({ options });
    await client.send(`${LOGIN}${MAIL}`);
    const megabyte = `${"x".repeat(1_000_000)}\r\n`;
    let sent = 0;
    while (client.state() === "open" && sent < 100) {
      await client.send(megabyte);
      sent++;
    }
    expect(sent).toBe(17);
    expect(client.codes().at(-1)).toBe(552);
  });
  test("a line that has no end is not kept", async () => {
    const client = createClient();
    await client.send("x".repeat(serverLimits.lineOctets));
    expect(client.codes()).toEqual([220]);
    await client.send("x");
    expect(client.codes()).toEqual([220, 500]);
    expect(client.state()).toBe("ended");
  });
});

describe("time:", () => {
  test("who does not log in is told to go, however busy", async () => {
    const client = createClient();
    for (let i = 0; i < 12; i++) {
      await client.send("NOOP\r\n");
      await client.pass(serverTimeouts.stranger / 10);
    }
    expect(client.codes().at(-1)).toBe(421);
    expect(client.state()).toBe("ended");
  });
  test("a client that is logged in may be idle for five minutes", async () => {
    const client = createClient();
    await client.send(LOGIN);
    await client.pass(299_000);
    await client.send("NOOP\r\n");
    await client.pass(299_000);
    expect(client.codes()).toEqual([...OPENED, 250]);
    await client.pass(2_000);
    expect(client.codes()).toEqual([...OPENED, 250, 421]);
  });
  test("a line that comes octet by octet gets no more time", async () => {
    const client = createClient();
    await client.send(LOGIN);
    for (let i = 0; i < 7; i++) {
      await client.send("N");
      await client.pass(50_000);
    }
    expect(client.codes()).toEqual([...OPENED, 421]);
  });
  test("a message whose next block does not come is given up", async () => {
    const client = createClient();
    await client.send(`${LOGIN}${MAIL}Sub`);
    await client.pass(179_000);
    await client.send("ject");
    await client.pass(179_000);
    expect(client.came[0]?.discarded).toBe(false);
    await client.pass(2_000);
    expect(client.came[0]?.discarded).toBe(true);
    expect(client.codes().at(-1)).toBe(421);
    expect(client.refusals).toEqual(["smtp_timeout"]);
  });
  test("a message that drips is given up in the end", async () => {
    const client = createClient();
    await client.send(`${LOGIN}${MAIL}`);
    let drips = 0;
    while (client.state() === "open" && drips < 100) {
      await client.send("x");
      await client.pass(100_000);
      drips++;
    }
    expect(drips).toBe(18);
    expect(client.came[0]?.discarded).toBe(true);
  });
  test("a handshake that does not come to its end is given up", async () => {
    const client = createClient();
    await client.send("EHLO me\r\nSTARTTLS\r\n");
    expect(client.handshakes()).toBe(1);
    await client.pass(serverTimeouts.tls);
    expect(client.state()).toBe("destroyed");
  });
  test("a client that does not read is not told more, and given up", async () => {
    const client = createClient();
    await client.send(LOGIN);
    client.deaf(true);
    await client.send("NOOP\r\n");
    const before = client.told();
    await client.send("NOOP\r\nNOOP\r\n");
    expect(client.told()).toBe(before);
    await client.pass(serverTimeouts.reading);
    expect(client.state()).toBe("destroyed");
  });
  test("a client that reads again is answered", async () => {
    const client = createClient();
    client.deaf(true);
    await client.send("NOOP\r\n");
    await client.send("NOOP\r\nQUIT\r\n");
    client.deaf(false);
    await settle();
    expect(client.codes()).toEqual([220, 250, 250, 221]);
  });
});

describe("STARTTLS:", () => {
  test("what follows it in the same packet is never read", async () => {
    const client = createClient();
    await client.send(`EHLO me\r\nSTARTTLS\r\n${LOGIN}`);
    expect(client.codes()).toEqual([220, 250, 503]);
    expect(client.handshakes()).toBe(0);
    expect(client.state()).toBe("ended");
    expect(client.refusals).toEqual(["smtp_injected"]);
  });
  test("a partial line behind it, too", async () => {
    const client = createClient();
    await client.send("EHLO me\r\nSTARTTLS\r\nMA");
    expect(client.codes()).toEqual([220, 250, 503]);
  });
  test("the session begins anew behind the handshake", async () => {
    const client = createClient();
    await client.send("EHLO me\r\nSTARTTLS\r\n");
    expect(client.codes()).toEqual([220, 250, 220]);
    client.connection.secured();
    await client.send(`MAIL FROM:<a@b>\r\n${LOGIN}${MAIL}${BODY}.\r\n`);
    expect(client.codes().slice(3)).toEqual([503, 250, 235, 250, 250, 354, 250]);
    expect(client.came[0]?.envelope.protocol).toBe("ESMTPSA");
  });
});

describe("the daemon ends:", () => {
  test("idle clients are told to go", async () => {
    const client = createClient();
    await client.send(LOGIN);
    client.connection.drain();
    expect(client.told()).toEndWith("421 4.3.2 The daemon is stopping, try again later\r\n");
    expect(client.state()).toBe("ended");
  });
  test("a message that is under way ends first", async () => {
    const client = createClient();
    await client.send(`${LOGIN}${MAIL}${BODY}`);
    client.connection.drain();
    expect(client.connection.busy()).toBe(true);
    await client.send(".\r\n");
    expect(client.codes()).toEqual([...OPENED, 250, 250, 354, 250, 421]);
    expect(client.connection.busy()).toBe(false);
    expect(client.state()).toBe("ended");
  });
});

test("a decision may take its time, and the replies keep their order", async () => {
  let decide: (decision: Decision) => void = () => {};
  const client = createClient({
    desk: { sender: () => new Promise((resolve) => (decide = resolve)) },
  });
  await client.send(`${LOGIN}MAIL FROM:<a@b>\r\nNOOP\r\n`);
  expect(client.codes()).toEqual(OPENED);
  decide({ got: "no", said: said(450, "4.7.1", "Too fast", "rate_limit_exceeded") });
  await settle();
  expect(client.codes()).toEqual([...OPENED, 450, 250]);
  expect(client.refusals).toEqual(["rate_limit_exceeded"]);
});

test("a disk that fails is our trouble, not the client's", async () => {
  const broken = new Error("EIO");
  const client = createClient({ write: () => Promise.reject(broken) });
  await client.send(`${LOGIN}${MAIL}${BODY}.\r\n`);
  expect(client.codes()[6]).toBe(451);
  expect(client.failures).toEqual([broken]);
  expect(client.came[0]?.discarded).toBe(true);
});

test("a bug of ours costs one client its connection", async () => {
  const bug = new Error("bug");
  const client = createClient({
    desk: {
      recipient() {
        throw bug;
      },
    },
  });
  await client.send(`${LOGIN}${MAIL}`);
  expect(client.failures).toEqual([bug]);
  expect(client.state()).toBe("destroyed");
});

test("a client that sends more than we can take is not read meanwhile", async () => {
  let go: () => void = () => {};
  const client = createClient({ write: () => new Promise((resolve) => (go = resolve)) });
  await client.send(`${LOGIN}${MAIL}${BODY}`);
  await client.send("x".repeat(50_000));
  expect(client.paused()).toBe(false);
  await client.send("x".repeat(100_000));
  expect(client.paused()).toBe(true);
  go();
  await settle();
  expect(client.paused()).toBe(false);
});

test("a client that sends many messages at once is read again, though a line is cut where reading stopped", async () => {
  let go: () => void = () => {};
  const client = createClient({
    end: () => new Promise((resolve) => (go = () => resolve({ got: "yes", value: "ID" }))),
  });
  await client.send(`${LOGIN}${MAIL}${BODY}.\r\n`);
  await client.send(`NOOP ${"x".repeat(1900)}\r\n`.repeat(50).slice(0, -3));
  expect(client.paused()).toBe(true);
  go();
  await settle();
  expect(client.paused()).toBe(false);
});

test("no octets at all make it throw or hang", async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      LOGIN,
      MAIL,
      BODY,
      ".\r\n",
      "\r\n",
      "\n",
      "\r",
      "RSET\r\n",
      "\0",
      "STARTTLS\r\n",
    ),
    fc.string({ unit: "binary", maxLength: 30 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const client = createClient();
      for (const one of pieces) await client.send(one);
      client.connection.closed();
      await settle();
      expect(client.failures).toEqual([]);
      expect(client.connection.busy()).toBe(false);
      expect(client.clock.waiting()).toBe(0);
      for (const { ended, discarded } of client.came) expect(ended || discarded).toBe(true);
    }),
    { numRuns: 300 },
  );
});
