#include "providers/filetransfer/host/host_batch.h"

#include <fmt/format.h>

#include <algorithm>

namespace postern::filetransfer {
namespace {

// Input: "BYTES", that many bytes of a list for `sha256sum -c`, then for each step "CLASS VERB
// ARGUMENTS SIZE", the arguments a line each, SIZE bytes. Class t takes access away, g gives it.
// Prints a line a step. Status 5: a file isn't as it was. `useradd -l` and the two counts keep it
// from writing anything but passwd, shadow, group and gshadow.
//
// Files of keys: `write` runs as the account wherever a folder is the account's, and as root only
// below folders that root alone may write, so no link of an account's leads root anywhere. What it
// reads on the way is bounded in time: a pipe put in place of a file would be waited for for ever.
constexpr std::string_view kScript = R"sh(
umask 077
inner='
action=$1 path=$2 expect=$3 home=$4
dir=${path%/*} base=${path##*/}
if [ "$(id -u)" = 0 ]; then umask 022; mode=0644; else mode=0600; fi
if [ ! -d "$dir" ]; then
  [ "$action" != aside ] || exit 0
  mkdir -p -- "$dir" || exit 1
fi
cd -P -- "$dir" || exit 1
if [ -L "$base" ]; then echo "$path is a link: it is not followed" >&2; exit 1; fi
if [ -e "$base" ]; then
  [ -f "$base" ] || { echo "$path is no file" >&2; exit 1; }
  have=$(sha256sum <"$base") || exit 1
  have=${have%% *}
else
  have=absent
fi
case $action in
  aside)
    [ "$have" != absent ] || exit 0
    [ "$have" = "$expect" ] || { echo "the file changed since it was read" >&2; exit 1; }
    mv -fT -- "$base" ".postern-removed-$base" ;;
  write)
    new=.postern-new-$base
    rm -f -- "$new"
    (set -C; cat >"$new") || exit 1
    want=$(sha256sum <"$new"); want=${want%% *}
    if [ "$have" = "$want" ]; then rm -f -- "$new"; exit 0; fi
    [ "$have" = "$expect" ] || { rm -f -- "$new"; echo "the file changed since it was read" >&2; exit 1; }
    if [ -s "$new" ]; then
      chmod "$mode" "$new" && sync "$new" && mv -fT -- "$new" "$base" && sync .
    else
      rm -f -- "$new" "$base"
    fi ;;
esac'
keys() {
  action=$1 uid=$2 gid=$3 home=$4 path=$5 expect=$6
  case $path in
    "$home"/*)
      if [ "$action" = aside ] && [ ! -d "$home" ]; then return 0; fi
      [ -d "$home" ] || { echo "there is no folder $home"; return 1; }
      at=$home rest=${path#"$home"/}
      while :; do
        case $rest in */*) at=$at/${rest%%/*} rest=${rest#*/} ;; *) break ;; esac
        if [ -L "$at" ]; then echo "$at is a link: it is not followed"; return 1; fi
      done ;;
  esac
  at=${path%/*}
  while [ -n "$at" ] && [ ! -d "$at" ]; do at=${at%/*}; done
  at=$(cd -P -- "${at:-/}" && pwd -P) || return 1
  owner=$(stat -c %u -- "$at") || return 1
  set -- /
  while [ -n "$at" ] && [ "$at" != / ]; do set -- "$@" "$at"; at=${at%/*}; done
  root=1
  for s in $(stat -c %u:%a -- "$@"); do
    case $s in 0:*[2367]? | 0:*[2367]) root= ;; 0:*) ;; *) root= ;; esac
  done
  me=$(id -u)
  if [ -n "$root" ] && [ "$me" = 0 ]; then
    printf '%s' "$content" | timeout 20 sh -c "$inner" sh "$action" "$path" "$expect" "$home"
  elif [ "$owner" = "$uid" ] && [ "$me" = 0 ]; then
    command -v setpriv >/dev/null || { echo 'setpriv is not installed (package util-linux)'; return 1; }
    printf '%s' "$content" |
      setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs \
        timeout 20 sh -c "$inner" sh "$action" "$path" "$expect" "$home"
  elif [ "$me" != 0 ]; then
    echo 'files of keys are written by root only'; return 1
  else
    echo "the folder of $path belongs to neither root nor the account, or others may write above it"
    return 1
  fi
}
has() { cut -d: -f1 "$1" | grep -qxF -e "$2"; }
field() { awk -F: -v "n=$2" -v "f=$3" '$1"" == n"" { print $f; exit }' "$1"; }
members() { field /etc/group "$1" 4 | tr , '\n'; }
run() {
  verb=$1; shift
  case $verb in
    lock) TZ=UTC0 usermod -L -e 1970-01-02 -- "$1" ;;
    unlock)
      case $(field /etc/shadow "$1" 2) in
        '!' | '!!' | '!*') printf '%s:*\n' "$1" | chpasswd -e || return 1 ;;
        '!'*) usermod -U -- "$1" || return 1 ;;
      esac
      chage -E "$2" -- "$1" ;;
    expire) chage -E "$2" -- "$1" ;;
    hash) printf '%s' "$content" | chpasswd -e ;;
    add)
      if ! has /etc/passwd "$1"; then
        TZ=UTC0 useradd -l -M -N -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 -e 1970-01-02 -u "$2" -g "$3" \
          -d "$4" -s "$5" -c "$6" ${7:+-G "$7"} -- "$1" || return 1
      elif [ -n "$7" ]; then
        gpasswd -a "$1" "$7"
      fi ;;
    delete) ! has /etc/passwd "$1" || userdel -- "$1" ;;
    home) usermod -d "$2" -- "$1" ;;
    comment) usermod -c "$2" -- "$1" ;;
    rename) ! has /etc/passwd "$1" || usermod -l "$2" -- "$1" ;;
    addgroup) has /etc/group "$1" || groupadd -g "$2" -- "$1" ;;
    movegroup) groupmod -g "$2" -- "$1" ;;
    deletegroup) ! has /etc/group "$1" || groupdel -- "$1" ;;
    join) members "$2" | grep -qxF -e "$1" || gpasswd -a "$1" "$2" ;;
    leave) ! members "$2" | grep -qxF -e "$1" || gpasswd -d "$1" "$2" ;;
    aside) keys aside "$@" ;;
    put) keys write "$@" ;;
    *) echo "no such step"; return 1 ;;
  esac
}
read -r len
if [ "$len" -gt 0 ]; then head -c "$len" | sha256sum -c --status 2>/dev/null || exit 5; fi
failed=
while read -r class verb count size; do
  set --
  while [ "$count" -gt 0 ]; do IFS= read -r arg; set -- "$@" "$arg"; count=$((count - 1)); done
  content=$(head -c "$size"; echo .)
  content=${content%.}
  if [ "$class" = g ] && [ -n "$failed" ]; then echo 'not done: what takes access away failed before'; continue; fi
  if out=$(run "$verb" "$@" 2>&1 </dev/null); then
    echo ok
  else
    code=$?
    [ "$class" = g ] || failed=1
    printf '%s\n' "${out:-$verb failed with status $code}" | grep -v '^$' | head -n 1
  fi
done
:
)sh";

std::string_view NameOf(Step::Verb verb) {
  switch (verb) {
    case Step::Verb::kLock:
      return "lock";
    case Step::Verb::kAside:
      return "aside";
    case Step::Verb::kCut:
    case Step::Verb::kPut:
      return "put";
    case Step::Verb::kLeave:
      return "leave";
    case Step::Verb::kDelete:
      return "delete";
    case Step::Verb::kDeleteGroup:
      return "deletegroup";
    case Step::Verb::kAddGroup:
      return "addgroup";
    case Step::Verb::kMoveGroup:
      return "movegroup";
    case Step::Verb::kAdd:
      return "add";
    case Step::Verb::kHome:
      return "home";
    case Step::Verb::kComment:
      return "comment";
    case Step::Verb::kShorten:
    case Step::Verb::kExpire:
      return "expire";
    case Step::Verb::kJoin:
      return "join";
    case Step::Verb::kHash:
      return "hash";
    case Step::Verb::kRename:
      return "rename";
    case Step::Verb::kUnlock:
      return "unlock";
  }
  return "";
}

// False: a line can't carry it.
bool AppendStep(const Step& step, std::string* input) {
  *input += fmt::format("{} {} {} {}\n", step.takes() ? 't' : 'g', NameOf(step.verb),
                        step.args.size(), step.content.size());
  for (const std::string& arg : step.args) {
    if (arg.find_first_of(std::string_view("\n\0", 2)) != std::string::npos) return false;
    *input += arg + "\n";
  }
  *input += step.content;
  return step.content.find('\0') == std::string::npos;
}

}  // namespace

Result<std::vector<std::string>> RunSteps(Transport& transport, std::span<const Step> steps,
                                          std::span<const FileDigest> expect) {
  std::string checks;
  for (const FileDigest& file : expect) checks += fmt::format("{}  {}\n", file.digest, file.path);
  std::string input = fmt::format("{}\n{}", checks.size(), checks);
  for (const Step& step : steps) {
    if (!AppendStep(step, &input)) {
      return Fail(ErrorCode::kInvalid, "a newline or NUL in what shall be written");
    }
  }
  const auto limit = std::chrono::seconds(60 + steps.size() / 4);
  auto answer = transport.Exec({.script = kScript, .args = {}, .input = input, .limit = limit});
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status == 5) {
    return Fail(ErrorCode::kConflict, "passwd, group or shadow changed since they were read");
  }
  std::vector<std::string> answers;
  std::string_view rest = answer->out;
  while (!rest.empty() && answers.size() < steps.size()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    answers.emplace_back(line == "ok" ? "" : line);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (answer->status != 0 || answers.size() != steps.size()) {
    return Fail(ErrorCode::kIncomplete, "the batch ended before its last step");
  }
  if (!rest.empty()) {
    return Fail(ErrorCode::kInvalid, "the host answers more steps than it was given");
  }
  return answers;
}

}  // namespace postern::filetransfer
