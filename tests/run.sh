#!/bin/bash
# Installs what is missing, builds into build/ and runs every test. Further arguments go to ctest:
#   tests/run.sh -L unit          one label: unit golden conformance live fault
#   tests/run.sh -R Plan          by name
# Ends with ctest's own count. Non-zero on a failure, on a test that did not run (a missing server is no
# reason to skip), and when there is nothing to run. POSTERN_JOBS sets the parallelism (default: cores).
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
jobs=${POSTERN_JOBS:-$(nproc)}

tests/support/install.sh
cmake -G Ninja -S . -B build -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPOSTERN_TESTS=ON \
  -DPOSTERN_SANITIZE=OFF --log-level=WARNING
cmake --build build --parallel "$jobs"

log=build/ctest.log
result=0
ctest --test-dir build --output-on-failure --no-tests=error --no-label-summary --parallel "$jobs" \
  "$@" 2>&1 | tee "$log" || result=1
if grep -q 'tests did not run:' "$log"; then
  echo "Some tests did not run; they stand above. That is a failure here." >&2
  result=1
fi
exit "$result"
