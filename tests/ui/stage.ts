// The dashboard with a daemon that says what a test has written down: the door is the real one, with its page, its headers and its login;
// what it would ask the queue and the reader for comes from a scene.
import { buildPage } from "../../scripts/page.ts";
import { digestOf } from "../../src/submit/auth.ts";
import { owner } from "../../src/submit/caller.ts";
import { createFixture, KEY, loopback } from "../submit/doorFixture.ts";
import type { Scene } from "./scenes.ts";

export { KEY };
/** It sees everything and changes nothing. */
export const READ_KEY = "pr_read_key";

const first = { id: "first", digest: digestOf(KEY), caller: owner };
const reader = {
  ...{ id: "reader", digest: digestOf(READ_KEY) },
  caller: { ...owner, key: 1, scopes: new Set(["read"] as const) },
};

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export interface Stage {
  readonly url: string;
  scene: Scene;
  /** Answers before the scene does. */
  answer: (asked: Asked) => Response | undefined;
  /** Everything that changes something, in order. */
  readonly deeds: Asked[];
  /** Ends the stream of figures; it is refused from then on if so told. */
  cut(refuse: boolean): void;
  close(): void;
}

export async function startStage(scene: Scene): Promise<Stage> {
  await buildPage();
  const fixture = createFixture({ keys: () => [first, reader] });
  const streams = new Set<ReadableStreamDefaultController<string>>();
  let refusesStreams = false;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    // A stream says nothing for as long as somebody looks.
    idleTimeout: 0,
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/" || pathname.startsWith("/ui/"))
        return fixture.door.fetch(request, loopback);
      if (pathname === "/figures/stream")
        return refusesStreams ? refused() : streamOf(stage.scene["/figures"], streams);
      const asked = { method: request.method, path: pathname, body: await request.text() };
      if (asked.method !== "GET") stage.deeds.push(asked);
      return stage.answer(asked) ?? answerOf(stage.scene, asked);
    },
  });
  const stage: Stage = {
    url: `http://127.0.0.1:${server.port}`,
    scene,
    answer: () => undefined,
    deeds: [],
    cut(refuse) {
      refusesStreams = refuse;
      for (const one of streams) one.close();
      streams.clear();
    },
    close() {
      stage.cut(true);
      void server.stop(true);
      fixture.close();
    },
  };
  return stage;
}

function streamOf(view: unknown, streams: Set<ReadableStreamDefaultController<string>>): Response {
  let own: ReadableStreamDefaultController<string>;
  const body = new ReadableStream<string>({
    start(controller) {
      own = controller;
      streams.add(controller);
      controller.enqueue(`data: ${JSON.stringify(view)}\n\n`);
    },
    cancel: () => void streams.delete(own),
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

function answerOf(scene: Scene, { method, path }: Asked): Response {
  const found = scene[path];
  if (found === undefined || method !== "GET")
    return problem(404, "not_found", "Not found", "There is no such thing in this scene.");
  if (typeof found === "string")
    return new Response(found, { headers: { "content-type": "message/rfc822" } });
  return Response.json(found);
}

export function problem(status: number, name: string, title: string, detail: string): Response {
  const body = { type: `/docs#${name}`, title, status, detail, name, request_id: "req_stage" };
  const headers = { "content-type": "application/problem+json" };
  return new Response(JSON.stringify(body), { status, headers });
}

const refused = (): Response => problem(503, "busy", "Too busy to answer", "Come again.");
