#!/usr/bin/env bash
# Checks the API's description with other people's tools, which are installed below target/.
#
#   tests/openapi.sh lint      the linters: 0 errors and 0 warnings (short; for CI)
#   tests/openapi.sh clients   generates clients in Python, TypeScript and Go, and calls the demo with them
#   tests/openapi.sh fuzz      schemathesis against the demo, with `--auth none` and `--auth keys`
#
# MESHTRIAGE names the program (default: target/debug/meshtriage), EXAMPLES how many requests are made of each operation.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD tools=$PWD/target/openapi document=$PWD/openapi/openapi.json
program=${MESHTRIAGE:-$here/target/debug/meshtriage}
mkdir -p "$tools"

node() {
    [ -f "$tools/package.json" ] || (cd "$tools" && npm init -y >/dev/null)
    for package in "$@"; do
        [ -d "$tools/node_modules/${package%@[0-9]*}" ] && continue
        (cd "$tools" && npm install --no-audit --no-fund --silent "$package")
    done
}

python() {
    [ -d "$tools/py" ] || python3 -m venv "$tools/py"
    for package in "$@"; do
        "$tools/py/bin/pip" show -q "${package%%==*}" >/dev/null 2>&1 || "$tools/py/bin/pip" install -q "$package"
    done
}

serve() {
    local address=$1
    shift
    "$program" serve --demo --listen "$address" --database-url sqlite::memory: --log warn "$@" &
    server=$!
    trap 'kill $server 2>/dev/null || true' EXIT
    for _ in $(seq 100); do
        curl -sf "http://$address/readyz" >/dev/null && return
        sleep 0.2
    done
    echo "the service does not answer on $address" >&2
    exit 1
}

lint() {
    node @stoplight/spectral-cli@6 @stoplight/spectral-owasp-ruleset@2 @redocly/cli@2
    python openapi-spec-validator==0.9.0
    cp tests/openapi/spectral.yaml "$tools/spectral.yaml"
    "$tools/node_modules/.bin/spectral" lint --ruleset "$tools/spectral.yaml" --fail-severity hint "$document"
    "$tools/node_modules/.bin/redocly" lint --config tests/openapi/redocly.yaml --max-problems 1000 "$document" \
        2>&1 | tee "$tools/redocly.log"
    ! grep -q 'You have .* warning' "$tools/redocly.log"
    "$tools/py/bin/openapi-spec-validator" "$document"
}

clients() {
    local address=127.0.0.1:18931
    serve "$address"
    python openapi-python-client==0.29.1
    rm -rf "$tools/python-client" "$tools/typescript-client" "$tools/go-client"
    "$tools/py/bin/openapi-python-client" generate --path "$document" --output-path "$tools/python-client" \
        --meta setup
    "$tools/py/bin/pip" install -q "$tools/python-client"
    "$tools/py/bin/python" tests/openapi/client.py "http://$address"

    node openapi-typescript@7 openapi-fetch@0 typescript@5
    mkdir -p "$tools/typescript-client"
    "$tools/node_modules/.bin/openapi-typescript" "$document" --output "$tools/typescript-client/api.ts"
    cp tests/openapi/client.ts "$tools/typescript-client/client.ts"
    echo '{"type": "module"}' >"$tools/typescript-client/package.json"
    (cd "$tools/typescript-client" \
        && ../node_modules/.bin/tsc --target es2022 --module nodenext --skipLibCheck --strict client.ts \
        && command node client.js "http://$address")

    mkdir -p "$tools/go-client"
    cp tests/openapi/client.go "$tools/go-client/main.go"
    (cd "$tools/go-client" && { [ -f go.mod ] || go mod init example.com/client; } 2>/dev/null \
        && go run github.com/ogen-go/ogen/cmd/ogen@latest --target api --package api --clean "$document" \
        && go mod tidy 2>/dev/null && go run . "http://$address")
}

fuzz() {
    python schemathesis==4.32.5
    local key=let-me-in hash examples=${EXAMPLES:-20}
    hash=$(printf %s "$key" | sha256sum | cut -d' ' -f1)
    printf 'keys:\n- {name: test, sha256: %s, user: tester}\n' "$hash" >"$tools/keys.yaml"
    for mode in none keys; do
        local address=127.0.0.1:18932 header=()
        serve "$address" --auth "$mode" --keys-file "$tools/keys.yaml"
        [ "$mode" = keys ] && header=(--header "X-Api-Key: $key")
        SCHEMATHESIS_HOOKS=tests/openapi/hooks.py "$tools/py/bin/schemathesis" run "$document" --url "http://$address" \
            --max-examples "$examples" --seed 1 --workers 2 --suppress-health-check all --exclude-checks ignored_auth "${header[@]}"
        kill "$server" && wait "$server" 2>/dev/null || true
    done
}

case ${1:-lint} in
lint | clients | fuzz) "$1" ;;
*)
    sed -n '2,8p' "$0" >&2
    exit 64
    ;;
esac
