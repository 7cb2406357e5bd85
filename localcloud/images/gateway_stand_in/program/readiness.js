// Whether the gateway has started, and whether its channels reach their services.

import { resolve4 } from "node:dns/promises";
import { once } from "node:events";
import { connect } from "node:net";

import { log } from "./log.js";
import { switches } from "./switches.js";

const TELEGRAM = "api.telegram.org";
const ANSWER_MS = 5_000;
const RETRY_MS = 10_000;

const startedAt = Date.now();
const failing = new Set();

// Connects to the service of each channel that is enabled, again and again. No credential is sent: the stand-in shows
// what a channel does to the gateway and not what it does for people.
export function startChannels(channels = {}) {
  if (!channels.telegram || channels.telegram.enabled === false || !process.env.TELEGRAM_BOT_TOKEN) return;
  failing.add("telegram");
  reachTelegram();
}

async function reachTelegram() {
  try {
    // Not the system's own lookup, which would hold up the end of the process where no name server answers.
    const [address] = await resolve4(TELEGRAM);
    const socket = connect(443, address);
    await once(socket, "connect", { signal: AbortSignal.timeout(ANSWER_MS) }).finally(() => socket.destroy());
    failing.delete("telegram");
  } catch (error) {
    failing.add("telegram");
    log(`channel is not connected: ${error.code ?? error.message}`, "telegram");
  }
  setTimeout(reachTelegram, RETRY_MS).unref();
}

export function startup() {
  const uptimeMs = Date.now() - startedAt;
  const { readyAfterSeconds = 0 } = switches();
  const started = uptimeMs >= readyAfterSeconds * 1000;
  return { ok: started, status: started ? "started" : "starting", uptimeMs };
}

export function readiness() {
  const { ok, uptimeMs } = startup();
  const channels = [...new Set([...failing, ...(switches().failing ?? [])])];
  const reasons = ok ? channels : ["startup-sidecars"];
  return { ready: reasons.length === 0, failing: reasons, uptimeMs };
}
