// Real messages in many languages, from JSON through the compiled binary to a receiving server, and read there by two programs that
// we did not write. And raw mail, of which not an octet changes but what we put on top.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Taken } from "../../src/sink/dialogue.ts";
import { startSink } from "../../src/sink/server.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { byMailparser, byPython, type ReadMail } from "../fixtures/readMail.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";
import { createEnds, newFolder, post } from "./faultsRig.ts";

const ends = createEnds();
const python = peer("python3");
/** By recipient: each message here has one of its own. */
const taken = new Map<string, Taken>();
let daemon: Daemon;

beforeAll(async () => {
  const sink = await startSink({
    listen: { host: "127.0.0.1", port: 0 },
    onTaken(one) {
      for (const to of one.recipients) taken.set(to, one);
    },
  });
  ends.add(() => sink.stop());
  const relay = `smtp://127.0.0.1:${sink.port}?tls=off`;
  const flags = ["--hostname", "sender.test", "--relay", relay];
  daemon = await startDaemon({ dataDir: newFolder(ends), flags });
  ends.add(async () => expect(await daemon.stop()).toBe(0));
});
afterAll(() => ends.run());

interface Language {
  readonly name: string;
  readonly subject: string;
  readonly text: string;
  readonly filename: string;
}

const long = (word: string, times: number): string => word.repeat(times);

const languages: Readonly<Record<string, Language>> = {
  plain: {
    name: "Ada Lovelace",
    subject: "Your order",
    text: "It is on its way.",
    filename: "plan.pdf",
  },
  german: {
    name: "Jürgen Groß",
    subject: "Ihre Bestellung über Öl",
    text: "Schöne Grüße,\nIhr Händler",
    filename: "Größe & Maß.pdf",
  },
  chinese: {
    name: "李雷",
    subject: "您的订单已经发出，请查收附件中的发票和说明书，感谢您的惠顾",
    text: "您好！\n\n订单已发出。",
    filename: "发票（十一月）.pdf",
  },
  japanese: {
    name: "山田 太郎",
    subject: "ご注文ありがとうございます",
    text: "山田様\r\nお世話になっております。",
    filename: "請求書.xlsx",
  },
  korean: {
    name: "김철수",
    subject: "주문이 발송되었습니다",
    text: "안녕하세요.\n감사합니다.",
    filename: "영수증.txt",
  },
  arabic: {
    name: "محمد أحمد",
    subject: "تم شحن طلبك رقم ١٧",
    text: "مرحبا،\nطلبك في الطريق (رقم 17).",
    filename: "فاتورة نوفمبر.pdf",
  },
  hebrew: {
    name: "דוד כהן",
    subject: "ההזמנה שלך בדרך: A-17",
    text: "שלום דוד,\nההזמנה נשלחה.",
    filename: "חשבונית 17.pdf",
  },
  hindi: {
    name: "राम कुमार",
    subject: "आपका ऑर्डर भेज दिया गया है",
    text: "नमस्ते,\nधन्यवाद।",
    filename: "चालान.pdf",
  },
  thai: {
    name: "สมชาย ใจดี",
    subject: "คำสั่งซื้อของคุณกำลังจัดส่ง",
    text: "สวัสดีครับ\nขอบคุณ",
    filename: "ใบเสร็จ.pdf",
  },
  russian: {
    name: "Иван Петров",
    subject: "Ваш заказ отправлен",
    text: "Здравствуйте!\nСпасибо за покупку.",
    filename: "счёт №17.pdf",
  },
  greek: {
    name: "Νίκος",
    subject: "Η παραγγελία σας",
    text: "Γεια σας,\nευχαριστούμε.",
    filename: "τιμολόγιο.pdf",
  },
  emoji: {
    name: "🎉 Party 👩‍👩‍👧‍👦",
    subject: "🏳️‍🌈 It is 👍🏽 on its way 🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀",
    text: "👩🏽‍🚀\n🇩🇪🇫🇷",
    filename: "🧾 receipt.pdf",
  },
  combining: {
    name: "Zoe\u0308 A\u030angstro\u0308m",
    subject: "e\u0301 is not \u00e9, \u0928\u093c is \u0929",
    text: "o\u0302\u0323\nu\u0308",
    filename: "re\u0301sume\u0301.pdf",
  },
  quotes: {
    name: 'O\'Neil, "Bob" \\ Jr. (sales) <x>',
    subject: '"quoted", <angled>, (round); a=b: c\\d',
    text: '"a" <b>\n.\n..\nFrom me\n',
    filename: 'a "b"; c=d, (e)\'s %41.pdf',
  },
  encoded: {
    name: "=?utf-8?q?not_me?=",
    subject: "=?utf-8?q?not_decoded?= as it is",
    text: "=?utf-8?q?x?=\n=3D=0A",
    filename: "=?utf-8?q?x?=.pdf",
  },
  longWords: {
    name: long("n", 200),
    subject: long("s", 600),
    text: `${long("t", 3000)}\n${long("漢", 1200)}`,
    filename: `${long("f", 180)}.pdf`,
  },
  longScript: {
    name: long("名", 90),
    subject: long("題名", 150),
    text: long("本文 ", 900).trim(),
    filename: `${long("名", 80)}.pdf`,
  },
  blanks: {
    name: "Ada Lovelace",
    subject: "two  blanks   within",
    text: "  indented\n\ttab\n   \ntrailing   \nend",
    filename: "a  b.pdf",
  },
};

const contentOf = (name: string): Buffer => Buffer.from(`${name}\0\r\n.\r\n`.repeat(50));

/** As JSON says it. */
function bodyOf(key: string, { name, subject, text, filename }: Language): object {
  const quoted = `"${name.replace(/["\\]/g, "\\$&")}"`;
  const content = contentOf(key).toString("base64");
  return {
    from: `${quoted} <a@münchen.example>`,
    to: [`${quoted} <${key}@example.org>`],
    subject,
    text,
    html: `<p>${text}</p>`,
    headers: { "X-Said": subject },
    attachments: [
      { filename, content, content_type: "application/pdf" },
      { filename: `${filename}.png`, content, content_type: "image/png", content_id: "logo" },
    ],
  };
}

/** As every reader should have it. */
function meant(key: string, { name, subject, text, filename }: Language): ReadMail {
  const body = text.replace(/\r\n?/g, "\n").replace(/\n+$/, "");
  const sha256 = createHash("sha256").update(contentOf(key)).digest("hex");
  return {
    subject,
    from: [[name, "a@xn--mnchen-3ya.example"]],
    to: [[name, `${key}@example.org`]],
    cc: [],
    text: body,
    html: `<p>${text.replace(/\r\n?/g, "\n")}</p>`,
    files: [
      { filename: `${filename}.png`, type: "image/png", id: "logo", sha256 },
      { filename, type: "application/pdf", id: null, sha256 },
    ],
  };
}

/**
 * Python keeps the white space between the encoded words of a name, which RFC 2047 6.2 has ignored (in 3.11, which Debian 12 has): a
 * name of more than a line comes out with spaces.
 */
function unspaced<T extends ReadMail>(mail: T): T {
  const people = (list: ReadMail["from"]) =>
    list.map(([name, address]) => [name.replaceAll(" ", ""), address] as const);
  return { ...mail, from: people(mail.from), to: people(mail.to) };
}

async function arrived(to: string): Promise<Buffer> {
  const one = await until(`${to} has its mail`, () => taken.get(to));
  return Buffer.from(one.content());
}

describe("a message from JSON is read as it was meant:", () => {
  const keys = Object.keys(languages);
  let messages: readonly Buffer[] = [];

  beforeAll(async () => {
    for (const key of keys) {
      const answer = await post(daemon, JSON.stringify(bodyOf(key, languages[key] as Language)));
      expect([key, answer.status]).toEqual([key, 202]);
    }
    messages = await Promise.all(keys.map((key) => arrived(`${key}@example.org`)));
  });

  test.each(keys)("by mailparser: %s", async (key) => {
    const found = await byMailparser(messages[keys.indexOf(key)] as Buffer);
    expect(found).toEqual(meant(key, languages[key] as Language));
  });

  python.test("by Python's email package, which complains of nothing", () => {
    for (const [i, found] of byPython(python.path, messages).entries()) {
      const key = keys[i] as string;
      const { headers, defects, ...read } = key === "longScript" ? unspaced(found) : found;
      expect([key, defects]).toEqual([key, []]);
      expect(read).toEqual(meant(key, languages[key] as Language));
      // A caller's own field is his own: what he encodes himself is decoded.
      const said = key === "encoded" ? "not decoded as it is" : languages[key]?.subject;
      expect(headers["X-Said"]?.trim()).toBe(said);
    }
  });
});

describe("raw mail arrives octet by octet, below the fields that we put on top:", () => {
  const usual =
    "From: a@example.com\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <m@example.com>\r\n";
  test.each([
    ["folded and in odd case", `${usual}sUBJECT:\tx\r\n\ty\r\n  z\r\nX-A:b\r\n\r\nHello\r\n`],
    [
      "8-bit",
      `${usual}Subject: x\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe\r\n`,
    ],
    ["dots and lines that look like ends", `${usual}\r\n.\r\n..\r\n.\r\n.x\r\n\r\n\r\n`],
    ["without a body", `${usual}\r\n`],
    ["long lines", `${usual}X-Long: ${"y".repeat(900)}\r\n\r\n${"z".repeat(998)}\r\n`],
    [
      "several parts",
      `${usual}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\n\r\na\r\n--b--\r\npost\r\n`,
    ],
    ["large", `${usual}\r\n${"A line of text, as in most mail.\r\n".repeat(20_000)}`],
  ])("%s", async (name, text) => {
    const to = `raw-${name.replace(/\W+/g, "-")}@example.org`;
    const headers = { "content-type": "message/rfc822" };
    const body = Buffer.from(text, "latin1");
    const answer = await daemon.request(`/send?to=${to}`, { method: "POST", headers, body });
    expect(answer.status).toBe(202);
    const found = (await arrived(to)).toString("latin1");
    const top = /^(?:Received|DKIM-Signature): [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*/;
    let rest = found;
    while (top.test(rest)) rest = rest.replace(top, "");
    expect(rest).toBe(text);
  });
});
