// providers/runner/machine_scripts.h: what runs on the machine of a runner, for sh(1) of any make.
//
// Part of machine.cc, in a file of its own for its length.
#pragma once
#include <string_view>

namespace postern::runner {

// Arguments: folder of jobs, folder of units, the user, cron's folder. Prints a line a
// fact. A lock is believed where its process is the user's and started when the lock says.
inline constexpr std::string_view kListScript = R"sh(
jobs=$1; units=$2; user=$3; cron=$4; shift 4
[ -d /run/systemd/system ] && case $units in /etc/systemd/system|/run/systemd/system) echo systemd ;; esac
for d in "$jobs" "$units" "$cron"; do
  [ ! -e "$d" ] || { [ -d "$d" ] && [ -r "$d" ] && [ -x "$d" ]; } || echo "closed $d"
done
for d in "$jobs"/*/; do
  [ -d "$d" ] && { d=${d%/}; printf 'job %s\n' "${d##*/}"; }
done
for f in "$units"/postern-job-* "$cron"/postern-job-*; do
  [ -e "$f" ] && [ ! -d "$f" ] && printf 'unit %s\n' "${f##*/}"
done
for f in "$units"/postern-job-*.d/*.conf; do
  [ -e "$f" ] && printf 'drop-in %s\n' "${f#"$units"/}"
done
for f in "$units"/timers.target.wants/postern-job-*.timer; do
  if [ -L "$f" ]; then
    printf 'link %s\n' "${f##*/}"
    [ -d /run/systemd/system ] && ! systemctl is-active --quiet "${f##*/}" && printf 'asleep %s\n' "${f##*/}"
  fi
done
for l in "$jobs"/*/lock; do
  [ -f "$l" ] || continue
  IFS=' ' read -r pid start rest <"$l" || [ -n "$pid" ] || continue
  case $pid$start in *[!0-9]*|'') continue ;; esac
  [ "$(stat -c %U "/proc/$pid" 2>/dev/null)" = "$user" ] || continue
  s=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
  s=${s##*) }
  set -- $s
  [ "${20}" = "$start" ] && [ "$1" != Z ] || continue
  d=${l%/lock}
  printf 'run %s %s %s %s\n' "${d##*/}" "$pid" "$start" "$(stat -c %Y "$l")"
done
)sh";

// Arguments: the folder of the job, of all jobs, the state's, the user. Prints its numbers.
inline constexpr std::string_view kFolderScript = R"sh(
uid=$(id -u -- "$4") && gid=$(id -g -- "$4") || exit 3
for d in "$3" "$2"; do [ -d "$d" ] || mkdir -m 0755 -- "$d" || exit 4; done
if [ ! -d "$1" ]; then
  mkdir -m 0700 -- "$1" && { [ "$uid" = "$(id -u)" ] || chown -h -- "$uid:$gid" "$1"; } || exit 4
fi
echo "$uid $gid"
)sh";

// Arguments: folder of units, timer, on or off, whether systemd runs and reads them.
inline constexpr std::string_view kWakeScript = R"sh(
wants=$1/timers.target.wants
if [ "$3" = on ]; then
  mkdir -p -m 0755 -- "$wants" && ln -sfn -- "../$2" "$wants/$2" || exit 3
else
  [ "$4" = yes ] && systemctl stop "$2"
  rm -f -- "$wants/$2" || exit 3
fi
[ "$4" = yes ] || exit 0
systemctl daemon-reload || exit 4
[ "$3" = off ] || systemctl restart "$2"
)sh";

inline constexpr std::string_view kReloadScript = "systemctl daemon-reload\n";

}  // namespace postern::runner
