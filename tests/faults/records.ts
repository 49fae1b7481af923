// The records of a case, and the usual shape of a zone with one fault in it.
import type { Place } from "./case.ts";
import type { Said, Say } from "./nameServer.ts";

export type Names = (place: Place) => void;

export function a(name: string, data: string) {
  return { type: "A", name, ttl: 60, data } as const;
}

export function mx(name: string, exchange: string, preference: number) {
  return { type: "MX", name, ttl: 60, data: { exchange, preference } } as const;
}

/** The answer to MX is this; its host, where it is named, is the first server. */
export function asMx(say: (place: Place) => Say): Names {
  return (place) => {
    place.names.table.set(`${place.domain} MX`, say(place));
    hostRecords(place);
  };
}

export function hostRecords({ hosts, names }: Place): void {
  for (const { name, address } of hosts)
    names.table.set(`${name} A`, { answers: [a(name, address)] });
}

export const usual = ({ domain, hosts }: Place): Said => ({
  answers: hosts.map(({ name }, i) => mx(domain, name, 10 + i)),
});
