// /etc/aliases, as mail systems have always read it: whose mail `root` is. Only what stands there as an address counts; programs and
// files that a line may name are none of our business.

export type Aliases = ReadonlyMap<string, readonly string[]>;

export const ALIASES_FILE = "/etc/aliases";
/** An alias may name another one, and two may name each other. */
const DEPTH_MAX = 10;
const LINES_MAX = 10_000;

export function parseAliases(text: string): Aliases {
  const aliases = new Map<string, string[]>();
  let last: string[] | undefined;
  for (const line of text.split("\n", LINES_MAX)) {
    if (/^\s*(#|$)/.test(line)) continue;
    const entry = /^("?)([^\s":#]+)\1\s*:(.*)$/.exec(line);
    const isFold = /^\s/.test(line);
    if (!isFold) last = undefined;
    if (entry !== null && !isFold) {
      last = [];
      aliases.set((entry[2] as string).toLowerCase(), last);
    }
    last?.push(...targetsOf(isFold ? line : (entry?.[3] ?? "")));
  }
  return aliases;
}

function targetsOf(text: string): string[] {
  return text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => /^[^\s"|/:\\]+$/.test(one));
}

/** Addresses of this host whose name is an alias become what it stands for; each address once. */
export function expandAliases(
  addresses: readonly string[],
  { domain, aliases }: { readonly domain: string; readonly aliases: Aliases },
): readonly string[] {
  const found = new Set<string>();
  const expand = (address: string, depth: number): void => {
    const at = address.lastIndexOf("@");
    const isOwn = at < 0 || address.slice(at + 1).toLowerCase() === domain.toLowerCase();
    const name = at < 0 ? address : address.slice(0, at);
    const targets = isOwn ? aliases.get(name.toLowerCase()) : undefined;
    if (targets === undefined || targets.length === 0 || depth >= DEPTH_MAX)
      found.add(at < 0 ? `${name}@${domain}` : address);
    else for (const target of targets) expand(target, depth + 1);
  };
  for (const address of addresses) expand(address, 0);
  return [...found];
}
