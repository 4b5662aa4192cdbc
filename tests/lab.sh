#!/usr/bin/env bash
# Real API servers on loopback for the live tests: tests/lab, with the recordings of tests/recordings.
#
#   tests/lab.sh built DIR    whether they are built
#   tests/lab.sh build DIR    builds kube-apiserver, etcd and kwok into DIR/bin, where they are kept (minutes, once)
#   tests/lab.sh start DIR    starts one server for each recording and an empty one, each afresh (seconds)
#   tests/lab.sh stop DIR     ends them all
#
# A server's kubeconfig is DIR/N/kubeconfig; `tests/it/support/lab.rs` names the numbers.
set -euo pipefail

fail() { echo "lab.sh: $*" >&2; exit 1; }

[ $# -eq 2 ] || fail "usage: tests/lab.sh built|build|start|stop DIR"
command=$1
tests=$(cd "$(dirname "$0")" && pwd)
lab=$tests/lab/lab.py
mkdir -p "$2"
LAB=$(cd "$2" && pwd)
export LAB

recordings=(healthy broken upstream)
empty=${#recordings[@]}

down() {
    for number in $(seq 0 "$empty"); do python3 "$lab" down --instance "$number" & done
    wait
}

# A recording's folder, which the tests use too: see tests/it/support/recordings.rs.
unpacked() {
    local archive=$tests/recordings/$1.tar.gz hash folder
    hash=$(sha256sum "$archive" | cut -c 1-12)
    folder=$(dirname "$LAB")/recordings/$1-$hash
    if [ ! -d "$folder" ]; then
        rm -rf "$folder.part"
        mkdir -p "$folder.part"
        tar --extract --gzip --file "$archive" --directory "$folder.part"
        mv --no-target-directory "$folder.part" "$folder"
    fi
    echo "$folder"
}

# The lab has fixed ports. A server of somebody else behind one of them would be loaded with our objects.
check_ports() {
    for port in $((16443 + $1)) $((12380 + 2 * $1)) $((12381 + 2 * $1)) $((10247 + 20 * $1)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            fail "port $port is taken, perhaps by the lab of another work tree: stop that with its tests/lab.sh"
        fi
    done
}

up() {
    number=$1
    shift
    check_ports "$number"
    python3 "$lab" up --instance "$number" "$@" >"$LAB/$number.log" 2>&1 || {
        cat "$LAB/$number.log" >&2
        tail -n 5 "$LAB/$number/logs/"*.log >&2 || true
        down
        fail "server $number did not start"
    }
}

# Tells the controllers that the simulated node lives, as a kubelet does. Nobody else does, and after 50 seconds of silence
# they call its pods unready for good. The lab ends whatever has a number in `run`.
keep_node_alive() {
    local folder=$LAB/$empty url=https://127.0.0.1:$((16443 + empty))/api/v1/nodes/lab-node-0/status
    while curl --silent --fail --max-time 10 --output /dev/null --request PATCH "$url" \
        --cacert "$folder/pki/ca.crt" --cert "$folder/pki/admin.crt" --key "$folder/pki/admin.key" \
        --header 'Content-Type: application/strategic-merge-patch+json' --data \
        "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastHeartbeatTime\":\"$(date -u +%FT%TZ)\"}]}}"; do
        sleep 10
    done </dev/null >/dev/null 2>&1 &
    echo $! >"$folder/run/heartbeat.pid"
}

case $command in
built)
    for program in hyperkube etcd kwok; do [ -x "$LAB/bin/$program" ] || exit 1; done
    ;;
build)
    python3 "$lab" build
    ;;
start)
    down
    for number in "${!recordings[@]}"; do
        up "$number" --capture "$(unpacked "${recordings[$number]}")"
    done
    up "$empty" --controllers
    keep_node_alive
    ;;
stop)
    down
    ;;
*) fail "usage: tests/lab.sh built|build|start|stop DIR" ;;
esac
