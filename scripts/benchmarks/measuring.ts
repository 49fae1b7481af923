// What counting and timing cost: the same load with `metrics` on and off. `scripts/bench measuring`; --starts, --rounds, --seconds, --clients,
// --size, --sites, --warm-up, --readme.
import { compareOnOff } from "./onOff.ts";

await compareOnOff({
  profile: "measuring",
  what: "metrics",
  on: ["--metrics", "true", "--dialogues", "off"],
  off: ["--metrics", "false", "--dialogues", "off"],
  least: 0.97,
});
