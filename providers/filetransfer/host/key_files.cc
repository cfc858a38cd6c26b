#include "providers/filetransfer/host/key_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "core/base/hash.h"
#include "providers/filetransfer/host/host_batch.h"
#include "providers/filetransfer/transport/frame.h"

namespace postern::filetransfer {
namespace {

// Input: names, each ended by NUL. Argument: the first size that isn't fetched. Prints "NAME NUL
// LINE" for every line of the files that are small enough, NUL, the states of all, NUL, what find
// said, NUL. Links are looked at again for what they lead to, which is what grep reads; it passes
// over a pipe that was put in a file's place.
constexpr std::string_view kReadScript = R"sh(
export d limit
limit=$1
d=$(mktemp -d) || exit 1
trap 'rm -rf -- "$d"' EXIT
: >"$d/links"; : >"$d/said"; : >"$d/states.0"
{
  xargs -0 -r -n 1000 -s 1000000 sh -c '
    find "$@" -maxdepth 0 \( -type l -fprint0 "$d/links.$$" \) -o \
      -fprintf "$d/states.$$" "-%y %s %U %G %m %T@ %p\0" -type f -size -"$limit"c -print0 2>>"$d/said"
    :' sh
  cat "$d"/links* | xargs -0 -r -n 1000 -s 1000000 sh -c '
    find -L "$@" -maxdepth 0 -fprintf "$d/states.l$$" "l%y %s %U %G %m %T@ %p\0" -type f \
      -size -"$limit"c -print0 2>>"$d/said"
    :' sh
} | xargs -0 -r -n 1000 -s 1000000 grep -a -s -H -Z -D skip ''
printf '\0'; cat "$d"/states.*; printf '\0'; cat "$d/said"; printf '\0'
)sh";

template <class T>
T Number(std::string_view text, int radix = 10) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value, radix);
  return value;
}

// "LY SIZE UID GID MODE MTIME PATH": L is "l" for a link, Y the type of what is there in the end.
bool ReadState(std::string_view text, KeyFileState* state, uint64_t* size) {
  std::string_view words[6];
  for (std::string_view& word : words) {
    const size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return false;
    word = text.substr(0, blank);
    text.remove_prefix(blank + 1);
  }
  if (words[0].size() != 2) return false;
  state->path = text;
  state->link = words[0][0] == 'l';
  state->uid = Number<uint32_t>(words[2]);
  state->gid = Number<uint32_t>(words[3]);
  state->mode = Number<uint32_t>(words[4], 8);
  state->modified = Number<int64_t>(words[5]);
  *size = Number<uint64_t>(words[1]);
  if (words[0][1] == 'l') {  // it leads nowhere
    state->presence = Presence::kAbsent;
    state->digest = kAbsent;
  } else if (words[0][1] != 'f') {
    state->reason = "it isn't a file";
  } else if (*size >= kKeyFileLimit) {
    state->reason = fmt::format("{} bytes: more than a file of keys may have here ({} MiB)", *size,
                                kKeyFileLimit >> 20);
  } else {
    state->reason = "it couldn't be read, or changed meanwhile";
  }
  return true;
}

// What find says about names for which it printed nothing.
void Explain(std::string_view errors, KeyFileState* state) {
  const std::string quoted = fmt::format("'{}': ", state->path);
  const size_t at = errors.find(quoted);
  if (at == std::string_view::npos) {
    state->reason = "no answer about it";
    return;
  }
  std::string_view why = errors.substr(at + quoted.size());
  why = why.substr(0, why.find('\n'));
  if (why == "No such file or directory" || why == "Not a directory") {
    state->presence = Presence::kAbsent;
    state->digest = kAbsent;
  } else {
    state->reason = why;
  }
}

// Takes what grep printed off the front: the files' bytes but for a last newline that isn't theirs.
bool ReadLines(std::string_view* rest, std::map<std::string_view, std::string>* contents) {
  while (rest->starts_with('/')) {
    const size_t end = rest->find('\0');
    if (end == std::string_view::npos) return false;
    const std::string_view path = rest->substr(0, end);
    const size_t newline = rest->find('\n', end);
    if (newline == std::string_view::npos) return false;
    (*contents)[path].append(rest->substr(end + 1, newline - end));
    rest->remove_prefix(newline + 1);
  }
  return true;
}

// False for a text without its end.
bool TakeToken(std::string_view* rest, std::string_view* token) {
  const size_t end = rest->find('\0');
  if (end == std::string_view::npos) return false;
  *token = rest->substr(0, end);
  rest->remove_prefix(end + 1);
  return true;
}

// grep ends every line: a file of another size than find saw was changed meanwhile.
void SetContent(std::string content, uint64_t size, KeyFileState* state) {
  if (content.size() == size + 1) content.pop_back();
  if (content.size() != size) return;
  state->presence = Presence::kPresent;
  state->reason.clear();
  state->digest = base::Hex(base::Sha256(content));
  state->content = std::move(content);
}

bool ReadAnswer(std::string_view* rest, std::map<std::string, KeyFileState>* out,
                std::string* said) {
  std::map<std::string_view, std::string> contents;
  std::string_view token;
  if (!ReadLines(rest, &contents) || !TakeToken(rest, &token) || !token.empty()) return false;
  while (TakeToken(rest, &token)) {
    if (token.empty()) {
      if (!TakeToken(rest, &token)) return false;
      said->append(token).push_back('\n');
      return true;
    }
    KeyFileState state;
    uint64_t size = 0;
    if (!ReadState(token, &state, &size)) return false;
    const bool fetched = !state.reason.empty() && size < kKeyFileLimit && token[1] == 'f';
    const auto content = contents.find(state.path);
    if (fetched && (content != contents.end() || size == 0)) {
      SetContent(content == contents.end() ? "" : std::move(content->second), size, &state);
    }
    std::string path = state.path;
    (*out)[std::move(path)] = std::move(state);
  }
  return false;
}

}  // namespace

Result<std::map<std::string, KeyFileState>> ReadKeyFiles(Transport& transport,
                                                         std::span<const std::string> paths) {
  std::string input;
  const std::set<std::string> wanted(paths.begin(), paths.end());
  for (const std::string& path : wanted) input.append(path).push_back('\0');
  std::map<std::string, KeyFileState> out;
  if (wanted.empty()) return out;
  auto answer = transport.Exec({.script = kReadScript,
                                .args = {std::to_string(kKeyFileLimit)},
                                .input = input,
                                .limit = std::chrono::seconds(300)});
  if (!answer) return tl::unexpected(answer.error());
  std::string said;
  std::string_view rest = answer->out;
  if (!ReadAnswer(&rest, &out, &said)) {
    const std::string why = answer->err.substr(0, answer->err.find('\n'));
    return Fail(ErrorCode::kIncomplete,
                "the answer about the files of keys was cut" + (why.empty() ? "" : ": " + why));
  }
  for (const std::string& path : wanted) {
    const auto [at, fresh] = out.try_emplace(path);
    if (!fresh) continue;
    at->second.path = path;
    Explain(said, &at->second);
  }
  return out;
}

Result<std::vector<std::string>> WriteKeyFiles(Transport& transport,
                                               std::span<const KeyFileChange> changes) {
  std::vector<Step> steps;
  for (const KeyFileChange& change : changes) {
    steps.push_back({.verb = Step::Verb::kPut,
                     .args = {std::to_string(change.uid), std::to_string(change.gid), change.home,
                              change.path, change.expect},
                     .content = change.content});
  }
  return RunSteps(transport, steps, {});
}

}  // namespace postern::filetransfer
