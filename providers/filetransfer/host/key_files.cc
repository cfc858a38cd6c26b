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
trap 'exit 1' HUP INT PIPE TERM
: >"$d/links"; : >"$d/said"; : >"$d/states.0"
{
  xargs -0 -r -n 10000 -s 1000000 sh -c '
    find "$@" -maxdepth 0 \( -type l -fprint0 "$d/links.$$" \) -o \
      -fprintf "$d/states.$$" "-%y %s %U %G %m %T@ %p\0" -type f -size -"$limit"c -print0 2>>"$d/said"
    :' sh
  links=
  for file in "$d"/links*; do [ ! -s "$file" ] || links=1; done
  [ -z "$links" ] || cat "$d"/links* | xargs -0 -r -n 10000 -s 1000000 sh -c '
    find -L "$@" -maxdepth 0 -fprintf "$d/states.l$$" "l%y %s %U %G %m %T@ %p\0" -type f \
      -size -"$limit"c -print0 2>>"$d/said"
    :' sh
} | xargs -0 -r -n 10000 -s 1000000 grep -a -s -H -Z -D skip ''
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

using States = std::map<std::string, KeyFileState>;

// The script's answer while it arrives: the files' lines, then their states, then what find said.
class Reader final : public OutputSink {
 public:
  Reader(const std::set<std::string>& wanted, States* out) : wanted_(wanted), out_(out) {}

  Result<void> Take(std::string_view part) override;
  bool whole() const { return phase_ == Phase::kEnd && held_.empty(); }
  const std::string& said() const { return said_; }

 private:
  enum class Phase : uint8_t { kLines, kStates, kSaid, kEnd };

  // Takes one line or token off the front; false: its end isn't there yet.
  Result<bool> Step(std::string_view* rest);
  Result<bool> Line(std::string_view* rest);
  Result<void> State(std::string_view token);

  const std::set<std::string>& wanted_;
  States* out_;
  Phase phase_ = Phase::kLines;
  std::map<std::string, std::string, std::less<>> contents_;
  decltype(contents_)::iterator last_ = contents_.end();
  std::string held_, said_;
};

Result<void> Reader::Take(std::string_view part) {
  held_ += part;
  // What is held lacks its end: a long line isn't searched once more for every part of it.
  const bool ends = part.find_first_of(std::string_view("\n\0", 2)) != std::string_view::npos;
  std::string_view rest = held_;
  for (bool moved = ends; moved && !rest.empty();) {
    auto step = Step(&rest);
    if (!step) return tl::unexpected(step.error());
    moved = *step;
  }
  held_.erase(0, held_.size() - rest.size());
  if (held_.size() > 2 * kKeyFileLimit) {
    return Fail(ErrorCode::kInvalid,
                "the answer about the files of keys has a line without an end");
  }
  return {};
}

Result<bool> Reader::Step(std::string_view* rest) {
  if (phase_ == Phase::kEnd) {
    return Fail(ErrorCode::kInvalid, "the answer about the files of keys goes on after its end");
  }
  if (phase_ == Phase::kLines && rest->front() == '/') return Line(rest);
  std::string_view token;
  if (!TakeToken(rest, &token)) return false;
  if (phase_ == Phase::kLines) {
    if (!token.empty()) return Fail(ErrorCode::kInvalid, "grep told a line of no file");
    phase_ = Phase::kStates;
  } else if (phase_ == Phase::kSaid) {
    said_.assign(token).push_back('\n');
    phase_ = Phase::kEnd;
  } else if (token.empty()) {
    phase_ = Phase::kSaid;
  } else if (auto taken = State(token); !taken) {
    return tl::unexpected(taken.error());
  }
  return true;
}

// "NAME NUL LINE": the file's bytes but for a last newline that isn't its own.
Result<bool> Reader::Line(std::string_view* rest) {
  const size_t end = rest->find('\0');
  const size_t newline = end == std::string_view::npos ? end : rest->find('\n', end);
  if (newline == std::string_view::npos) return false;
  const std::string_view path = rest->substr(0, end);
  if (last_ == contents_.end() || last_->first != path) {
    if (!wanted_.contains(std::string(path))) {
      return Fail(ErrorCode::kInvalid, "the host tells a file that nobody asked for");
    }
    last_ = contents_.try_emplace(contents_.end(), std::string(path));
  }
  // What grew meanwhile is of no use: it has another size than find saw.
  if (last_->second.size() <= kKeyFileLimit) {
    last_->second.append(rest->substr(end + 1, newline - end));
  }
  rest->remove_prefix(newline + 1);
  return true;
}

Result<void> Reader::State(std::string_view token) {
  KeyFileState state;
  uint64_t size = 0;
  if (!ReadState(token, &state, &size) || !wanted_.contains(state.path)) {
    return Fail(ErrorCode::kInvalid, "the state of a file of keys isn't what find prints");
  }
  const bool fetched = !state.reason.empty() && size < kKeyFileLimit && token[1] == 'f';
  const auto content = contents_.find(state.path);
  if (fetched && (content != contents_.end() || size == 0)) {
    SetContent(content == contents_.end() ? "" : std::move(content->second), size, &state);
  }
  std::string path = state.path;
  out_->insert_or_assign(out_->end(), std::move(path), std::move(state));
  return {};
}

}  // namespace

Result<std::map<std::string, KeyFileState>> ReadKeyFiles(Transport& transport,
                                                         std::span<const std::string> paths) {
  std::string input;
  const std::set<std::string> wanted(paths.begin(), paths.end());
  for (const std::string& path : wanted) input.append(path).push_back('\0');
  States out;
  if (wanted.empty()) return out;
  Reader reader(wanted, &out);
  auto answer = transport.Exec({.script = kReadScript,
                                .args = {std::to_string(kKeyFileLimit)},
                                .input = input,
                                .limit = std::chrono::seconds(300),
                                .sink = &reader});
  if (!answer) return tl::unexpected(answer.error());
  if (!reader.whole()) {
    const std::string why = answer->err.substr(0, answer->err.find('\n'));
    return Fail(ErrorCode::kIncomplete,
                "the answer about the files of keys was cut" + (why.empty() ? "" : ": " + why));
  }
  for (const std::string& path : wanted) {
    const auto [at, fresh] = out.try_emplace(path);
    if (!fresh) continue;
    at->second.path = path;
    Explain(reader.said(), &at->second);
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
