// Every line of the log: its key, how grave it is, its fields and what it means. The README's section is made of it, and a test compares
// it with every call. The first word of a key is its area, for which a level of its own may be set.

export interface LogRow {
  readonly event: string;
  /** Two where it depends. */
  readonly level: string;
  /** Names, with spaces between; those of an attempt stand for all of theirs. */
  readonly fields: string;
  readonly means: string;
  /** It concerns the daemon and not one message: it is kept in the journal, whatever the level. */
  readonly kept?: true;
  /** The field that tells apart bursts of it. */
  readonly like?: string;
}

/** The names are those of events (INTERFACE 4). */
const ATTEMPT =
  "email_id recipient site host session_id trace_id phase command code enhanced class text";

export const logTable: readonly LogRow[] = [
  ...rows("info", {
    "daemon.started": [
      "version url data_dir config settings recipients after down_s",
      "It serves. `settings` are those that are not the default; `after`: how the process before it ended (`stop`, `crash`, `first`); `down_s`: how long nobody served",
      "kept",
    ],
    "daemon.stopping": [
      "signal",
      "It was told to end; mail that is being sent may come to its end",
      "kept",
    ],
    "daemon.stopped": ["took_ms", "It ends; all that is owed is on the disk", "kept"],
    "daemon.traffic": [
      "for_s accepted delivered deferred bounced expired refused waiting oldest_s",
      "What went through since the last such line: messages accepted, recipients and attempts; none where nothing came, went or waits",
      "kept",
    ],
    "log.level_changed": ["levels until", "Other lines are written from now on", "kept"],
    "config.reloaded": [
      "changed needs_restart failures",
      "Settings were read anew; `error` where a thread did not answer",
      "kept",
    ],
    "tls.renewed": ["listen", "Another certificate is served", "kept"],
    "smtp.listening": ["url", "SMTP is served there", "kept"],
    "local.no_runtime_dir": ["runtime_dir text", "Local sockets for other users are not opened"],
    "door.refused": [
      "reason status method path text fault faults request_id",
      "A request was refused; `warn` where it was not the client's fault. `fault` is the first of so many",
      "like:reason",
    ],
    "smtp.refused": ["reason", "Mail, a recipient or a login was refused by SMTP", "like:reason"],
    "pickup.taken": ["file uid", "A file of the pickup folder was accepted"],
    "mail.bounced": [ATTEMPT, "A recipient is final: the server refuses it for good", "like:site"],
    "mail.expired": [`${ATTEMPT} attempts`, "A recipient is final: its time is over", "like:site"],
    "uplink.up": ["after held_s", "Our own line is back; mail waited so long", "kept"],
    "queue.site_paused": [
      "site rule until class host phase code enhanced text",
      "A site rests: by the rule of its provider, or by our own patience where there is none",
      "kept like:site",
    ],
    "queue.site_resumed": ["site rule", "Its rest is over", "kept like:site"],
    "queue.order": [
      "verb by name answer",
      "An operator paused, resumed, held, released or flushed; `name` is a domain or a site",
      "kept",
    ],
    "mail.order": [
      "verb email_id answer",
      "One message was held, released, canceled, retried or moved",
      "like:verb",
    ],
    "sender.at_work": [
      "at_work threads",
      "Another number of the sender threads shares the sites: as few as keep up",
    ],
    "queue.disk_ok": ["free_bytes wal_bytes", "There is room again: mail is taken", "kept"],
    "queue.disk_recovered": ["", "The store can be written again", "kept"],
    "queue.recovered": [
      "recipients",
      "Recipients that a dead process had in sending wait for another attempt",
      "kept",
    ],
    "history.forgotten": [
      "messages letters",
      "Finished mail and kept bytes that were too old, or too much, went",
    ],
    "source.capped": ["site until", "All addresses have sent there what they may today"],
    "suppress.added": [
      "address email_id origin reason",
      "An address gets no more mail; after a report `email_id` says whose it was",
      "like:origin",
    ],
    "suppress.removed": ["address", "It gets mail again"],
    "sts.policy": ["domain id mode", "A domain's MTA-STS policy is known"],
    "search.index_begins": ["", "The index of mail is made anew"],
    "search.resumed": ["", "The index is written again", "kept"],
    "clock.trusted": ["hosts", "Certificates seem valid again", "kept"],
    "otlp.recovered": ["signal", "The collector takes `traces` or `metrics` again", "kept"],
    "webhook.recovered": ["webhook", "An endpoint takes events again", "kept"],
    "key.created": ["id name", "An API key was made", "kept"],
    "key.changed": ["id name", "It has other terms", "kept"],
    "key.revoked": ["id name", "It is dead", "kept"],
    "session.begun": [
      "key address",
      "Somebody logged in to the dashboard with this API key",
      "kept",
    ],
    "session.ended": ["key address", "Somebody logged out", "kept"],
  }),
  ...rows("warn", {
    "mail.held": [
      ATTEMPT,
      "A recipient waits for an operator: its message cannot be sent as it is",
      "like:site",
    ],
    "mail.doubt": [
      ATTEMPT,
      "The connection ended past the final dot: perhaps it comes twice",
      "like:site",
    ],
    "queue.disk_low": ["free_bytes wal_bytes", "No mail is taken until there is room", "kept"],
    "queue.clock_jumped": ["by_ms", "The host slept, or its clock was set", "kept"],
    "history.kept": ["text", "Finished mail could not be removed"],
    "deliver.alert": ["site class rule text", "A refusal that is ours to mend", "kept like:site"],
    "source.rests": [
      "address until why",
      "Connections from this address fail: others carry its mail",
      "kept",
    ],
    "source.away": ["address until", "This host has not this address", "kept"],
    "source.not_here": ["address remedy", "A configured address is not this host's", "kept"],
    "sts.fetch_failed": ["domain text", "A domain's MTA-STS policy cannot be read"],
    "sts.testing": ["host text", "It would be refused if the policy were enforced", "like:host"],
    "tls.given_up": ["host text", "Mail goes there unencrypted", "like:host"],
    "otlp.failing": [
      "signal text",
      "The collector does not take `traces` or `metrics`; spans beyond the bound are lost and counted",
      "kept",
    ],
    "webhook.failing": ["webhook text", "An endpoint does not take events", "kept"],
    "webhook.endpoint_disabled": [
      "webhook why",
      "It took nothing for too long, or said so",
      "kept",
    ],
    "webhook.events_skipped": [
      "webhook text",
      "Events it had not taken are no longer kept",
      "kept",
    ],
    "dns.not_kept": ["text", "Answers could not be stored"],
    "spool.not_removed": ["path text", "The next start removes it"],
    "pickup.unreadable": ["folder text", "Its files wait"],
    "pickup.failed": ["path text", "A file waits for another try"],
    "inbox.not_written": ["folder text", "A captured message is not shown"],
    "search.unreadable": ["text", "The index is damaged and made anew"],
    "search.stalled": [
      "text",
      "The disk has no room for the index: lists lack what came since",
      "kept",
    ],
    "local.socket_taken": ["path text", "Another daemon serves this socket"],
    "local.socket_failed": ["path text", "A local socket could not be opened"],
    "reader.priority_kept": ["text", "The reader runs with the priority of the others"],
    "config.warning": ["warning", "A setting is doubtful"],
    "log.lines_lost": ["lines", "Nobody read the log fast enough"],
    "daemon.journal_closed": ["text", "The journal cannot be written: the log goes on alone"],
    "daemon.stopped_at_once": ["signal", "It was told twice", "kept"],
    "relay.login_refused": [
      "host code said",
      "`error` where it will not pass by itself",
      "kept like:host",
    ],
  }),
  ...rows("error", {
    "uplink.down": [
      "text",
      "Our own line is down: mail waits, and no time counts against it",
      "kept",
    ],
    "uplink.port25_blocked": ["text", "The network is there, and port 25 is closed to us", "kept"],
    "config.refused": ["problem", "A reload changed nothing", "kept"],
    "queue.disk_full": [
      "text",
      "The store cannot be written: nothing is taken, nothing is sent",
      "kept",
    ],
    "queue.body_missing": ["email_id", "The bytes of a message are gone: it is held", "kept"],
    "deliver.body_damaged": [
      "email_id text",
      "The bytes of a message are not what was accepted: it is held",
      "kept",
    ],
    "store.damaged": ["text", "The database does not add up", "kept"],
    "clock.doubted": ["hosts text", "Too many certificates seem not valid yet, or no more", "kept"],
    "relay.login_impossible": [
      "host why",
      "The relay knows no login that we know",
      "kept like:host",
    ],
    "dkim.key_unusable": [
      "domain selector why text",
      "Mail of this domain is not signed with it",
      "kept",
    ],
    "dkim.folder_damaged": ["text", "Keys cannot be read", "kept"],
    "tls.ca_file_unreadable": ["path text", "Its authorities are not trusted", "kept"],
    "pickup.not_ours": ["folder text", "Others could write there: nothing is taken", "kept"],
    "pickup.stuck": ["path why text", "A file can neither be sent nor set aside", "kept"],
    "pickup.set_aside": ["path why", "A file cannot be sent", "kept"],
    "door.failed": ["error", "A bug: the request was answered 500", "kept"],
    "smtp.failed": ["error", "A bug: the session was ended", "kept"],
    "sender.died": ["index why", "Another one takes its place", "kept"],
    "sender.did_not_stop": ["index", "It was ended", "kept"],
    "reader.died": ["why", "Another one takes its place", "kept"],
    "daemon.died": [
      "text",
      "An invariant broke or the disk failed: the process ends to begin anew",
      "kept",
    ],
  }),
  ...rows("debug", {
    "mail.deferred": [`${ATTEMPT} attempts next_attempt_at`, "It is tried again then", "like:site"],
    "mail.delivered": [ATTEMPT, "The next server took it", "like:site"],
    "queue.stale_verdict": ["email_id n", "A verdict came whose lease was lost"],
  }),
];

type Short = readonly [fields: string, means: string, marks?: string];

function rows(level: string, short: Readonly<Record<string, Short>>): LogRow[] {
  return Object.entries(short).map(([event, [fields, means, marks = ""]]) => {
    const like = /like:(\w+)/.exec(marks)?.[1];
    return {
      ...{ event, level, fields, means },
      ...(marks.includes("kept") ? { kept: true as const } : {}),
      ...(like === undefined ? {} : { like }),
    };
  });
}

const byEvent = new Map(logTable.map((row) => [row.event, row]));

export const logAreas: readonly string[] = [
  ...new Set(logTable.map(({ event }) => event.slice(0, event.indexOf(".")))),
].sort();

export function isKept(event: string): boolean {
  return byEvent.get(event)?.kept === true;
}

export function likeOf(event: string): string | undefined {
  return byEvent.get(event)?.like;
}
