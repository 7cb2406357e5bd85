#!/bin/sh
# What containers may not reach: the provider's metadata service, which hands out this server's user data, and the ports of
# this server itself.  Chains of our own, so that neither Docker's restarts nor ours double or lose a rule.
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

rules iptables
# A kernel without IPv6 has nothing to close.
if [ -e /proc/net/if_inet6 ]; then rules ip6tables; fi
