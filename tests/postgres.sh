#!/usr/bin/env bash
# A throw-away PostgreSQL for the tests, from Debian's package `postgresql`.
#
#   tests/postgres.sh start DIR    starts it if it does not run yet, and prints its URL
#   tests/postgres.sh stop DIR     stops it and deletes its data
#
# Nothing it holds survives a power failure: it never waits for the disk.
set -euo pipefail

fail() { echo "postgres.sh: $*" >&2; exit 1; }

[ $# -eq 2 ] || fail "usage: tests/postgres.sh start|stop DIR"
command=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
data=$dir/data

bin=
for candidate in /usr/lib/postgresql/*/bin; do
    if [ -x "$candidate/initdb" ]; then bin=$candidate; fi
done
if [ -z "$bin" ] && command -v initdb >/dev/null; then bin=$(dirname "$(command -v initdb)"); fi
[ -n "$bin" ] || fail "no initdb in /usr/lib/postgresql/*/bin nor on PATH: install the package postgresql"

# The server refuses to run as root. The current folder may be closed to its user, so it works from /.
as_postgres() {
    if [ "$(id -u)" -ne 0 ]; then
        (cd / && "$@")
    elif command -v runuser >/dev/null; then
        (cd / && runuser -u postgres -- "$@")
    else
        (cd / && su postgres -s /bin/sh -c 'exec "$@"' -- sh "$@")
    fi
}

runs() { [ -s "$dir/port" ] && "$bin/pg_isready" -q -h 127.0.0.1 -p "$(cat "$dir/port")"; }

clear_away() {
    as_postgres "$bin/pg_ctl" -D "$data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$data" "$dir/port" "$dir/initdb.log"
}

start() {
    # What a killed server or a broken initdb left is not worth repairing.
    clear_away
    if [ "$(id -u)" -eq 0 ]; then
        chown postgres "$dir"
        as_postgres test -w "$dir" || fail "user postgres cannot reach $dir: a folder above it is closed to others"
    fi
    as_postgres "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 \
        || fail "initdb failed: $(tail -n 5 "$dir/initdb.log")"
    # It cannot choose a port by itself, and another process may take ours before it does: so try some.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        port=$((20000 + RANDOM % 12000))
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then continue; fi
        if as_postgres "$bin/pg_ctl" -D "$data" -l "$data/server.log" -w -t 30 start -o \
            "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 -c fsync=off -c synchronous_commit=off -c full_page_writes=off" \
            >/dev/null 2>&1 </dev/null; then
            echo "$port" >"$dir/port"
            return
        fi
    done
    fail "the server does not start: $(as_postgres tail -n 5 "$data/server.log")"
}

exec 9>"$dir/lock"
flock 9
case $command in
start)
    runs || start 9>&-
    echo "postgres://postgres@127.0.0.1:$(cat "$dir/port")/postgres"
    ;;
stop)
    clear_away
    ;;
*) fail "usage: tests/postgres.sh start|stop DIR" ;;
esac
