#!/bin/sh
# What containers may not reach: the provider's metadata service, which hands out this server's user data, and the ports of
# this server itself.  And how often one address may connect to the proxies, which ask for passwords.  Chains of our own, so
# that neither Docker's restarts nor ours double or lose a rule.
set -eu

rules() {
    iptables="$1"
    $iptables -w -N DOCKER-USER 2>/dev/null || true
    $iptables -w -N CLAWDET-FORWARD 2>/dev/null || $iptables -w -F CLAWDET-FORWARD
    $iptables -w -N CLAWDET-INPUT 2>/dev/null || $iptables -w -F CLAWDET-INPUT

    for bridge in docker0 br-+; do
        if [ "$iptables" = iptables ]; then
            $iptables -w -A CLAWDET-FORWARD -i "$bridge" -d 169.254.0.0/16 -j DROP
        else
            $iptables -w -A CLAWDET-FORWARD -i "$bridge" -d fe80::/10 -j DROP
            $iptables -w -A CLAWDET-INPUT -i "$bridge" -p ipv6-icmp -j RETURN
        fi
        $iptables -w -A CLAWDET-INPUT -i "$bridge" -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN
        $iptables -w -A CLAWDET-INPUT -i "$bridge" -j DROP
    done

    $iptables -w -C DOCKER-USER -j CLAWDET-FORWARD 2>/dev/null || $iptables -w -I DOCKER-USER -j CLAWDET-FORWARD
    $iptables -w -C FORWARD -j DOCKER-USER 2>/dev/null || $iptables -w -I FORWARD -j DOCKER-USER
    $iptables -w -C INPUT -j CLAWDET-INPUT 2>/dev/null || $iptables -w -I INPUT -j CLAWDET-INPUT
}

# How often one address may connect to the proxies, and how many connections it may hold.  They are published over IPv4
# alone, by a translation of addresses that keeps the caller's.  A page takes a few connections, and whoever tries
# passwords needs one for each; connections that are over do not count as held.
limits() {
    for bridge in docker0 br-+; do iptables -w -A CLAWDET-FORWARD -i "$bridge" -j RETURN; done
    for port in 80 443; do
        set -- -p tcp -m conntrack --ctstate NEW --ctdir ORIGINAL --ctorigdstport "$port"
        iptables -w -A CLAWDET-FORWARD "$@" -m connlimit --connlimit-above 256 --connlimit-mask 32 -j DROP &&
            iptables -w -A CLAWDET-FORWARD "$@" -m hashlimit --hashlimit-name "clawdet-$port" --hashlimit-mode srcip \
                --hashlimit-above 20/second --hashlimit-burst 100 --hashlimit-htable-expire 60000 -j DROP ||
            echo "connections to port $port are not limited" >&2
    done
}

rules iptables
# Docker waits for this program, so a kernel that cannot count leaves the proxies without limits, and not without service.
limits
# A kernel without IPv6 has nothing to close.
if [ -e /proc/net/if_inet6 ]; then rules ip6tables; fi
