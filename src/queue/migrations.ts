// The schema of postrider.db as numbered steps, each applied once, in order, in one transaction of its own. A step that was
// released is never edited: what must change is said by a further step. There is no way back: an older program refuses the file.

export interface Migration {
  readonly version: number;
  readonly sql: string;
}

/**
 * States, priorities and event types are numbers: their places in mail/state.ts, mail/message.ts, mail/event.ts. The CHECKs of
 * `recipient` say what the union `RecipientState` says (queue/lifecycle.ts); instants are milliseconds since 1970.
 *
 * - `recipient.due`: waiting: not before; sending: the end of the lease; held: null; final: when it ended.
 * - `message.ring` is where its bytes were put while it was with a sender (sqlite-ring.ts). A row in `body` goes before it, and
 *   it says nothing once no recipient is leased.
 * - `message.event` is the number of its acceptance, `recipient.events` the numbers of what followed, each after a comma: the
 *   event table needs no index by message.
 * - `recipient.steps` counts the steps in `timeline`, so that an event can name its step and nobody parses to append.
 * - `ready` is the one scattered index of the hot path, and only waiting recipients are in it: a recipient that is inserted
 *   already leased never enters it. `leased` grows at its end and stays as small as the window.
 */
const first = `
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
  id INTEGER PRIMARY KEY,
  sender TEXT NOT NULL,
  priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
  due INTEGER NOT NULL,
  expires INTEGER,
  size INTEGER NOT NULL CHECK (size >= 0),
  sha256 TEXT NOT NULL,
  flags INTEGER NOT NULL CHECK (flags BETWEEN 0 AND 3),
  recipients INTEGER NOT NULL CHECK (recipients > 0),
  facts TEXT NOT NULL,
  spool TEXT,
  ring INTEGER,
  event INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX spooled ON message (spool) WHERE spool IS NOT NULL;

CREATE TABLE body (
  message INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE recipient (
  message INTEGER NOT NULL,
  n INTEGER NOT NULL CHECK (n >= 0),
  address TEXT NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 9),
  priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
  site INTEGER NOT NULL,
  due INTEGER,
  claim INTEGER NOT NULL,
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  steps INTEGER NOT NULL CHECK (steps >= 0),
  timeline TEXT NOT NULL,
  events TEXT NOT NULL,
  PRIMARY KEY (message, n),
  CHECK ((state = 2) = (due IS NULL)),
  CHECK ((state = 3) = (claim > 0)),
  CHECK (state <> 0 OR attempts = 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX ready ON recipient (site, priority, due) WHERE state IN (0, 1, 4);
CREATE INDEX leased ON recipient (message, n) WHERE state = 3;

CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  message INTEGER NOT NULL,
  n INTEGER NOT NULL,
  type INTEGER NOT NULL,
  at INTEGER NOT NULL,
  step INTEGER NOT NULL
) STRICT;

CREATE TABLE site (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE tally (
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 9),
  priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
  recipients INTEGER NOT NULL CHECK (recipients >= 0),
  PRIMARY KEY (state, priority)
) STRICT, WITHOUT ROWID;

CREATE TABLE pending (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT;

CREATE TABLE dns (
  key TEXT PRIMARY KEY,
  answer TEXT NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO site (id, name) VALUES (0, '');
INSERT INTO pending (one, bytes) VALUES (1, 0);
INSERT INTO tally (state, priority, recipients)
  WITH s(state) AS (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)),
    p(priority) AS (VALUES (0), (1), (2))
  SELECT state, priority, 0 FROM s, p;
`;

/**
 * - `held` is there for the walk of a release, `dead` for the letters whose bytes are kept: neither is met by mail that is delivered.
 * - `pending.kept`: bytes of finished messages that are still here.
 */
const operator = `
CREATE TABLE pause (
  kind TEXT NOT NULL CHECK (kind IN ('all', 'domain', 'site')),
  name TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX held ON recipient (message, n) WHERE state = 2;
CREATE TABLE dead (
  message INTEGER PRIMARY KEY,
  until INTEGER NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 0)
) STRICT;
CREATE INDEX fading ON dead (until);
ALTER TABLE pending ADD COLUMN kept INTEGER NOT NULL DEFAULT 0 CHECK (kept >= 0);
`;

/** `seq` grows with the rows' bytes; the keys' places are in the runs (sqlite-once.ts). */
const once = `
CREATE TABLE once (
  seq INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  request TEXT NOT NULL,
  answer TEXT NOT NULL,
  suppressed TEXT,
  at INTEGER NOT NULL
) STRICT;
CREATE TABLE once_run (
  number INTEGER PRIMARY KEY,
  last INTEGER NOT NULL,
  filter BLOB NOT NULL
) STRICT;
CREATE TABLE once_part (
  id INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;
`;

/**
 * Numbers are never given twice (AUTOINCREMENT): mail and idempotency keys say whose they are by number. `digest` is the SHA-256 of
 * the token; `used` is kept to the hour; `day` and `day_used` count recipients for the quota.
 */
const apiKeys = `
CREATE TABLE api_key (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  digest TEXT NOT NULL UNIQUE,
  scopes TEXT NOT NULL,
  domains TEXT,
  rate TEXT,
  burst INTEGER,
  quota INTEGER,
  depth INTEGER,
  expires INTEGER,
  capture INTEGER NOT NULL CHECK (capture IN (0, 1)),
  created INTEGER NOT NULL,
  used INTEGER,
  day INTEGER NOT NULL DEFAULT 0,
  day_used INTEGER NOT NULL DEFAULT 0
) STRICT;
`;

/** `id` is made as message ids are; `origin` is its place in mail/suppression.ts. */
const suppression = `
CREATE TABLE suppression (
  id INTEGER PRIMARY KEY,
  address TEXT NOT NULL UNIQUE,
  origin INTEGER NOT NULL CHECK (origin BETWEEN 0 AND 2),
  source INTEGER,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX suppressed_by ON suppression (origin, id);
`;

/**
 * `cursor` is an event's id outside; `why` says why an endpoint is off that nobody switched off. Of `webhook_event` only those that wait
 * (`status` 0) are owed, the others are the log; `log` holds attempts as JSON values with commas between them.
 */
const webhooks = `
CREATE TABLE webhook (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  endpoint TEXT NOT NULL,
  events TEXT,
  enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  why TEXT,
  secrets TEXT NOT NULL,
  cursor INTEGER NOT NULL,
  failing INTEGER,
  created INTEGER NOT NULL
) STRICT;
CREATE TABLE webhook_event (
  webhook INTEGER NOT NULL,
  event INTEGER NOT NULL,
  type TEXT NOT NULL,
  email TEXT NOT NULL,
  status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2),
  due INTEGER,
  tries INTEGER NOT NULL CHECK (tries >= 0),
  log TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (webhook, event),
  CHECK ((status = 0) = (due IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_due ON webhook_event (webhook, event) WHERE status = 0;
CREATE INDEX webhook_log ON webhook_event (webhook, at, event);
`;

/** What was said in an attempt (mail/dialogue.ts), by its event's number: rows are only ever appended, and go with the events. */
const dialogue = `
CREATE TABLE dialogue (
  event INTEGER PRIMARY KEY,
  packed TEXT NOT NULL
) STRICT;
`;

export const migrations: readonly Migration[] = [
  { version: 1, sql: first },
  { version: 2, sql: operator },
  // What the sender wants to be told of, as JSON (mail/message.ts); null for nearly all mail.
  { version: 3, sql: "ALTER TABLE message ADD COLUMN dsn TEXT" },
  { version: 4, sql: once },
  { version: 5, sql: apiKeys },
  { version: 6, sql: suppression },
  { version: 7, sql: webhooks },
  // The API key that sent it, by number; and whether nothing of it leaves the host.
  {
    version: 8,
    sql: `ALTER TABLE message ADD COLUMN key INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE message ADD COLUMN capture INTEGER NOT NULL DEFAULT 0 CHECK (capture IN (0, 1));`,
  },
  // Whether it is sent encrypted or not at all.
  { version: 9, sql: "ALTER TABLE message ADD COLUMN require_tls INTEGER NOT NULL DEFAULT 0" },
  { version: 10, sql: dialogue },
  // The trace that its request belongs to, packed (mail/traceContext.ts); null for nearly all mail.
  { version: 12, sql: "ALTER TABLE message ADD COLUMN trace TEXT" },
];

export const SCHEMA_VERSION = Math.max(...migrations.map((one) => one.version));
