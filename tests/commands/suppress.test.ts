// Lists of addresses as other services give them out, and events as a stream brings them.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { addressesIn } from "../../src/commands/addressList.ts";
import { createEventReader } from "../../src/commands/tail.ts";

async function* pieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const read = (text: string, size = 7) => Array.fromAsync(addressesIn(pieces(text, size)));

test("an address a line, with comments, empty lines and any line ends", async () => {
  expect(await read("# ours\r\na@x.test\r\n\r\n  b@x.test \nnobody\nc@x.test")).toEqual([
    ...["a@x.test", "b@x.test", null, "c@x.test"],
  ]);
});

test("of a table the column that is named so, else the first", async () => {
  const named = 'id,"Email",date\n1,"a@x.test",now\n2,b@x.test,"then, later"\n';
  expect(await read(named)).toEqual(["a@x.test", "b@x.test"]);
  expect(await read("a@x.test;5.1.1\nb@x.test;\n")).toEqual(["a@x.test", "b@x.test"]);
  expect(await read("\uFEFFemail\treason\na@x.test\tgone")).toEqual(["a@x.test"]);
  expect(await read('recipient\n"a ""b""@x.test"')).toEqual(['a "b"@x.test']);
});

test("a list is the same in pieces of any size, letters of several octets too", async () => {
  const text = "email,x\nä@bücher.test,1\n日本@x.test,2\nnobody,3\n";
  const whole = await read(text, 1000);
  expect(whole).toEqual(["ä@bücher.test", "日本@x.test", null]);
  for (const size of [1, 2, 3, 5]) expect(await read(text, size)).toEqual(whole);
});

test("a file without line breaks is held to a bound", async () => {
  const found = await read(`${"x".repeat(500_000)}\na@x.test`, 4096);
  expect(found).toEqual([null, "a@x.test"]);
});

test("events are heard once, whatever pieces they come in, and a place without event too", () => {
  const stream =
    'retry: 1\n: from 7 on\n\n: events up to 8 are gone\n\nid: 9\ndata: {"a":"b"}\n\n: still here\nid: 11\n\n';
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 8 }), (cuts) => {
      const heard: string[] = [];
      const hear = createEventReader({
        hear: (id, data) => void heard.push(`${id} ${data}`),
        begun: () => {},
        lost: (upTo) => void heard.push(`lost ${upTo}`),
      });
      const places = [0, ...cuts.sort((a, b) => a - b), stream.length];
      for (let i = 1; i < places.length; i++) hear(stream.slice(places[i - 1], places[i]));
      expect(heard).toEqual(["7 ", "lost 8", '9 {"a":"b"}', "11 "]);
    }),
    { numRuns: 200 },
  );
});
