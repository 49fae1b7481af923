// The whole table, in the catalogue's order.
import type { FaultCase } from "../case.ts";
import { answerCases } from "./answers.ts";
import { contentCases } from "./content.ts";
import { envelopeCases } from "./envelope.ts";
import { nameCases } from "./names.ts";
import { policyCases } from "./policies.ts";
import { openingCases } from "./opening.ts";
import { reuseCases } from "./reuse.ts";
import { tlsCases } from "./tls.ts";

const well: FaultCase = {
  row: "R0",
  what: "a server that is well",
  expect: { first: "delivered" },
};

const kinds = "RTD";

function order({ row }: FaultCase): number {
  return kinds.indexOf(row[0] ?? "") * 1000 + Number(row.slice(1));
}

export const allCases: readonly FaultCase[] = [
  well,
  ...openingCases,
  ...envelopeCases,
  ...contentCases,
  ...reuseCases,
  ...tlsCases,
  ...policyCases,
  ...nameCases,
  ...answerCases,
].sort((x, y) => order(x) - order(y));
