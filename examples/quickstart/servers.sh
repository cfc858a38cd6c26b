# shellcheck shell=bash disable=SC2154,SC2034
# The real servers of the quickstart, started in the foreground below a scratch folder and ended by
# pid. Sourced by run.sh, which sets $scratch and defines stop_story (a message, then exit 1).
# Works as root (sessions switch to the account's own uid) and as an ordinary user (one uid for all).

# hold_ports NAME...: sets each to a port of 127.0.0.1 that the kernel chose and gives to nobody else until
# this script ends: a child keeps it bound without listening, and a server with SO_REUSEADDR may share it
# (socket(7)). perl-base is on every Debian.
hold_ports() {
  coproc ports {
    perl -MIO::Socket::INET -MSocket -e '
      $| = 1;
      for (@ARGV) {
        my $held = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Proto => "tcp") or die "$!\n";
        $held->setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
        push @held, $held;
        print $held->sockport, "\n";
      }
      <STDIN>' "$@"
  }
  local name
  for name; do read -r "${name?}" <&"${ports[0]}" || stop_story "no free port on 127.0.0.1"; done
}

# wait_for_port PORT PID NAME: until it accepts a connection, at most 20 s.
wait_for_port() {
  local port=$1 pid=$2 name=$3 tries
  for ((tries = 0; tries < 200; tries++)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return 0; fi
    if ! kill -0 "$pid" 2>/dev/null; then break; fi
    sleep 0.1
  done
  tail -n 20 "$scratch/$name.log" >&2
  stop_story "$name does not answer on 127.0.0.1:$port; the end of its log stands above"
}

# start NAME COMMAND...: in the foreground of a child that the kernel ends when we die; $! is its pid.
start() {
  local name=$1
  shift
  setpriv --pdeathsig TERM -- "$@" >>"$scratch/$name.log" 2>&1 </dev/null &
}

# new_secret NAME: a random one, in a file that only we can read; answers the file's path.
new_secret() {
  (umask 077 && perl -e 'open my $f, "<", "/dev/urandom" or die; read $f, my $b, 12;
    print unpack "H*", $b' >"$scratch/secrets/$1")
}

# own_machine: /srv and accounts of our own, for an sshd to serve. Only in a private mount namespace: it
# is gone with us, and the machine's /etc and /srv are as they were.
own_machine() {
  mount -t tmpfs -o mode=0755 none /srv || return 1
  mkdir -p /srv/.etc/upper /srv/.etc/work
  mount -t overlay overlay -o lowerdir=/etc,upperdir=/srv/.etc/upper,workdir=/srv/.etc/work /etc
}

start_sshd() {
  local home=$scratch_sshd program
  mkdir -p "$home/keys" "$home/sshd_config.d" "$root"
  groupadd -g 40000 exchange   # the primary group of the accounts that Postern makes
  if [ ! -d /run/sshd ]; then mkdir /run/sshd; made_run_sshd=1; fi
  ssh-keygen -q -t ed25519 -N '' -f "$home/host_key"
  cat >"$home/sshd_config" <<END
ListenAddress 127.0.0.1
Port $sshd_port
HostKey $home/host_key
PidFile $home/sshd.pid
UsePAM no
PasswordAuthentication no
UseDNS no
# What Postern needs of a configuration: keys outside the managed folders, the SFTP server inside sshd,
# and its own lines before any Match block.
AuthorizedKeysFile $home/keys/%u
Subsystem sftp internal-sftp
Include $home/sshd_config.d/*.conf
END
  program=$(command -v sshd)
  start sshd "$program" -D -e -f "$home/sshd_config"
  sshd_pid=$!
  wait_for_port "$sshd_port" "$sshd_pid" sshd
  echo "[127.0.0.1]:$sshd_port $(cut -d' ' -f1,2 "$home/host_key.pub")" >>"$scratch/known_hosts"
}

start_slapd() {
  local home=$scratch/slapd
  mkdir -p "$home/data"
  new_secret corp-bind
  new_secret helpdesk
  (umask 077 && cat >"$home/slapd.conf") <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $home/slapd.pid
argsfile $home/slapd.args
database mdb
suffix "dc=example,dc=test"
rootdn "cn=postern,dc=example,dc=test"
rootpw $(slappasswd -n -T "$scratch/secrets/corp-bind")
directory $home/data
maxsize 67108864
index objectClass,uid,cn,member,entryUUID,entryCSN,modifyTimestamp eq
access to attrs=userPassword by self write by anonymous auth by * none
access to * by dn.exact="cn=helpdesk,dc=example,dc=test" write by users read by anonymous auth
END
  # What is there before Postern comes: the suffix, a colleague with rights, an empty managed base.
  slapadd -q -f "$home/slapd.conf" <<END || stop_story "slapd's first entries can't be loaded"
dn: dc=example,dc=test
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=helpdesk,dc=example,dc=test
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: helpdesk
userPassword: $(slappasswd -n -T "$scratch/secrets/helpdesk")

dn: ou=exchange,dc=example,dc=test
objectClass: organizationalUnit
ou: exchange
END
  start slapd "$(command -v slapd)" -d 0 -h "ldap://127.0.0.1:$ldap_port" -f "$home/slapd.conf"
  slapd_pid=$!
  wait_for_port "$ldap_port" "$slapd_pid" slapd
}

start_proftpd() {
  local home=$scratch/proftpd user group control_user
  mkdir -p "$home/keys" "$root"
  if [ "$(id -u)" = 0 ]; then
    user=nobody group=nogroup gid=30000 control_user=root
  else
    user=$(id -un) group=$(id -gn) gid=$(id -g) control_user=$user
  fi
  ssh-keygen -q -t ecdsa -b 256 -m PEM -N '' -f "$home/host_key"
  (umask 077 && : >"$home/passwd" && : >"$home/group")
  : >"$home/postern.conf"
  cat >"$home/proftpd.conf" <<END
ServerName "quickstart"
ServerType standalone
UseIPv6 off
DefaultAddress 127.0.0.1
SocketBindTight on
UseReverseDNS off
DelayEngine off
WtmpLog off
TransferLog none
ModulePath /usr/lib/proftpd
LoadModule mod_sftp.c
LoadModule mod_ctrls_admin.c
Port $ftp_port
User $user
Group $group
PidFile $home/proftpd.pid
ScoreboardFile $home/scoreboard
ControlsEngine on
ControlsSocket $home/control.sock
ControlsInterval 1
ControlsACLs all allow user $control_user
ControlsSocketACL allow user $control_user
AdminControlsEngine on
AdminControlsACLs all allow user $control_user
AllowOverride off
<Global>
  # What Postern needs of a configuration: this line, and .ftpaccess files off.
  Include $home/postern.conf
  AuthOrder mod_auth_file.c
  AuthUserFile $home/passwd
  AuthGroupFile $home/group
  RequireValidShell off
  AllowOverride off
  AllowStoreRestart off
  Umask 007 007
</Global>
<VirtualHost 127.0.0.1>
  Port $sftp_port
  SFTPEngine on
  SFTPLog $home/sftp.log
  SFTPHostKey $home/host_key
  SFTPAuthorizedUserKeys file:$home/keys/%u
  SFTPOptions IgnoreSFTPUploadPerms
  SFTPExtensions -copyFile -hardlink -posixRename
</VirtualHost>
END
  daemon=$(PATH=$PATH:/usr/sbin:/sbin command -v proftpd)
  start proftpd "$daemon" -n -c "$home/proftpd.conf"
  proftpd_pid=$!
  wait_for_port "$ftp_port" "$proftpd_pid" proftpd
  wait_for_port "$sftp_port" "$proftpd_pid" proftpd
  echo "[127.0.0.1]:$sftp_port $(cut -d' ' -f1,2 "$home/host_key.pub")" >"$scratch/known_hosts"
}

# end_pid PID: asks, waits 5 s, insists.
end_pid() {
  local pid=$1 tries
  kill "$pid" 2>/dev/null || return 0
  for ((tries = 0; tries < 50; tries++)); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
}

end_servers() {
  local pid
  if [ -n "${proftpd_pid:-}" ]; then
    end_pid "$proftpd_pid"
    # Postern may have had to start the daemon anew: then it isn't our child, but in its pid file.
    pid=$(cat "$scratch/proftpd/proftpd.pid" 2>/dev/null || true)
    if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = proftpd ]; then end_pid "$pid"; fi
  fi
  if [ -n "${slapd_pid:-}" ]; then end_pid "$slapd_pid"; fi
  if [ -n "${sshd_pid:-}" ]; then end_pid "$sshd_pid"; fi
  if [ -n "${made_run_sshd:-}" ]; then rmdir /run/sshd 2>/dev/null || true; fi
}

# ---- ordinary clients ------------------------------------------------------------------------------

# ftp_get ACCOUNT PATH / ftp_put ACCOUNT FILE PATH: curl over FTP with absolute paths.
ftp_get() {
  ftp_curl "$1" "ftp://127.0.0.1:$ftp_port/%2F${2#/}"
}
ftp_put() {
  ftp_curl "$1" -T "$2" "ftp://127.0.0.1:$ftp_port/%2F${3#/}"
}
ftp_curl() {
  local account=$1
  shift
  # The password goes in by standard input: never in an argument that others can see.
  printf 'user = "%s:%s"\n' "$account" "$(cat "$scratch/secrets/login-$account")" |
    curl -sS --max-time 20 --ftp-method nocwd -K - "$@"
}

# sftp_do ACCOUNT KEYFILE [PORT]: an sftp batch from standard input; at ProFTPD unless PORT is said.
sftp_do() {
  sftp -q -b - -F /dev/null -i "$2" -P "${3:-$sftp_port}" -o BatchMode=yes -o IdentitiesOnly=yes \
    -o IdentityAgent=none -o ConnectTimeout=20 -o "UserKnownHostsFile=$scratch/known_hosts" \
    -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes "$1@127.0.0.1"
}

# as_helpdesk COMMAND...: an LDAP tool as the colleague who changes things by hand.
as_helpdesk() {
  "$@" -x -H "ldap://127.0.0.1:$ldap_port" -D cn=helpdesk,dc=example,dc=test \
    -y "$scratch/secrets/helpdesk"
}
