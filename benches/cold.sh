#!/bin/sh
# Measures the whole program, from its start to its end, on generated meshes: the best time of several runs and the most
# memory that was resident. Usage: benches/cold.sh [RUNS]; the program is built with the profile "quick".
set -eu
cd "$(dirname "$0")/.."
runs=${1:-5}
target=${CARGO_TARGET_DIR:-target}
program=$target/quick/meshtriage
cargo build --quiet --profile quick
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cargo bench --quiet --profile quick --bench meshes -- "$folder"
uptime
python3 - "$program" "$folder" "$runs" <<'PYTHON'
import os, subprocess, sys, time

program, folder, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])

def measured(arguments):
    """Seconds, user and system seconds, and peak MiB of one run."""
    with open(os.devnull, "w") as nowhere:
        began = time.monotonic()
        child = subprocess.Popen([program, "run", "istioctl.analyze", *arguments], stdout=nowhere)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - began
    # 79: the analysis found errors, as it must.
    if os.waitstatus_to_exitcode(status) not in (0, 79):
        sys.exit(f"{arguments} ended with {status}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

cases = [(f"{name} from YAML", ["--files", f"{folder}/{name}.yaml"])
         for name in ("realistic-1000", "realistic-10000", "realistic-100000", "fifths-10000", "fifths-100000",
                      "external-2200", "pods-3600")]
cases += [(f"{name} from a recording", ["--capture", f"{folder}/{name}"])
          for name in ("realistic-1000", "realistic-10000", "realistic-100000", "fifths-10000", "fifths-100000")]
print(f"{'':40} {'best s':>8} {'CPU s':>8} {'peak MiB':>9}")
for title, arguments in cases:
    results = [measured(arguments) for _ in range(runs)]
    best, cpu, peak = (min(result[part] for result in results) for part in range(3))
    print(f"{title:40} {best:8.3f} {cpu:8.3f} {peak:9.1f}", flush=True)
PYTHON
