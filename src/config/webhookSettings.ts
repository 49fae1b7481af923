// Where webhooks may go besides the public internet.
import { cidr, list } from "./kinds.ts";
import { setting } from "./setting.ts";

export const webhookSettings = {
  webhookAllow: setting<readonly string[]>({
    name: "webhook_allow",
    kind: list(cidr, 1000),
    default: [],
    usually: "none",
    help: "Address ranges that webhooks may go to besides public ones, such as `127.0.0.0/8, 10.0.0.0/8`; only there `http://` will do",
  }),
} as const;
