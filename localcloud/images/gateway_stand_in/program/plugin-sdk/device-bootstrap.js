import { randomBytes } from "node:crypto";

// Issues a credential for a browser. The stand-in has no page that would use it, so it keeps none.
export async function issueDeviceBootstrapToken() {
  return { token: randomBytes(32).toString("base64url"), expiresAtMs: Date.now() + 10 * 60_000 };
}
