// Messages that are hard to carry: scripts from right to left, characters outside the first plane,
// the longest lines that SMTP allows, lines of dots, bytes of every value.

export interface Sample {
  readonly name: string;
  readonly from: { readonly name: string; readonly address: string };
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  readonly attachments?: readonly {
    readonly filename: string;
    readonly contentType: string;
    readonly content: Uint8Array;
  }[];
}

const everyByte = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
const longLine = `${"0123456789".repeat(99)}`;

export const samples: readonly Sample[] = [
  {
    name: "Chinese",
    from: { name: "王小明", address: "wang@sender.test" },
    subject: "您的订单已确认：感谢您在本店购物，我们将尽快为您安排发货，请留意物流信息",
    text: "尊敬的客户：\n\n您的订单已确认。\n",
    html: "<p>尊敬的客户：<b>您的订单已确认</b>。</p>",
    attachments: [
      { filename: "发票 2026年11月.pdf", contentType: "application/pdf", content: everyByte },
    ],
  },
  {
    name: "Arabic",
    from: { name: "متجر السلام", address: "salam@sender.test" },
    subject: "تأكيد الطلب رقم ١٢٣٤ - شكراً لتسوقكم معنا",
    text: "مرحباً،\nتم تأكيد طلبكم.\n",
    attachments: [
      { filename: "فاتورة.txt", contentType: "text/plain", content: Buffer.from("سطر\r\n") },
    ],
  },
  {
    name: "emoji",
    from: { name: 'Zoë 🚀 "Quote" O\'Neil, Ltd.', address: "zoe@sender.test" },
    subject: "👩‍👩‍👧‍👦 family 🎉 and plain words 🏳️‍🌈 in one long subject that must fold somewhere 🧪🧬",
    text: "🎉".repeat(200),
    html: `<p>${"🏳️‍🌈 ".repeat(50)}</p>`,
  },
  {
    name: "long lines and dots",
    from: { name: "Plain", address: "plain@sender.test" },
    subject: "Plain",
    text: `.\n..\n.hidden\n${longLine}\n.\n\nFrom here\n${longLine}\n`,
  },
  {
    name: "binary attachments",
    from: { name: "", address: "bin@sender.test" },
    subject: "Two files",
    text: "see files\n",
    attachments: [
      { filename: "all bytes.bin", contentType: "application/octet-stream", content: everyByte },
      { filename: "empty", contentType: "application/octet-stream", content: new Uint8Array(0) },
    ],
  },
];

/** `name <address>` for the API. */
export function fromField({ name, address }: Sample["from"]): string {
  return name === "" ? address : `"${name.replace(/["\\]/g, "\\$&")}" <${address}>`;
}
