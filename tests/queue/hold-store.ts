// A process that holds a data folder until it is killed.
import { systemRandom } from "../../src/base/random.ts";
import { openSqliteStore } from "../../src/queue/sqlite.ts";
import { idAt, message, NOW, queued } from "./store.messages.ts";

const opened = openSqliteStore({
  dataDir: process.argv[2] ?? "",
  random: systemRandom,
  ballastBytes: 0,
});
if (opened.kind === "refused") throw new Error(opened.text);
const { store } = opened;
store.transaction(() => store.accept(message({ id: idAt(NOW), states: [queued()] })));
process.stdout.write("open\n");
setInterval(() => {}, 1000);
