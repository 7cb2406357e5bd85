// Lets a browser into the Control UI once the proxy has asked it for the password.
//
// The gateway takes a new browser only after somebody on its host has approved it, and customers have no way onto that
// host.  For this case the Control UI asks its own address for /.well-known/openclaw/browser-bootstrap, which whoever
// runs the gateway has to answer: with a credential that works once, for ten minutes, and is bound to the browser that
// uses it.  The proxy brings only requests here that gave the password, with the gateway's token, which `auth: gateway`
// checks; so nobody gets a credential here who could not use the token anyway.

import { readFileSync, renameSync } from "node:fs";

import { issueDeviceBootstrapToken } from "openclaw/plugin-sdk/device-bootstrap";
import { definePluginEntry } from "openclaw/plugin-sdk/plugin-entry";

// The gateway's own profile for the browser of its owner; it refuses other scopes under this purpose.
const OWNER = {
  roles: ["operator"],
  scopes: [
    "operator.admin",
    "operator.approvals",
    "operator.pairing",
    "operator.questions",
    "operator.read",
    "operator.talk.secrets",
    "operator.write",
  ],
  purpose: "control-ui-owner",
};

async function answer(request, response) {
  if (request.method !== "GET") {
    response.writeHead(405, { Allow: "GET" }).end();
    return true;
  }
  const { token } = await issueDeviceBootstrapToken({ profile: OWNER });
  response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store" });
  response.end(JSON.stringify({ bootstrapToken: token, bootstrapProfile: "owner" }));
  return true;
}

// Names the settings that the deployment has just overruled in the gateway's own log, which the Control UI shows.
function reportSettings({ logger }) {
  try {
    const { overruled, at } = JSON.parse(readFileSync(`${process.env.OPENCLAW_STATE_DIR}/clawdet-settings.json`));
    if (Date.now() - Date.parse(at) > 300_000) return;
    for (const path of overruled) {
      logger.warn(`${path} is decided by the deployment; the setting in the configuration was overruled`);
    }
  } catch {
    // There is no report.
  }
}

// Tells the next start which configuration the gateway has accepted.
function reportStart() {
  const folder = process.env.OPENCLAW_STATE_DIR;
  try {
    renameSync(`${folder}/clawdet-starting.json`, `${folder}/clawdet-started.json`);
  } catch {
    // It was reported already.
  }
}

export default definePluginEntry({
  id: "clawdet-handoff",
  name: "Browser handoff",
  description: "Gives a browser that the proxy has asked for the password a credential of its own.",
  register(api) {
    api.registerHttpRoute({ path: "/plugins/clawdet/handoff", auth: "gateway", match: "exact", handler: answer });
    reportSettings(api);
    reportStart();
  },
});
