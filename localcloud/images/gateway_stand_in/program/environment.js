// Loads variables from `.env` in the folder of the state, as the gateway does.

import { readFileSync } from "node:fs";

import dotenv from "dotenv";

// Which of the environment's own variables the file beats: those that a service manager's unit names, where the gateway
// takes itself for one.
function managed() {
  const { env } = process;
  const isUnit = [env.OPENCLAW_SYSTEMD_UNIT, env.INVOCATION_ID, env.SYSTEMD_EXEC_PID, env.JOURNAL_STREAM].some(Boolean);
  return isUnit ? (env.OPENCLAW_SERVICE_MANAGED_ENV_KEYS ?? "").split(",").map((one) => one.trim()) : [];
}

export function loadEnvironment() {
  let found;
  try {
    found = Object.entries(dotenv.parse(readFileSync(`${process.env.OPENCLAW_STATE_DIR}/.env`)));
  } catch {
    return;
  }
  for (const [name, value] of found) process.env[name] ??= value;
  // Only then the names are known.
  for (const [name, value] of found) if (managed().includes(name)) process.env[name] = value;
}
