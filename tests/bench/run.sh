#!/bin/bash
# Measures what the product promises. tests/bench/run.sh [NAME[:N]...]; names: plan-noop apply
# ldap-read acl-read host-read raise scim-read roles import-parse deliver export-csv.
# One JSON object a line. Builds build/ fully optimised first; POSTERN_BENCH_BUILD names another folder.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
build=${POSTERN_BENCH_BUILD:-build}
cmake -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPOSTERN_TESTS=ON \
  -DPOSTERN_SANITIZE=OFF --log-level=WARNING >&2
cmake --build "$build" --parallel "$(nproc)" --target postern postern-provider-memory \
  postern-provider-directory bench_toml_peer bench_ldap_read bench_host_read \
  bench_raise bench_roles bench_import bench_deliver bench_export_csv postern-provider-delivery postern-provider-iam bench_scim_read >&2
exec python3 tests/bench/measure.py "$build/bin" "$@"
