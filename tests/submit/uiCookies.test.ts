// Browsers keep no cookies apart by port: what another server under the same host name leaves there must end nobody's login.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { KEY, network } from "./doorFixture.ts";
import { createKeyStage, type KeyStage } from "./keyFixture.ts";

let stage: KeyStage;
beforeEach(() => {
  stage = createKeyStage();
});
afterEach(() => stage.close());

type Headers = Readonly<Record<string, string>>;

const ask = async (origin: string, method: string, path: string, headers: Headers, body?: string) =>
  stage.fixture.door.fetch(
    new Request(`${origin}${path}`, {
      method,
      headers: { host: new URL(origin).host, origin, ...headers },
      ...(body === undefined ? {} : { body }),
    }),
    network,
  );
const pairIn = (response: Response): string =>
  (response.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
const logIn = (origin: string, headers: Headers = {}) =>
  ask(
    origin,
    ...(["POST", "/ui/session"] as const),
    { "content-type": "application/json", ...headers },
    JSON.stringify({ key: KEY }),
  );
const look = async (origin: string, cookie: string): Promise<number> =>
  (await ask(origin, "GET", "/domains", { cookie })).status;

const junk = "x".repeat(43);

test("the cookie is named by the port that the browser asks, so that two daemons keep theirs", async () => {
  const named = async (origin: string, headers: Headers = {}): Promise<string | undefined> =>
    pairIn(await logIn(origin, headers)).split("=")[0];
  const https = { "x-forwarded-proto": "https" };
  expect(await named("http://door.test:8250")).toBe("postrider_session_8250");
  expect(await named("http://[::1]:8250")).toBe("postrider_session_8250");
  expect(await named("http://door.test")).toBe("postrider_session");
  expect(await named("http://door.test:8251", https)).toBe("__Host-postrider_session_8251");
  const cookie = pairIn(await logIn("http://door.test:8250"));
  const neighbour = cookie.replace("8250", "8251");
  expect(await look("http://door.test:8250", `postrider_session_8251=${junk}; ${cookie}`)).toBe(
    200,
  );
  expect(await look("http://door.test:8250", neighbour)).toBe(401);
});

test("junk under our own name is passed over, before our cookie and behind it", async () => {
  const origin = "http://door.test:8250";
  const cookie = pairIn(await logIn(origin));
  const [name] = cookie.split("=");
  for (const strange of ["short", "", junk, `${junk}; ${name}=${junk.toUpperCase()}`]) {
    expect(await look(origin, `${name}=${strange}; ${cookie}`)).toBe(200);
    expect(await look(origin, `${cookie}; ${name}=${strange}`)).toBe(200);
    const view = await ask(origin, "GET", "/ui/session", {
      cookie: `${name}=${strange}; ${cookie}`,
    });
    expect(await view.json()).toMatchObject({ logged_in: true });
  }
  expect(await look(origin, `${name}=${junk}`)).toBe(401);
  // Nobody is made to try thousands.
  expect(await look(origin, `${`${name}=${junk}; `.repeat(100)}${cookie}`)).toBe(401);
});

test("a logout and a login anew end the login, whatever lies beside it", async () => {
  const origin = "http://door.test:8250";
  const cookie = pairIn(await logIn(origin));
  const [name] = cookie.split("=");
  const next = pairIn(await logIn(origin, { cookie: `${name}=${junk}; ${cookie}` }));
  expect(await look(origin, cookie)).toBe(401);
  const beside = `${name}=${junk}; ${next}`;
  const view = (await (await ask(origin, "GET", "/ui/session", { cookie: beside })).json()) as {
    readonly csrf_token: string;
  };
  const gone = await ask(origin, "DELETE", "/ui/session", {
    cookie: beside,
    "x-postrider-csrf": view.csrf_token,
  });
  expect(gone.headers.get("set-cookie")).toContain(`${name}=; Path=/`);
  expect(await look(origin, next)).toBe(401);
});
