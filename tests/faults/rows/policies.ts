// MTA-STS (RFC 8461): policies that are obeyed, and servers of policies that are of no use.
import { type FaultCase, type Place, type Seen, filler } from "../case.ts";
import { usualOffers } from "../mailServer.ts";
import type { PolicyPlan } from "../policyServer.ts";

const offers = ["STARTTLS", ...usualOffers];
const oursAlone = "MTA-STS was not asked for";
const daemon = "policies";
const base = { row: "T10", servers: [{ offers }], daemon, oursAlone } as const;
const flawed = { ...base, servers: [{ offers, certificate: "self" }] } as const;
const noMail = /^\*?MAIL/;

type Mode = "enforce" | "testing";

function policy(mode: Mode, mxOf: (place: Place) => string): PolicyPlan["reply"] {
  return (place) =>
    answer(`version: STSv1\r\nmode: ${mode}\r\nmx: ${mxOf(place)}\r\nmax_age: 86400\r\n`);
}

function answer(body: string, status = "200 OK", more = ""): string {
  const head = `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\n${more}`;
  return `${head}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
}

const own = ({ hosts }: Place): string => hosts[0]?.name ?? "";
const enforced = policy("enforce", own);

export const policyCases: readonly FaultCase[] = [
  {
    ...base,
    what: "an enforced policy that names the MX",
    policies: { reply: enforced },
    expect: { first: "delivered", check: provenBy("mta-sts") },
  },
  {
    ...base,
    what: "an enforced policy that names another MX",
    policies: { reply: policy("enforce", () => "mx.elsewhere.test") },
    expect: { first: "deferred", told: { class: "tls" }, never: noMail },
  },
  {
    ...flawed,
    what: "an enforced policy, and a certificate that proves nothing",
    policies: { reply: enforced },
    expect: { first: "deferred", told: { class: "tls" }, never: noMail },
  },
  {
    ...base,
    servers: [{}],
    what: "an enforced policy, and STARTTLS stripped",
    policies: { reply: enforced },
    expect: { first: "deferred", told: { class: "tls" }, never: noMail },
  },
  {
    ...flawed,
    what: "a policy on trial, and a certificate that proves nothing",
    policies: { reply: policy("testing", own) },
    expect: { first: "delivered" },
  },
  {
    ...flawed,
    row: "D18",
    what: "a TXT record in two strings, which announces an enforced policy",
    policies: { reply: enforced },
    expect: { first: "deferred", told: { class: "tls" }, never: noMail },
  },
  {
    ...flawed,
    what: "an enforced policy that comes line by line, in time",
    policies: { reply: slowly },
    expect: { first: "deferred", told: { class: "tls" }, never: noMail },
  },
  {
    ...flawed,
    what: "a policy that never comes",
    policies: { reply: () => undefined },
    // RFC 8461 3.3 gives it a minute.
    slow: true,
    expect: { first: "delivered" },
  },
  ...useless(),
];

/** Without a policy that counts, and with none in the cache, mail goes as if there were none. */
function useless(): FaultCase[] {
  const plans: readonly (readonly [what: string, plan: PolicyPlan])[] = [
    [
      "a redirect to a good policy",
      {
        reply: ({ domain }) =>
          answer("", "302 Found", `Location: https://mta-sts.${domain}/other\r\n`),
      },
    ],
    ["404 for the policy", { reply: () => answer("", "404 Not Found") }],
    ["an expired certificate of the policy's server", { certificate: "expired", reply: enforced }],
    ["an endless policy", { reply: endless }],
    ["a policy that is no policy", { reply: () => answer("<html>Welcome</html>") }],
  ];
  return plans.map(([what, policies]) => ({
    ...flawed,
    what,
    policies,
    expect: { first: "delivered" },
  }));
}

function endless(_place: Place, write: (octets: string) => boolean): undefined {
  write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nversion: STSv1\r\n");
  const more = filler(65_536);
  let left = 1000;
  const push = (): void => {
    if (left-- > 0 && write(more)) setTimeout(push, 1);
  };
  push();
}

function slowly(place: Place, write: (octets: string) => boolean): undefined {
  const lines = (enforced(place, write) ?? "").split("\n");
  const next = (): void => {
    const line = lines.shift();
    if (line === undefined || !write(lines.length === 0 ? line : `${line}\n`)) return;
    setTimeout(next, 500);
  };
  next();
}

function provenBy(source: string): (seen: Seen) => string | undefined {
  return ({ told }) => {
    const event = told[0]?.events.find(({ type }) => type === "email.delivered");
    const tls = event?.postrider["tls"] as Record<string, unknown> | null | undefined;
    const proven = tls?.["verified"] === true && JSON.stringify(tls).includes(source);
    return proven ? undefined : `tls is told as ${JSON.stringify(tls)}`;
  };
}
