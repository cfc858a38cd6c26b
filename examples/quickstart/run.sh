#!/bin/bash
# The quickstart: a real OpenLDAP directory and a real ProFTPD server on loopback, as root also an OpenSSH
# server over the same folders, governed by the few TOML files beside this script. Installs what is missing, builds, tells the story step by step, checks
# every step, ends all that it started. Last line: "quickstart: ok".
#
#   examples/quickstart/run.sh
#
# POSTERN_BIN=DIR uses the binaries in DIR and builds nothing. QUICKSTART_KEEP=1 keeps the scratch folder.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
repository=$(readlink -f "$here/../..")
PATH=$PATH:/usr/sbin:/sbin

step=preparation
stop_story() {
  echo "quickstart: stopped at \"$step\": $1" >&2
  exit 1
}
# shellcheck source=servers.sh
. "$here/servers.sh"

# ---- install and build -----------------------------------------------------------------------------

"$repository/tests/support/install.sh" --runtime
bin=${POSTERN_BIN:-}
if [ -z "$bin" ]; then
  build=$repository/build
  bin=$build/bin
  # Tests are built where they were built before (tests/run.sh); a newcomer doesn't wait for them.
  tests=OFF
  if grep -qs '^POSTERN_TESTS:BOOL=ON' "$build/CMakeCache.txt"; then tests=ON; fi
  cmake -G Ninja -S "$repository" -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    "-DPOSTERN_TESTS=$tests" --log-level=WARNING >/dev/null
  cmake --build "$build" --target postern postern-provider-directory postern-provider-filetransfer \
    postern-provider-runner postern-provider-delivery
fi
[ -x "$bin/postern" ] || stop_story "there is no $bin/postern"

# ---- the world -------------------------------------------------------------------------------------

# sshd serves system accounts, and those belong to the machine: ours get an /etc and a /srv of their own,
# in a mount namespace that ends with this script. That takes root.
beside_sshd=
if [ "$(id -u)" = 0 ]; then
  if [ -z "${QUICKSTART_PRIVATE:-}" ] && unshare --mount true 2>/dev/null; then
    POSTERN_BIN=$bin QUICKSTART_PRIVATE=1 exec unshare --mount --propagation private -- "$0"
  fi
  if [ -n "${QUICKSTART_PRIVATE:-}" ] && own_machine; then beside_sshd=1; fi
fi

scratch=$(readlink -f "$(mktemp -d "${TMPDIR:-/tmp}/postern-quickstart.XXXXXX")")
clean_up() {
  local result=$?
  trap - EXIT
  end_servers
  if [ -n "${QUICKSTART_KEEP:-}" ]; then echo "kept: $scratch"; else rm -rf "$scratch"; fi
  if [ "$result" = 0 ]; then echo "quickstart: ok"; fi
  exit "$result"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
chmod 0711 "$scratch"   # sessions of other uids walk through it
root=$scratch/exchange
scratch_sshd=/srv/ssh
if [ -n "$beside_sshd" ]; then root=/srv/exchange; fi
mkdir "$scratch/secrets" "$scratch/clients"
chmod 0700 "$scratch/secrets" "$scratch/clients"
new_secret login-acme-in
new_secret login-sam
for owner in li acme intruder cards; do
  ssh-keygen -q -t ed25519 -N '' -C "$owner@example.test" -f "$scratch/clients/$owner"
done
mv "$scratch/clients/cards" "$scratch/secrets/cards-key"
hold_ports ldap_port ftp_port sftp_port sshd_port
start_slapd
start_proftpd
# A job runs as somebody else than root, also where nobody else is.
# The program stands, and the two secrets are, where that account can read them.
job_user=$(id -un)
as_job_user=()
mkdir -p "$scratch/jobs/units"
if [ "$job_user" = root ]; then
  job_user=nobody
  as_job_user=(setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups --)
  mkdir "$scratch/bin"
  cp "$bin"/postern "$bin"/postern-provider-* "$scratch/bin"
  bin=$scratch/bin
  chmod 0711 "$scratch/secrets"
  chown nobody "$scratch/secrets/cards-key" "$scratch/secrets/corp-bind"
fi
if [ -n "$beside_sshd" ]; then
  start_sshd
else
  echo "One file server, ProFTPD: an sshd beside it takes root and a mount namespace."
fi

starts=$(date -u -d '-30 days' +%F)
ends=$(date -u -d '+20 days' +%F)
after=$(date -u -d '+21 days' +%FT00:00:00Z)   # the contract's last day is inclusive
world=$scratch/world
mkdir "$world"
cp -r "$here/operator" "$here/access" "$world"
if [ -n "$beside_sshd" ]; then
  find "$world" -name '*.toml' -exec sed -i -e 's/^#sshd //' -e '/# not beside sshd$/d' {} +
else
  find "$world" -name '*.toml' -exec sed -i -e '/^#sshd /d' -e 's/ *# not beside sshd$//' {} +
fi
find "$world" -name '*.toml' -exec sed -i -e "s|@SSHD@|$scratch_sshd|g" \
  -e "s|@ROOT@|$root|g" -e "s|@PROFTPD@|$scratch/proftpd|g" -e "s|@SECRETS@|$scratch/secrets|g" \
  -e "s|@GID@|$gid|g" -e "s|@DAEMON@|$daemon|g" -e "s|@LDAP_PORT@|$ldap_port|g" \
  -e "s|@JOBS@|$scratch/jobs|g" -e "s|@JOB_USER@|$job_user|g" -e "s|@BIN@|$bin|g" \
  -e "s|@SFTP_PORT@|$sftp_port|g" \
  -e "s|@FTP_HOST_KEY@|$(cut -d' ' -f1,2 "$scratch/proftpd/host_key.pub")|g" \
  -e "s|@CARDS_KEY@|$(cat "$scratch/clients/cards.pub")|g" \
  -e "s|@STARTS@|$starts|g" -e "s|@ENDS@|$ends|g" \
  -e "s|@LI_KEY@|$(cat "$scratch/clients/li.pub")|g" \
  -e "s|@ACME_KEY@|$(cat "$scratch/clients/acme.pub")|g" {} +
cd "$world"

# ---- telling and checking --------------------------------------------------------------------------

tell() {
  step=$1
  printf '\n--- %s\n' "$step"
}
# postern_exits CODE ARGUMENTS...: runs and shows it; what it said stays in $said.
postern_exits() {
  local want=$1 got=0 as=()
  shift
  if [ "$1 ${2:-}" = "job run" ]; then as=("${as_job_user[@]}"); fi
  printf '\n$ %spostern %s\n' "${as:+sudo -u $job_user }" "$*"
  said=$("${as[@]}" "$bin/postern" "$@" 2>&1 </dev/null) || got=$?
  printf '%s\n' "$said"
  [ "$got" = "$want" ] || stop_story "postern $1 ended with $got, expected $want"
}
says() {
  grep -qF -- "$1" <<<"$said" || stop_story "\"$1\" does not stand in the output above"
}
# allowed WHAT COMMAND... / refused WHAT COMMAND...: a client's try, shown in one line.
allowed() {
  local what=$1
  shift
  "$@" >"$scratch/client.out" 2>&1 ||
    { cat "$scratch/client.out" >&2; stop_story "should be allowed, was refused: $what"; }
  echo "  allowed  $what"
}
refused() {
  local what=$1
  shift
  if "$@" >"$scratch/client.out" 2>&1; then stop_story "should be refused, was allowed: $what"; fi
  # A refusal is an answer of the server; a server that is gone is none.
  if grep -qiE "connection refused|couldn't connect|timed out" "$scratch/client.out"; then
    cat "$scratch/client.out" >&2
    stop_story "the server did not answer: $what"
  fi
  echo "  refused  $what"
}
li_lists() { printf 'ls %s\n' "$1" | sftp_do li "$scratch/clients/li"; }
acme_lists() { printf 'ls %s\n' "$root/acme/out" | sftp_do acme-in "$scratch/clients/acme"; }
intruder_logs_in() { printf 'pwd\n' | sftp_do acme-in "$scratch/clients/intruder"; }
intruder_lists() { printf 'ls %s\n' "$root/acme/out" | sftp_do acme-in "$scratch/clients/intruder"; }
li_lists_at_sshd() { printf 'ls %s\n' "$1" | sftp_do li-sftp "$scratch/clients/li" "$sshd_port"; }
li_fetches_at_sshd() {
  printf 'get %s %s\n' "$1" "$scratch/clients/got" | sftp_do li-sftp "$scratch/clients/li" "$sshd_port"
}
intruder_at_sshd() { printf 'ls\n' | sftp_do li-sftp "$scratch/clients/intruder" "$sshd_port"; }
catalog_in_ops() {
  as_helpdesk ldapsearch -LLL -b cn=ops,ou=groups,ou=exchange,dc=example,dc=test member |
    grep -q '^member: uid=catalog,'
}
echo "an order of Acme" >"$scratch/clients/order.txt"

# ---- the story -------------------------------------------------------------------------------------

tell "Is what people wrote in order? No server is asked for this"
postern_exits 0 validate

tell "Who would gain what, and where? Nothing is changed yet"
postern_exits 0 plan
says "Gain access"
says "acme"
says "li.wong"
says "sam.ode"
postern_exits 2 plan --detailed-exitcode --out "$scratch/first.plan"
refused "acme-in logs in before the plan is applied" ftp_get acme-in "$root/acme/"

tell "Carry it out"
postern_exits 0 apply "$scratch/first.plan" --yes

tell "A second plan has nothing to do"
postern_exits 0 plan --detailed-exitcode

tell "Ordinary clients find exactly what the TOML says"
echo "prices" >"$root/acme/out/prices.csv"
# Beside sshd the folder's default ACL has said already who may read what is new.
if [ -z "$beside_sshd" ]; then chmod 0644 "$root/acme/out/prices.csv"; fi
allowed "acme-in brings a file to acme/in (FTP)" \
  ftp_put acme-in "$scratch/clients/order.txt" "$root/acme/in/order.txt"
refused "acme-in reads it back" ftp_get acme-in "$root/acme/in/order.txt"
allowed "acme-in fetches acme/out/prices.csv" ftp_get acme-in "$root/acme/out/prices.csv"
refused "acme-in writes to acme/out" \
  ftp_put acme-in "$scratch/clients/order.txt" "$root/acme/out/order.txt"
refused "acme-in brings a file to campaigns" \
  ftp_put acme-in "$scratch/clients/order.txt" "$root/campaigns/order.txt"
refused "sam brings a file to campaigns, where he may only read" \
  ftp_put sam "$scratch/clients/order.txt" "$root/campaigns/order.txt"
allowed "li, of the group ops, lists acme/in by SFTP with a key" li_lists "$root/acme/in"
allowed "acme-in lists acme/out by SFTP with its key" acme_lists
refused "a stranger's key opens acme-in" intruder_lists
if [ -n "$beside_sshd" ]; then
  allowed "li lists acme/in at sshd: one grant, every server of the host" li_lists_at_sshd "$root/acme/in"
  refused "li fetches the machine's password file there" li_fetches_at_sshd /etc/shadow
  refused "a stranger's key opens li-sftp" intruder_at_sshd
fi

tell "A program has an identity of its own, and its job runs every night; now once by hand"
postern_exits 0 job next --count 2
postern_exits 0 job run export.cards --spec "$scratch/jobs/jobs/export.cards/spec.json" --slot now
says "delivered"
cards=$(echo "$root"/acme/out/cards_*.csv)   # of the day in the schedule's zone
allowed "acme-in fetches what the job brought" ftp_get acme-in "$cards"
grep -q '^li,Li Wong,' "$cards" || stop_story "li doesn't stand in $cards"
postern_exits 0 job status
postern_exits 0 plan --detailed-exitcode

tell "Somebody changes each server by hand"
ssh-keygen -e -m RFC4716 -f "$scratch/clients/intruder.pub" >>"$scratch/proftpd/keys/acme-in"
echo "  on the file server: a second key for acme-in"
as_helpdesk ldapmodify >"$scratch/client.out" <<END || stop_story "the helpdesk can't change the group"
dn: cn=ops,ou=groups,ou=exchange,dc=example,dc=test
changetype: modify
add: member
member: uid=catalog,ou=people,ou=exchange,dc=example,dc=test
END
echo "  in the directory: the service catalog joins the group ops"
if [ -n "$beside_sshd" ]; then
  chmod g= "$root/acme/out"
  echo "  on the host: chmod g= acme/out, which cuts everybody's entries in its ACL"
  refused "li lists acme/out at sshd now" li_lists_at_sshd "$root/acme/out"
fi
allowed "the stranger's key opens acme-in now" intruder_logs_in
catalog_in_ops || stop_story "the directory does not show catalog in ops"

tell "Postern names them all"
postern_exits 2 drift
says "acme-in"
says "catalog"
if [ -n "$beside_sshd" ]; then says "$root/acme/out"; fi

tell "and heals them"
postern_exits 2 plan --detailed-exitcode --out "$scratch/heal.plan"
postern_exits 0 apply "$scratch/heal.plan" --yes
refused "the stranger's key opens acme-in" intruder_lists
allowed "acme's own key still does" acme_lists
if [ -n "$beside_sshd" ]; then
  allowed "li lists acme/out at sshd again" li_lists_at_sshd "$root/acme/out"
fi
if catalog_in_ops; then stop_story "catalog is still in ops"; fi
echo "  catalog is out of ops again"
postern_exits 0 drift

tell "Acme's contract ends on $ends: what happens the day after?"
postern_exits 2 plan --detailed-exitcode --as-of "$after" --out "$scratch/end.plan"
says "Lose access"
says "acme"
says "its time ended"

tell "End it today instead: a plan for a later day may only take away"
postern_exits 0 apply "$scratch/end.plan" --yes
refused "acme-in fetches acme/out/prices.csv" ftp_get acme-in "$root/acme/out/prices.csv"
refused "acme-in brings a file to acme/in" \
  ftp_put acme-in "$scratch/clients/order.txt" "$root/acme/in/again.txt"
refused "acme-in lists acme/out by SFTP with its key" acme_lists
allowed "li goes on working" li_lists "$root/acme/in"
if [ -n "$beside_sshd" ]; then allowed "at sshd, too" li_lists_at_sshd "$root/acme/in"; fi
printf '\n'
