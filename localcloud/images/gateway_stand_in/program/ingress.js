// Who asks, and whether they know the token.

import { timingSafeEqual } from "node:crypto";
import { BlockList, isIP, isIPv6 } from "node:net";

const FORWARDED = /^(forwarded|x-real-ip|x-forwarded-.*)$/;

export class Ingress {
  #token;
  #proxies = new BlockList();

  constructor(token, trustedProxies = []) {
    this.#token = Buffer.from(token);
    for (const one of trustedProxies) {
      const [address, prefix] = one.split("/");
      const family = isIPv6(address) ? "ipv6" : "ipv4";
      if (prefix) this.#proxies.addSubnet(address, Number(prefix), family);
      else this.#proxies.addAddress(address, family);
    }
  }

  // "local" for a process beside the gateway, "remote" for others, "unattributable" where a proxy does not say for whom it
  // asks, or a caller that is not trusted as a proxy does.
  origin(request) {
    const peer = plain(request.socket.remoteAddress ?? "");
    if (this.#trusts(peer)) {
      const client = this.#client(request.headers["x-forwarded-for"] ?? "");
      return client === undefined || isLoopback(client) ? "unattributable" : "remote";
    }
    const forwarded = Object.keys(request.headers).some((name) => FORWARDED.test(name));
    if (forwarded) return "unattributable";
    return isLoopback(peer) ? "local" : "remote";
  }

  // The last address that no trusted proxy has.
  #client(forwardedFor) {
    const addresses = forwardedFor.split(",").map((one) => plain(one.trim()));
    const client = addresses.reverse().find((one) => !this.#trusts(one));
    return client !== undefined && isIP(client) ? client : undefined;
  }

  #trusts(address) {
    return isIP(address) > 0 && this.#proxies.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  }

  knowsToken(request) {
    const [, shown] = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "") ?? [];
    return shown !== undefined && this.isToken(shown);
  }

  isToken(shown) {
    const given = Buffer.from(String(shown));
    return given.length === this.#token.length && timingSafeEqual(given, this.#token);
  }
}

function isLoopback(address) {
  return address === "::1" || address.startsWith("127.");
}

// An IPv4 address in the form of IPv6 is that IPv4 address.
function plain(address) {
  return address.replace(/^::ffff:/, "");
}
