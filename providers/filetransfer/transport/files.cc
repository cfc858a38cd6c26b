#include "providers/filetransfer/transport/files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "core/base/hash.h"
#include "providers/filetransfer/transport/frame.h"

namespace postern::filetransfer {
namespace {

constexpr size_t kNamesAtOnce = 400;
constexpr size_t kNamedBytes =
    16 << 10;  // of names that go as arguments: a shell's line holds them

// Arguments: at most kNamesAtOnce names. Answers (name, state)*, "", what stat said, "", (digest,
// name)*, "", all bytes.
constexpr std::string_view kNamedScript = R"sh(
{ err=$(stat -L --printf="%n\0%f %u %g %U %G %s %Y %i %.9W\0" -- "$@" 2>&1 >&3); } 3>&1
printf "\0%s\0" "$err"
for f do shift; if [ -f "$f" ] && [ -r "$f" ]; then set -- "$@" "$f"; fi; done
if [ $# -gt 0 ]; then sha256sum -z -- "$@" 2>/dev/null; fi
printf "\0"
if [ $# -gt 0 ]; then cat -- "$@" 2>/dev/null; fi
:)sh";

// Standard input: names, each ended by NUL. Arguments: the script above, folders. Each run of that
// script answers for its names.
constexpr std::string_view kReadScript = R"sh(
script=$1; shift
{ cat; for d do printf '%s\0' "$d"; find -H "$d" -mindepth 1 -maxdepth 1 -xtype f -print0; done; } |
xargs -0 -r -n 400 sh -c "$script" sh
)sh";

// Input, for each file: "SIZE MODE UID:GID|- CANDIDATE-NONCE", its path, its bytes.
constexpr std::string_view kStageScript = R"sh(
umask 077
set -C
while IFS=' ' read -r size mode own nonce && IFS= read -r path; do
  d=${path%/*}; b=${path##*/}
  for old in "$d/.postern-new-$b".????????????; do if [ -e "$old" ]; then rm -f -- "$old"; fi; done
  c="$d/.postern-new-$b.$nonce"
  if true 2>/dev/null >"$c"; then
    head -c "$size" >|"$c" || exit 4
    if [ "$own" != - ]; then chown -- "$own" "$c" || exit 3; fi
    chmod -- "$mode" "$c" || exit 3
    set -- "$@" "$c"
  else
    echo "can't create a file in $d: Permission denied or no such folder" >&2; exit 3
  fi
done
if [ $# -gt 0 ]; then sync -- "$@"; fi
)sh";

// Arguments: nonce, folders to lock (in order). Input: "BYTES", that many bytes of a check list,
// then for each change "ACTION", its path, the other path. A folder is locked by its own
// descriptor, so no lock file is left behind; the lock goes with the shell. Status 5: conflict, 6:
// lock is held.
constexpr std::string_view kSwapScript = R"sh(
nonce=$1; shift
n=3
for d do
  [ $n -lt 9 ] || { echo 'too many folders in one swap' >&2; exit 4; }
  eval "exec $n<\"\$d\"" || exit 4
  flock -w 20 $n || exit 6
  n=$((n + 1))
done
read -r len
if [ "$len" -gt 0 ]; then
  bad=$(head -c "$len" | sha256sum -c --quiet 2>/dev/null)
  if [ -n "$bad" ]; then printf '%s\n' "$bad"; exit 5; fi
fi
todo=$(cat)
conflict=
while read -r action && IFS= read -r path && IFS= read -r other; do
  if [ "$action" = new ] && [ -e "$path" -o -L "$path" ]; then echo "$path: appeared"; conflict=1; fi
  if [ "$action" = move ] && [ -e "$other" -o -L "$other" ]; then echo "$other: appeared"; conflict=1; fi
done <<EOF
$todo
EOF
[ -z "$conflict" ] || exit 5
while read -r action && IFS= read -r path && IFS= read -r other; do
  case $action in
    new|put) mv -fT -- "${path%/*}/.postern-new-${path##*/}.$nonce" "$path" || exit 4 ;;
    drop) rm -- "$path" || exit 4 ;;
    move) mv -nT -- "$path" "$other" || exit 4 ;;
  esac
done <<EOF
$todo
EOF
sync -- "$@"
)sh";

constexpr std::string_view kDiscardScript = R"sh(xargs -0 -r rm -f --)sh";

// Only stat knows when a file was born. What went away between the two isn't there: no problem, as
// with a dangling .ftpaccess, which the daemon doesn't find either.
constexpr std::string_view kFolderScript = R"sh(
xargs -0 -r sh -c 'find -H "$@" \( -type d -o -name .ftpaccess \) -print0; :' sh |
xargs -0 -r -n 1000 stat -L --printf='%f %i %u %g %U %G %Z %.9W\0%n\0' --
:
)sh";

// Takes NUL-ended tokens and counted bytes off the front of a reply.
class Reply {
 public:
  explicit Reply(std::string_view rest) : rest_(rest) {}
  bool empty() const { return rest_.empty(); }
  bool failed() const { return failed_; }

  std::string_view Token() {
    const size_t end = rest_.find('\0');
    if (end == std::string_view::npos) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view token = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return token;
  }
  std::string_view Bytes(size_t count) {
    if (count > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t blank = std::min(text.find(' '), text.size());
    out.push_back(text.substr(0, blank));
    text.remove_prefix(std::min(text.size(), blank + 1));
  }
  return out;
}

template <class T>
T Number(std::string_view text, int radix = 10) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value, radix);
  return value;
}

// "1795290308.437726086" with nine digits or more; 0 for what stat and find print when the file
// system has no such time ("0.000000000", "-1.-000000010", "").
uint64_t Nanoseconds(std::string_view text) {
  const size_t dot = text.find('.');
  if (text.starts_with('-') || dot == std::string_view::npos || text.size() < dot + 10) return 0;
  const auto seconds = Number<uint64_t>(text.substr(0, dot));
  return seconds * 1'000'000'000 + Number<uint64_t>(text.substr(dot + 1, 9));
}

// "UNKNOWN" is what stat prints for an id without a name.
std::string NameOrNumber(std::string_view name, std::string_view number) {
  return std::string(name == "UNKNOWN" ? number : name);
}

struct Sized {
  FileState state;
  size_t size = 0;
};

Sized ParseState(std::string_view name, std::string_view text) {
  Sized out;
  const auto words = Words(text);
  out.state.path = name;
  if (words.size() != 9) return out;
  const auto mode = Number<uint32_t>(words[0], 16);
  out.state.presence = Presence::kPresent;
  out.state.mode = mode & 07777;
  out.state.regular = S_ISREG(mode);
  out.state.directory = S_ISDIR(mode);
  out.state.uid = Number<uint32_t>(words[1]);
  out.state.gid = Number<uint32_t>(words[2]);
  out.state.owner = NameOrNumber(words[3], words[1]);
  out.state.group = NameOrNumber(words[4], words[2]);
  out.size = Number<size_t>(words[5]);
  out.state.modified = Number<int64_t>(words[6]);
  out.state.inode = Number<uint64_t>(words[7]);
  out.state.born = Nanoseconds(words[8]);
  return out;
}

// What stat's message says about a file that it gave no state for.
void Explain(FileState& state, std::string_view errors) {
  const std::string quoted = fmt::format("'{}': ", state.path);
  const size_t at = errors.find(quoted);
  if (at == std::string_view::npos) {
    state.reason = "no answer about it";
    return;
  }
  std::string_view why = errors.substr(at + quoted.size());
  why = why.substr(0, why.find('\n'));
  if (why == "No such file or directory" || why == "Not a directory") {
    state.presence = Presence::kAbsent;
    state.digest = kAbsent;
  } else {
    state.reason = why;
  }
}

// Reads one inner script's answer. False: a file changed while it was read.
bool ParseChunk(Reply& reply, std::map<std::string, FileState>& out, std::string* errors) {
  std::map<std::string, Sized> states;
  for (std::string_view name = reply.Token(); !name.empty(); name = reply.Token()) {
    states[std::string(name)] = ParseState(name, reply.Token());
  }
  *errors += reply.Token();
  *errors += '\n';
  std::vector<std::pair<std::string, std::string>> digests;
  for (std::string_view line = reply.Token(); !line.empty(); line = reply.Token()) {
    if (line.size() < 67) return false;
    digests.emplace_back(line.substr(66), line.substr(0, 64));
  }
  for (const auto& [name, digest] : digests) {
    const auto found = states.find(name);
    if (found == states.end()) return false;
    FileState& state = found->second.state;
    state.content = reply.Bytes(found->second.size);
    state.digest = digest;
    if (reply.failed() || base::Hex(base::Sha256(state.content)) != digest) return false;
  }
  for (auto& [name, sized] : states) {
    if (sized.state.regular && sized.state.digest.empty()) {
      sized.state.presence = Presence::kUnreadable;
      sized.state.reason = "Permission denied";
    }
    out[name] = std::move(sized.state);
  }
  return !reply.failed();
}

// A folder whose listing failed says so on standard error: "find: 'DIR': Permission denied".
void MarkFolders(std::span<const std::string> folders, std::string_view errors,
                 std::map<std::string, FileState>& out) {
  for (const std::string& folder : folders) {
    FileState& state = out[folder];
    const size_t at = errors.find(fmt::format("find: '{}': ", folder));
    if (state.presence != Presence::kPresent || at == std::string_view::npos) continue;
    state.presence = Presence::kUnreadable;
    state.reason = errors.substr(at, errors.find('\n', at) - at);
  }
}

bool IsPlainPath(std::string_view path) {
  return path.starts_with('/') && std::none_of(path.begin(), path.end(), [](unsigned char c) {
           return c < 0x20 || c == 0x7f || c == '\\';
         });
}

std::string_view FolderOf(std::string_view path) {
  const std::string_view folder = path.substr(0, path.rfind('/'));
  return folder.empty() ? "/" : folder;
}

std::string SwapInput(const Staged& staged) {
  std::string checks;
  std::string actions;
  for (const FileChange& change : staged.changes) {
    if (change.expect != kAbsent) checks += fmt::format("{}  {}\n", change.expect, change.path);
    const std::string_view action = change.action == Action::kDrop   ? "drop"
                                    : change.action == Action::kMove ? "move"
                                    : change.expect == kAbsent       ? "new"
                                                                     : "put";
    actions += fmt::format("{}\n{}\n{}\n", action, change.path,
                           change.to.empty() ? std::string_view("-") : std::string_view(change.to));
  }
  return fmt::format("{}\n{}{}", checks.size(), checks, actions);
}

}  // namespace

Result<std::map<std::string, FileState>> ReadFiles(Transport& transport,
                                                   std::span<const std::string> files,
                                                   std::span<const std::string> folders) {
  if (files.empty() && folders.empty()) return std::map<std::string, FileState>();
  std::string input;
  for (const std::string& file : files) input.append(file).push_back('\0');
  // A few names need no list, and half of the processes.
  const bool named = folders.empty() && files.size() <= kNamesAtOnce && input.size() < kNamedBytes;
  const auto& names = named ? files : folders;
  std::vector<std::string> args(names.begin(), names.end());
  if (!named) args.insert(args.begin(), std::string(kNamedScript));
  const Batch batch{.script = named ? kNamedScript : kReadScript,
                    .args = std::move(args),
                    .input = named ? std::string_view() : input};
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto answer = transport.Exec(batch);
    if (!answer) return tl::unexpected(answer.error());
    std::map<std::string, FileState> out;
    std::string errors;
    Reply reply(answer->out);
    bool whole = true;
    while (whole && !reply.empty()) whole = ParseChunk(reply, out, &errors);
    if (!whole) continue;
    for (const auto& list : {files, folders}) {
      for (const std::string& name : list) {
        FileState& state = out[name];
        if (!state.path.empty()) continue;
        state.path = name;
        Explain(state, errors);
      }
    }
    MarkFolders(folders, answer->err, out);
    return out;
  }
  return Fail(ErrorCode::kConflict, "files kept changing while they were read");
}

std::string CandidateOf(std::string_view path, std::string_view nonce) {
  const std::string_view folder = path.substr(0, path.rfind('/'));
  return fmt::format("{}/.postern-new-{}.{}", folder, path.substr(folder.size() + 1), nonce);
}

Result<Staged> Stage(Transport& transport, std::vector<FileChange> changes) {
  Staged staged{base::Hex(base::RandomBytes(6)), std::move(changes)};
  std::string input;
  for (const FileChange& change : staged.changes) {
    if (!IsPlainPath(change.path) || (!change.to.empty() && !IsPlainPath(change.to))) {
      return Fail(
          ErrorCode::kInvalid,
          fmt::format("\"{}\" can't be written: control characters and backslashes in a path "
                      "aren't supported",
                      change.path));
    }
    if (change.action != Action::kPut) continue;
    input += fmt::format("{} {:o} {} {}\n{}\n{}", change.content.size(), change.mode,
                         change.own ? fmt::format("{}:{}", change.uid, change.gid) : "-",
                         staged.nonce, change.path, change.content);
  }
  if (!input.empty()) {
    if (auto done = RunBatch(transport, {.script = kStageScript, .args = {}, .input = input});
        !done) {
      Discard(transport, staged);
      return tl::unexpected(done.error());
    }
  }
  return staged;
}

Result<void> Swap(Transport& transport, const Staged& staged) {
  std::set<std::string> folders;
  for (const FileChange& change : staged.changes) {
    folders.emplace(FolderOf(change.path));
    if (!change.to.empty()) folders.emplace(FolderOf(change.to));
  }
  std::vector<std::string> args = {staged.nonce};
  args.insert(args.end(), folders.begin(), folders.end());
  const std::string input = SwapInput(staged);
  auto answer = transport.Exec(
      {.script = kSwapScript, .args = args, .input = input, .limit = std::chrono::seconds(300)});
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status == 0) return {};
  Discard(transport, staged);
  if (answer->status == 5) {
    return Fail(ErrorCode::kConflict, "changed by somebody else since it was read: " +
                                          answer->out.substr(0, answer->out.find('\n')));
  }
  if (answer->status == 6) {
    return Fail(ErrorCode::kUnavailable, "another run holds the folder's lock");
  }
  return Fail(ErrorCode::kDenied, "swap: " + answer->err.substr(0, answer->err.find('\n')));
}

void Discard(Transport& transport, const Staged& staged) {
  std::string names;
  for (const FileChange& change : staged.changes) {
    if (change.action == Action::kPut) {
      names.append(CandidateOf(change.path, staged.nonce)).push_back('\0');
    }
  }
  // What can't be removed now goes with the next Stage of the same file.
  if (!names.empty()) {
    (void)transport.Exec({.script = kDiscardScript, .args = {}, .input = names});
  }
}

Result<FolderList> ListFolders(Transport& transport, std::span<const std::string> roots) {
  std::string input;
  for (const std::string& root : roots) input.append(root).push_back('\0');
  auto answer = transport.Exec(
      {.script = kFolderScript, .args = {}, .input = input, .limit = std::chrono::seconds(300)});
  if (!answer) return tl::unexpected(answer.error());
  FolderList list;
  Reply reply(answer->out);
  while (!reply.empty()) {
    const auto words = Words(reply.Token());
    const std::string_view path = reply.Token();
    if (reply.failed() || words.size() != 8) {
      return Fail(ErrorCode::kIncomplete, "the list of folders was cut short");
    }
    FolderEntry entry;
    entry.path = path;
    const auto mode = Number<uint32_t>(words[0], 16);
    entry.access_file = !S_ISDIR(mode);  // find gave folders and .ftpaccess only
    entry.mode = mode & 07777;
    entry.inode = Number<uint64_t>(words[1]);
    entry.uid = Number<uint32_t>(words[2]);
    entry.gid = Number<uint32_t>(words[3]);
    entry.owner = NameOrNumber(words[4], words[2]);
    entry.group = NameOrNumber(words[5], words[3]);
    entry.changed = Number<int64_t>(words[6]);
    entry.born = Nanoseconds(words[7]);
    list.entries.push_back(std::move(entry));
  }
  for (size_t at = 0; at < answer->err.size();) {
    const size_t end = std::min(answer->err.find('\n', at), answer->err.size());
    const std::string_view line = std::string_view(answer->err).substr(at, end - at);
    const bool gone = line.starts_with("stat: ") && line.ends_with("No such file or directory");
    if (!line.empty() && !gone) list.problems.emplace_back(line);
    at = end + 1;
  }
  return list;
}

}  // namespace postern::filetransfer
