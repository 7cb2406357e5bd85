// Reads the gateway's configuration, which is JSON5, and refuses what the gateway refuses.

import { readFileSync } from "node:fs";

import json5 from "json5";

import { StartError } from "./log.js";

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
  const found = parse(text);
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

// What is not an object counts as one without keys, which is refused for what is missing in it.
function parse(text) {
  try {
    const found = json5.parse(text);
    return found !== null && typeof found === "object" && !Array.isArray(found) ? found : {};
  } catch {
    return {};
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
