// What stands between a route and its handler: the door looks at the key before, and makes answers of problems behind.
import type { Context } from "hono";
import type { Caller, Scope } from "./caller.ts";
import type { Peer } from "./door.ts";
import type { Result } from "./problem.ts";

/** `again` looks at the key once more: a body may take half a minute to come, and a key end meanwhile. */
export type Handler<E extends object> = (
  request: Request,
  context: Context<E>,
  caller: Caller,
  again: () => Result<Caller>,
) => Result<Response> | Promise<Result<Response>>;

/** Without a scope the method says which one is needed. */
export type Guard<E extends object> = (
  handler: Handler<E>,
  scope?: Scope,
) => (context: Context<E>) => Response | Promise<Response>;

export type OpenHandler = (
  request: Request,
  peer: Peer,
) => Result<Response> | Promise<Result<Response>>;

/** For what is answered to everybody. */
export type Open<E extends object> = (
  handler: OpenHandler,
) => (context: Context<E>) => Response | Promise<Response>;
