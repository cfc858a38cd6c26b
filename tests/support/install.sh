#!/bin/sh
# Installs the Debian packages that Postern needs and that are missing, and, from npm, the SCIM servers of the
# tests (scim/README.md); quick when nothing is.
#
#   tests/support/install.sh             all: to build, to test, to check
#   tests/support/install.sh --runtime   to build, and the servers and clients of the quickstart
#   tests/support/install.sh --print     only names what is missing (with --runtime as well)
#
# As root it installs; as another user it uses sudo; without sudo, and with something missing, it prints
# the one line to run and exits 1. Packages must not start services on the way: a deny policy for
# invoke-rc.d stands during the install, unless the machine has a policy of its own.
set -eu

build="g++ cmake ninja-build ccache mold pkg-config libgrpc++-dev protobuf-compiler
  protobuf-compiler-grpc libprotobuf-dev libtomlplusplus-dev libssh2-1-dev libldap-dev
  libcurl4-openssl-dev nlohmann-json3-dev libsqlite3-dev libcli11-dev libfmt-dev libssl-dev libcrypt-dev
  libexpected-dev libutf8proc-dev libabsl-dev libgoogle-perftools-dev libxml2-dev libre2-dev libsodium-dev
  libarchive-dev zlib1g-dev
  tzdata ca-certificates"
servers="slapd ldap-utils proftpd-core proftpd-mod-crypto openssh-client openssh-server acl curl openssl
  procps"
tests="nslcd libnss-ldapd libgtest-dev libgmock-dev libbenchmark-dev clang-format-14 clang-tidy-14 sudo lftp
  python3 python3-jsonschema gnupg age nghttp2-proxy strace zsh fish jq libxml2-utils systemd"

here=$(dirname "$(readlink -f "$0")")
wanted="$build $servers $tests"
scim=yes
only_print=no
for argument in "$@"; do
  case $argument in
    --runtime)
      wanted="$build $servers"
      scim=no
      ;;
    --print) only_print=yes ;;
    *) echo "usage: $0 [--runtime] [--print]" >&2; exit 1 ;;
  esac
done

# The names of `wanted` that aren't fully installed, in one call. dpkg-query exits 1 for unknown names.
missing_of() {
  # shellcheck disable=SC2086  # a list of names
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $1 2>/dev/null |
    sed -n 's/^installed //p' || true)
  for name in $1; do
    printf '%s\n' "$installed" | grep -qxF "$name" || printf '%s ' "$name"
  done
}

# Node and npm count as programs: elsewhere than in Debian one package brings both.
if [ "$scim" = yes ]; then
  command -v node >/dev/null 2>&1 || wanted="$wanted nodejs"
  command -v npm >/dev/null 2>&1 || wanted="$wanted npm"
  modules=$("$here/scim/modules")
  [ ! -d "$modules" ] || scim=no
fi

missing=$(missing_of "$wanted")
if [ "$only_print" = yes ]; then
  [ -z "$missing" ] || printf '%s' "$missing"
  [ "$scim" = no ] || printf 'npm:tests/support/scim'
  [ -z "$missing" ] && [ "$scim" = no ] || echo
  exit 0
fi

# As who runs the tests, never as root for somebody else. In a folder beside its final place and renamed, so
# that what is there is complete, whoever else does the same at this moment.
install_scim() {
  [ "$scim" = yes ] || return 0
  echo "Installing from npm: tests/support/scim"
  mkdir -p "$(dirname "$modules")"
  fresh=$(mktemp -d "$modules.XXXXXX")
  cp "$here/scim/package.json" "$here/scim/package-lock.json" "$here/scim/.npmrc" "$fresh/"
  if ! (cd "$fresh" && npm ci --no-progress) || ! chmod 755 "$fresh"; then
    rm -rf "$fresh"
    echo "npm could not install the SCIM servers of the tests" >&2
    return 1
  fi
  mv -T "$fresh" "$modules" 2>/dev/null || rm -rf "$fresh"
  [ -d "$modules" ]
}

if [ -z "$missing" ]; then
  install_scim
  exit 0
fi

root=
if [ "$(id -u)" != 0 ]; then
  line="apt-get update && apt-get install -y --no-install-recommends $missing"
  if ! command -v sudo >/dev/null 2>&1 || ! sudo -v; then
    echo "Packages are missing, and only root can install them. Run this once, as root:" >&2
    echo "  $line" >&2
    exit 1
  fi
  root=sudo
fi

echo "Installing: $missing"
policy=/usr/sbin/policy-rc.d
ours=no
take_back() {
  if [ "$ours" = yes ]; then $root rm -f "$policy"; fi
  ours=no
}
trap take_back EXIT
trap 'exit 130' INT TERM HUP
if [ ! -e "$policy" ]; then
  # noclobber: a policy that appears in this moment is somebody else's and stays.
  if $root sh -c "set -C; printf '%s\n' '#!/bin/sh' 'exit 101' >$policy && chmod 755 $policy"; then
    ours=yes
  fi
fi

apt="$root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q"
$apt update
# shellcheck disable=SC2086
$apt install -y --no-install-recommends $missing
take_back

still=$(missing_of "$wanted")
if [ -n "$still" ]; then
  echo "Still missing after the install: $still" >&2
  exit 1
fi
install_scim
