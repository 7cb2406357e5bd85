// The gateway's data: an SQLite database in the state directory, which one process at a time may write.

import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { log, StartError } from "./log.js";

const RENEWAL_MS = 60_000;
const LEASE_MS = 5 * 60_000;

// Each release adds one step to those of the release before it, so the number of steps is the version of the schema.
const STEPS = {
  1: `CREATE TABLE claim (id INTEGER PRIMARY KEY CHECK (id = 1), host TEXT, pid INTEGER, start TEXT, renewed_at INTEGER);
      CREATE TABLE starts (at INTEGER, release INTEGER);`,
  2: "ALTER TABLE starts ADD COLUMN version TEXT;",
};

let database;

export function stateFolder() {
  return process.env.OPENCLAW_STATE_DIR || join(process.env.HOME, ".openclaw");
}

// Opens the database, brings it to this release's schema and claims it. Returns a function that gives the claim back.
export function openState(release) {
  const folder = join(stateFolder(), "state");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, "openclaw.sqlite");
  database = new DatabaseSync(path, { timeout: 5_000 });
  chmodSync(path, 0o600);
  database.exec("PRAGMA journal_mode = WAL");
  inTransaction(() => {
    migrate(path, release);
    claim();
  });
  database.prepare("INSERT INTO starts (at, release) VALUES (?, ?)").run(Date.now(), release);
  const renewal = setInterval(() => {
    database.prepare("UPDATE claim SET renewed_at = ?").run(Date.now());
  }, RENEWAL_MS);
  return () => {
    clearInterval(renewal);
    database.exec("DELETE FROM claim");
    database.close();
  };
}

function inTransaction(work) {
  database.exec("BEGIN IMMEDIATE");
  try {
    work();
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

function migrate(path, release) {
  const { user_version: version } = database.prepare("PRAGMA user_version").get();
  if (version > release) {
    throw new StartError(
      "Gateway failed to start: Gateway refused startup because 1 OpenClaw database schema(s) are newer than this " +
        `build. state database ${path} uses schema ${version}; this build supports ${release}. Run a build at least ` +
        "as new as the writer that supports these schemas, or stop the service and restore your pre-upgrade backup.",
    );
  }
  for (let next = version + 1; next <= release; next++) {
    log(`migrating the state database to schema ${next}`);
    database.exec(STEPS[next]);
  }
  database.exec(`PRAGMA user_version = ${release}`);
}

// A process that was killed leaves its claim behind. That it is gone can only be seen on a host of the same name; a
// claim of another host counts until its lease ends.
function claim() {
  const holder = database.prepare("SELECT * FROM claim").get();
  if (holder && isHeld(holder)) {
    throw new StartError(
      `Gateway failed to start: StateDatabaseCoordinatorContentionError: another OpenClaw process owns ` +
        `gateway-lifecycle (pid ${holder.pid} on ${holder.host}).`,
    );
  }
  database
    .prepare("INSERT OR REPLACE INTO claim (id, host, pid, start, renewed_at) VALUES (1, ?, ?, ?, ?)")
    .run(hostname(), process.pid, startOf(process.pid), Date.now());
}

function isHeld({ host, pid, start, renewed_at: renewedAt }) {
  return host === hostname() ? startOf(pid) === start : Date.now() - renewedAt < LEASE_MS;
}

// When a process started, which tells it from a later one of the same number; an empty text where it is gone.
function startOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /s, "").split(" ")[19];
  } catch {
    return "";
  }
}
