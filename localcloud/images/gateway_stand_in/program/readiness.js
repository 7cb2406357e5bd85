// Whether the gateway has started, and whether its channels reach their services.

import { connect } from "node:net";

import { log } from "./log.js";
import { switches } from "./switches.js";

const TELEGRAM = { host: "api.telegram.org", port: 443, timeout: 5_000 };
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

function reachTelegram() {
  let problem = "no answer";
  const socket = connect(TELEGRAM);
  socket.on("connect", () => {
    failing.delete("telegram");
    socket.destroy();
  });
  socket.on("timeout", () => socket.destroy());
  socket.on("error", (error) => (problem = error.code));
  socket.on("close", () => {
    if (failing.has("telegram")) log(`channel is not connected: ${problem}`, "telegram");
    setTimeout(reachTelegram, RETRY_MS).unref();
  });
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
