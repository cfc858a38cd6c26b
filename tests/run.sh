#!/bin/bash
# Installs what is missing, builds into build/ and runs every test. Further arguments go to ctest:
#   tests/run.sh -L unit          one label: unit golden conformance live fault
#   tests/run.sh -R Plan          by name
# Ends with ctest's own count. Non-zero on a failure, on a test that did not run (a missing server is no
# reason to skip), and when there is nothing to run. POSTERN_JOBS sets the parallelism (default: cores); twice
# as many tests run at a time, because those on real servers wait for them half of their time.
# A test that fails is run a second time. That excuses at most two of the tests on real servers (labels live,
# fault and conformance: a machine that others use, too, can starve a daemon), says which, and excuses no
# other test.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
jobs=${POSTERN_JOBS:-$(nproc)}

tests/support/install.sh
cmake -G Ninja -S . -B build -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPOSTERN_TESTS=ON \
  -DPOSTERN_SANITIZE=OFF --log-level=WARNING
cmake --build build --parallel "$jobs"

log=build/ctest.log
result=0
ctest --test-dir build --output-on-failure --no-tests=error --no-label-summary --parallel $((2 * jobs)) \
  --repeat until-pass:2 "$@" 2>&1 | tee "$log" || result=1
if grep -q 'tests did not run:' "$log"; then
  echo "Some tests did not run; they stand above. That is a failure here." >&2
  result=1
fi

# Numbers of the tests that failed and passed when they were run again.
again=$(awk '/Test +#[0-9]+: .*\*\*\*/ { match($0, /#[0-9]+/); tried[substr($0, RSTART + 1, RLENGTH - 1)] = 1 }
             /^The following tests FAILED/ { last = 1 }
             last && /^[ \t]*[0-9]+ - / { delete tried[$1] }
             END { for (number in tried) print number }' "$log" | sort)
if [[ -n $again ]]; then
  echo "Failed, and passed when run again:" >&2
  for number in $again; do grep -m 1 "Test *#$number:" "$log" >&2; done
  on_servers=$(ctest --test-dir build -N -L '^(live|fault|conformance)$' |
    sed -n 's/^ *Test *#\([0-9]*\): .*/\1/p' | sort)
  excused=$(comm -12 <(echo "$again") <(echo "$on_servers"))
  if [[ $again != "$excused" || $(wc -l <<<"$again") -gt 2 ]]; then
    echo "That excuses two tests on real servers at most, and no other: a failure." >&2
    result=1
  fi
fi
exit "$result"
