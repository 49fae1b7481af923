// The query of every list: what is not known, or cannot be meant, is refused in the same words.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createFixture, type Fixture } from "./doorFixture.ts";

const LISTS = ["/api-keys", "/emails", "/events", "/inbox", "/suppressions", "/webhooks"];

let fixture: Fixture;
beforeEach(() => {
  fixture = createFixture();
});
afterEach(() => fixture.close());

async function refusalOf(path: string): Promise<[string, number, string | undefined]> {
  const response = await fixture.get(path);
  const { errors } = (await response.json()) as { errors?: { pointer: string }[] };
  return [path, response.status, errors?.[0]?.pointer];
}

test.each(LISTS)("%s refuses a parameter that it does not know", async (list) => {
  expect(await refusalOf(`${list}?colour=red`)).toEqual([`${list}?colour=red`, 422, "?colour"]);
});

test.each(LISTS)("%s refuses a parameter that is given twice", async (list) => {
  const path = `${list}?after=1&after=2`;
  expect(await refusalOf(path)).toEqual([path, 422, "?after"]);
});

test.each(LISTS)("%s has pages of 1 to 100 rows, written in digits", async (list) => {
  for (const limit of ["0", "101", "1e1", "%205", "0x10", "ten", ""]) {
    const path = `${list}?limit=${limit}`;
    expect(await refusalOf(path)).toEqual([path, 422, "?limit"]);
  }
});

test.each(["/api-keys", "/events", "/webhooks"])("%s goes one way at a time", async (list) => {
  const path = `${list}?after=1&before=2`;
  expect(await refusalOf(path)).toEqual([path, 422, "?before"]);
});
