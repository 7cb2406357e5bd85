#!/bin/sh
# Prepares a fresh server, once: Docker with compose, security updates.  The first deployment brings the firewall for
# containers, before it starts any.
# It may run again at any time; what is there already is left alone.
set -u

log() { echo "clawdet-prepare: $*"; }

apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@"; }

# Docker's own address pools end at 30 networks, which are 14 customers of a shared host.
if [ ! -e /etc/docker/daemon.json ]; then
    mkdir -p /etc/docker
    cat > /etc/docker/daemon.json <<'END'
{"default-address-pools": [{"base": "172.20.0.0/14", "size": 26}, {"base": "10.13.0.0/16", "size": 26}]}
END
    # Where Docker is a part of the image, it runs already, without containers.
    [ -n "$(docker ps --quiet 2>/dev/null)" ] || systemctl try-restart docker.service || log "Docker did not restart"
fi

if ! command -v dockerd >/dev/null || ! docker compose version >/dev/null 2>&1; then
    for try in 1 2 3 4 5; do
        apt update && apt install -y --no-install-recommends docker.io docker-cli docker-compose iptables && break
        log "installing Docker failed (try $try)"
        sleep $((try * 5))
    done
fi
systemctl enable --now docker.service || log "Docker did not start"

mkdir -p -m 0700 /srv/clawdet

# Updates in the background: they are good to have, and a server without a way out to the mirrors starts as fast without.
systemd-run --quiet --collect --unit=clawdet-updates --property=RuntimeMaxSec=900 /bin/sh -c '
    command -v unattended-upgrade >/dev/null ||
        DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=0 \
            -o Acquire::http::Timeout=10 install -y --no-install-recommends unattended-upgrades ||
        echo "unattended-upgrades could not be installed"
' || log "security updates were not set up"
log "done"
