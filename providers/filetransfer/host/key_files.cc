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

// Input: names, each ended by NUL. Argument: the first size that isn't fetched. Each run of the
// inner script answers for some thousand names: their states, NUL, what find said, NUL, a tar of
// the files that are small enough. With -L find and tar see what a link leads to.
constexpr std::string_view kReadScript = R"sh(
xargs -0 -r -n 4000 -s 1000000 sh -c '
limit=$1; shift
{ err=$(find -L "$@" -maxdepth 0 \( -xtype l -printf l -o -printf - \) -printf "%y %s %U %G %m %T@ %p\0" 2>&1 >&3); } 3>&1
printf "\0%s\0" "$err"
find -L "$@" -maxdepth 0 -type f -size -"$limit"c -print0 2>/dev/null |
  tar -c -f - -h -P --null --no-recursion --hard-dereference --format=gnu -T -
:' sh "$1"
)sh";

constexpr size_t kBlock = 512, kRecord = 20 * kBlock;

template <class T>
T Number(std::string_view text, int radix = 10) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value, radix);
  return value;
}

// A field of a tar header, up to its NUL or blank.
std::string_view Field(std::string_view header, size_t at, size_t size) {
  const std::string_view field = header.substr(at, size);
  return field.substr(0, field.find_first_of(std::string_view("\0 ", 2)));
}

// Members of a tar in GNU's format, as the script makes them: regular files and long names.
class TarReader {
 public:
  explicit TarReader(std::string_view bytes) : bytes_(bytes) {}

  // False: at the archive's end, or at something that isn't a tar (then Whole() is false).
  bool Next(std::string* name, std::string_view* content) {
    name->clear();
    for (;;) {
      const std::string_view header = Take(kBlock);
      if (header.empty() || header.front() == '\0') return false;
      const auto size = Number<uint64_t>(Field(header, 124, 12), 8);
      const std::string_view data = Take((size + kBlock - 1) / kBlock * kBlock);
      if (data.size() < size || header.substr(257, 5) != "ustar") {
        broken_ = true;
        return false;
      }
      const char type = header[156];
      if (type == 'L') {
        *name = data.substr(0, std::min<size_t>(size, data.find('\0')));
        continue;
      }
      if (name->empty()) *name = header.substr(0, std::min<size_t>(100, header.find('\0')));
      *content = type == '0' ? data.substr(0, size) : std::string_view();
      if (type == '0') return true;
      name->clear();  // the file became something else meanwhile: it stays without content
    }
  }
  bool Whole() const { return !broken_; }
  // Bytes up to the next archive: tar fills its last record.
  size_t Used() const { return std::min((at_ + kRecord - 1) / kRecord * kRecord, bytes_.size()); }

 private:
  std::string_view Take(size_t count) {
    if (count > bytes_.size() - at_) {
      broken_ = true;
      return {};
    }
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }

  std::string_view bytes_;
  size_t at_ = 0;
  bool broken_ = false;
};

// "LY SIZE UID GID MODE MTIME PATH": L is "l" for a link, Y the type of what is there in the end.
bool ReadState(std::string_view text, KeyFileState* state) {
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
  const auto size = Number<uint64_t>(words[1]);
  if (words[0][1] == 'l') {  // it leads nowhere
    state->presence = Presence::kAbsent;
    state->digest = kAbsent;
  } else if (words[0][1] != 'f') {
    state->reason = "it isn't a file";
  } else if (size >= kKeyFileLimit) {
    state->reason = fmt::format("{} bytes: more than a file of keys may have here ({} MiB)", size,
                                kKeyFileLimit >> 20);
  } else {
    state->reason = "it couldn't be read, or went away meanwhile";
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

// "tar: PATH: file changed as we read it": half of one and half of another.
bool Torn(std::string_view errors, const std::string& path) {
  return errors.find(fmt::format("tar: {}: file changed", path)) != std::string_view::npos ||
         errors.find(fmt::format("tar: {}: File shrank", path)) != std::string_view::npos;
}

bool ReadChunk(std::string_view* rest, std::string_view errors,
               std::map<std::string, KeyFileState>* out, std::string* said) {
  for (;;) {
    const size_t end = rest->find('\0');
    if (end == std::string_view::npos) return false;
    const std::string_view text = rest->substr(0, end);
    rest->remove_prefix(end + 1);
    if (text.empty()) break;
    KeyFileState state;
    if (!ReadState(text, &state)) return false;
    std::string path = state.path;
    (*out)[std::move(path)] = std::move(state);
  }
  const size_t end = rest->find('\0');
  if (end == std::string_view::npos) return false;
  said->append(rest->substr(0, end)).push_back('\n');
  rest->remove_prefix(end + 1);
  TarReader tar(*rest);
  std::string name;
  for (std::string_view content; tar.Next(&name, &content);) {
    const auto found = out->find(name);
    if (found == out->end() || content.size() >= kKeyFileLimit) continue;
    if (Torn(errors, name)) {
      found->second.reason = "it kept changing while it was read";
      continue;
    }
    found->second.presence = Presence::kPresent;
    found->second.reason.clear();
    found->second.content = content;
    found->second.digest = base::Hex(base::Sha256(content));
  }
  rest->remove_prefix(tar.Used());
  return tar.Whole();
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
  for (std::string_view rest = answer->out; !rest.empty();) {
    if (!ReadChunk(&rest, answer->err, &out, &said)) {
      const std::string why = answer->err.substr(0, answer->err.find('\n'));
      return Fail(ErrorCode::kIncomplete,
                  "the answer about the files of keys was cut" + (why.empty() ? "" : ": " + why));
    }
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
