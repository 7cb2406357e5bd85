// Reads the gateway's configuration, which is JSON5, and refuses what the gateway refuses.

import { copyFileSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import json5 from "json5";

import { log, StartError } from "./log.js";

// The keys of OpenClaw 2026.9.6, as deep as the deployment's own configuration goes.
const KNOWN = {
  "": `$schema meta env wizard diagnostics logging update telemetry browser ui secrets auth accessGroups acp models
    nodeHost agents worktreeRoot worktreeAcceleration tools security bindings broadcast attachments messages tts commands
    approvals session cron transcripts hooks channels discovery talk gateway cloudWorkers desktop memory mcp skills
    plugins surfaces proxy`,
  gateway: `port mode bind customBindHost publicOrigin portals controlUi cliAgents terminal auth roles trustedProxies
    allowRealIpFallback tools tailscale remote reload tls http push nodes`,
  "gateway.auth": "mode token password allowTailscale identityScopes rateLimit trustedProxy",
};

export function loadConfiguration(path) {
  let text;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new StartError(
      "Missing config. Run `openclaw setup` or set gateway.mode=local (or pass --allow-unconfigured).",
    );
  }
  if (looksCut(parse(text), path)) {
    copyFileSync(`${path}.bak`, path);
    log("Config auto-restored from backup");
    text = readFileSync(path, "utf8");
  }
  const found = withIncludes(parse(text), path);
  for (const [place, known] of Object.entries(KNOWN)) {
    const part = place.split(".").filter(Boolean).reduce((value, key) => value?.[key], found);
    const unknown = Object.keys(part ?? {}).find((key) => !known.split(/\s+/).includes(key));
    if (unknown) throw invalid(path, `${place || "<root>"}: Unrecognized key: "${unknown}"`);
  }
  if (found.gateway?.mode !== "local") {
    throw new StartError(
      "Gateway start blocked: existing config is missing gateway.mode. Set gateway.mode=local manually.",
    );
  }
  return found;
}

// A configuration without the note of who wrote it last looks cut, where the backup has one.
function looksCut(found, path) {
  try {
    const backup = parse(readFileSync(`${path}.bak`, "utf8"));
    return Boolean(backup.meta && backup.gateway?.mode && !found.meta);
  } catch {
    return false;
  }
}

// What is not an object counts as one without keys, which is refused for what is missing in it.
function parse(text) {
  try {
    const found = json5.parse(text);
    return found !== null && typeof found === "object" && !Array.isArray(found) ? found : {};
  } catch {
    return {};
  }
}

// Included files come first: lists are joined, objects merged, and anything else beside `$include` wins.
function withIncludes(value, file) {
  if (Array.isArray(value)) return value.map((one) => withIncludes(one, file));
  if (value === null || typeof value !== "object") return value;
  const { $include = [], ...rest } = value;
  const here = Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, withIncludes(one, file)]));
  return [$include].flat().map((name) => included(resolve(dirname(file), name))).concat(here).reduce(joined);
}

function included(path) {
  try {
    return withIncludes(json5.parse(readFileSync(path, "utf8")), path);
  } catch {
    throw invalid(path, "Failed to read include file");
  }
}

function joined(base, top) {
  if (Array.isArray(base) && Array.isArray(top)) return [...base, ...top];
  const objects = [base, top].every((one) => one !== null && typeof one === "object" && !Array.isArray(one));
  if (!objects) return top;
  const all = { ...base };
  for (const [key, value] of Object.entries(top)) all[key] = key in base ? joined(base[key], value) : value;
  return all;
}

// How the gateway is bound and whom it lets in have to fit together.
export function checkAccess({ gateway }, bind, token) {
  const { auth = {}, tailscale = {} } = gateway;
  if ((tailscale.mode ?? "off") !== "off" && bind !== "loopback") {
    throw new StartError("tailscale serve/funnel requires gateway bind=loopback (127.0.0.1)");
  }
  if (bind !== "loopback" && (auth.mode === "none" || !token)) {
    throw new StartError(
      `Refusing to bind gateway to ${bind} without auth.\nSet OPENCLAW_GATEWAY_TOKEN or OPENCLAW_GATEWAY_PASSWORD, or ` +
        "pass --token/--password to start with auth.",
    );
  }
}

// A token in the file beats the one in the environment.
export function gatewayToken(configuration) {
  return configuration.gateway.auth?.token || process.env.OPENCLAW_GATEWAY_TOKEN || undefined;
}

function invalid(path, issue) {
  return new StartError(
    `Gateway failed to start: Invalid config at ${path}:\n${issue}\nRun "openclaw doctor --fix" to repair, then retry.`,
  );
}
