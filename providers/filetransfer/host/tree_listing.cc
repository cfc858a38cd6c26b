#include "providers/filetransfer/host/tree_listing.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

#include "providers/filetransfer/posix/dump_reader.h"

namespace postern::filetransfer {
namespace {

// Arguments: "trees" or "names", the blocks that awk may name again, the roots. With "names" the
// paths are those of standard input, each ended by NUL. Prints the number of parts; the roots, and
// with "names" the paths, without links, and an empty one; each part: the dump, a letter of %y for
// each of its blocks or nothing, "%y %p" of the nodes that have no letter, and an empty one; what
// getfacl said, what find said. NUL ends each of these.
//
// What comes or goes between find and getfacl shows as another number of letters than blocks: then
// find tells all with their names. With "names" find comes second: what it alone tells is there.
constexpr std::string_view kScript = R"sh(
command -v getfacl >/dev/null || exit 127
umask 077
d=$(mktemp -d) || exit 1
trap 'rm -rf -- "$d" 2>/dev/null || { wait; rm -rf -- "$d"; }' EXIT
trap 'exit 1' HUP INT PIPE TERM
what=$1 shared=$2; shift 2
export acls='
  BEGIN { RS = ""; known = -1; print "=" }
  known >= 0 {
    end = index($0, last)
    if (end && length($0) == end + size) { print "=" known " " substr($0, 9, end - 9); next }
  }
  {
    end = index($0, "\n")
    last = substr($0, end)
    size = length(last) - 1
    known = last in at ? at[last] : -1
    if (known >= 0) { print "=" known " " substr($0, 9, end - 9); next }
    print $0 "\n"
    if (n < shared) at[last] = known = n++
  }
  END { print NR >>count }'
acls() {
  : >"$1.count"
  xargs -0 -r -n 30000 -s 1000000 sh -c '
    at=$1 follow=$2 shared=$3; shift 3
    getfacl -n -p -E $follow -- "$@" >"$at.dump" 2>>"$at.said"
    exec awk -v count="$at.count" -v shared="$shared" "$acls" <"$at.dump"
  ' sh "$1" "$2" "$shared"
}
part() {
  for file in letters types said find; do : >"$1.$file"; done
  xargs -0 -r -s 1000000 sh -c '
    at=$1; shift
    if [ ! -s "$at.letters" ] && [ ! -s "$at.types" ]; then
      find "$@" -type l -fprintf "$at.types" "l %p\0" -o -fprintf "$at.letters" %y -print0 2>>"$at.find"
      exit 0
    fi
    find "$@" -type l -fprintf "$at.l" "l %p\0" -o -fprintf "$at.y" %y -print0 2>>"$at.find"
    cat "$at.l" >>"$at.types"; cat "$at.y" >>"$at.letters"
    :' sh "$1" <"$1.names" | acls "$1" -P
  blocks=0
  while read -r count; do blocks=$((blocks + count)); done <"$1.count"
  if [ "$(wc -c <"$1.letters")" != "$blocks" ]; then
    : >"$1.letters"
    xargs -0 -r -s 1000000 sh -c 'find "$@" -printf "%y %p\0"; :' sh <"$1.names" >"$1.types" 2>>"$1.find"
  fi
  printf '\0'; cat "$1.letters"; printf '\0'; [ ! -s "$1.types" ] || cat "$1.types"; printf '\0'
}
above() {
  { printf '%s\0' "$@"; realpath -zm -- "$@"; } | xargs -0 sh -c '
    for at do printf "%s\0" "$at"; while at=${at%/*}; [ -n "$at" ]; do printf "%s\0" "$at"; done; done; printf "/\0"
  ' sh | sort -zu >"$d/a.names"
  acls "$d/a" "" <"$d/a.names"
  printf '\0\0'
  xargs -0 sh -c 'find -H "$@" -maxdepth 0 -printf "%y %p\0"; :' sh <"$d/a.names" 2>"$d/a.find"
  printf '\0'
}
if [ "$what" = names ]; then
  cat >"$d/n.names"
  printf '1\0'; realpath -zm -- "$@"; xargs -0 -r realpath -zm -- <"$d/n.names"
  printf '\0'; acls "$d/n" -P <"$d/n.names"
  printf '\0\0'
  xargs -0 -r sh -c 'find "$@" -maxdepth 0 -printf "%y %p\0"; :' sh <"$d/n.names" 2>"$d/n.find"
  printf '\0'
else
  cores=$(getconf _NPROCESSORS_ONLN)
  case $cores in [123]) ;; '') cores=1 ;; *) cores=4 ;; esac
  printf '%s\0' "$((cores + 1))"; realpath -zm -- "$@"; printf '\0'
  above "$@" >"$d/above" &
  find -H "$@" -mindepth 1 -maxdepth 1 -print0 2>"$d/c.find" |
    split -t '\0' -n "r/$cores" -a 1 -d --additional-suffix=.names - "$d/" || exit 1
  i=1
  while [ "$i" -lt "$cores" ]; do part "$d/$i" >"$d/part.$i" & i=$((i + 1)); done
  part "$d/0"
  wait
  cat "$d/above" "$d"/part.* || :
fi
for file in said find; do
  said=
  for at in "$d"/*."$file"; do [ ! -s "$at" ] || said=1; done
  [ -z "$said" ] || cat "$d"/*."$file" | grep -av 'No such file or directory$' | head -c 60000
  printf '\0'
done
)sh";

// The script's answer while it arrives. What the host says of its length, the number of parts and
// of types, must fit what comes: else it is an error.
class Reader final : public OutputSink {
 public:
  Reader(size_t roots, size_t most, Listing* out)
      : roots_(roots), most_(most), out_(out), dump_(&out->tree) {}

  Result<void> Take(std::string_view part) override;
  bool whole() const { return state_ == State::kEnd && held_.empty(); }

 private:
  enum class State : uint8_t { kParts, kRoots, kDump, kLetters, kTypes, kSaid, kFound, kEnd };
  static constexpr size_t kTokenLimit = size_t{1} << 20;

  // Each takes what it can off the front; nothing when its end isn't there yet.
  Result<bool> Step(std::string_view* rest);
  Result<bool> Dump(std::string_view* rest);
  bool Letters(std::string_view* rest);
  Result<void> Token(std::string_view token);
  Result<void> TakeType(std::string_view token);
  void Say(std::string_view said);

  const size_t roots_, most_;
  Listing* out_;
  State state_ = State::kParts;
  size_t parts_ = 0;
  posix::DumpReader dump_;
  std::string letters_, types_, held_;
};

Result<void> Reader::Take(std::string_view part) {
  held_ += part;
  std::string_view rest = held_;
  for (bool moved = true; moved && !rest.empty();) {
    auto step = Step(&rest);
    if (!step) return tl::unexpected(step.error());
    moved = *step;
    if (out_->tree.nodes().size() > most_) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("more than {} files and folders below the roots: manage fewer in one "
                              "host",
                              most_));
    }
  }
  held_.erase(0, held_.size() - rest.size());
  if (held_.size() > kTokenLimit) {
    return Fail(ErrorCode::kInvalid, "the answer about the folders has a name without an end");
  }
  return {};
}

Result<bool> Reader::Step(std::string_view* rest) {
  if (state_ == State::kDump) return Dump(rest);
  if (state_ == State::kLetters) return Letters(rest);
  if (state_ == State::kEnd) {
    return Fail(ErrorCode::kInvalid, "the answer about the folders goes on after its end");
  }
  const size_t end = rest->find('\0');
  if (end == std::string_view::npos) return false;
  if (auto taken = Token(rest->substr(0, end)); !taken) return tl::unexpected(taken.error());
  rest->remove_prefix(end + 1);
  return true;
}

Result<bool> Reader::Dump(std::string_view* rest) {
  if (rest->front() == '\0') {
    if (auto done = dump_.End(); !done) return tl::unexpected(done.error());
    rest->remove_prefix(1);
    state_ = State::kLetters;
    return true;
  }
  const size_t end = rest->find('\n');
  if (end == std::string_view::npos) return false;
  if (auto taken = dump_.Take(rest->substr(0, end)); !taken) return tl::unexpected(taken.error());
  rest->remove_prefix(end + 1);
  return true;
}

bool Reader::Letters(std::string_view* rest) {
  const size_t end = rest->find('\0');
  letters_ += rest->substr(0, end);
  if (end == std::string_view::npos) {
    *rest = {};
    return false;
  }
  rest->remove_prefix(end + 1);
  state_ = State::kTypes;
  return true;
}

Result<void> Reader::Token(std::string_view token) {
  switch (state_) {
    case State::kParts: {
      const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), parts_);
      if (error != std::errc() || end != token.data() + token.size() || parts_ == 0 ||
          parts_ > 64) {
        return Fail(ErrorCode::kInvalid, "the answer about the folders names no number of parts");
      }
      state_ = State::kRoots;
      return {};
    }
    case State::kRoots:
      if (token.empty()) {
        state_ = State::kDump;
      } else {
        (out_->real_roots.size() < roots_ ? out_->real_roots : out_->real_names)
            .emplace_back(token);
      }
      return {};
    case State::kTypes:
      return TakeType(token);
    default:
      Say(token);
      state_ = state_ == State::kSaid ? State::kFound : State::kEnd;
      return {};
  }
}

Result<void> Reader::TakeType(std::string_view token) {
  if (!token.empty()) {
    types_.append(token).push_back('\0');
    // Links are never many; where names come with their types, memory is that of the tree.
    if (types_.size() < kTokenLimit) return {};
  }
  if (!letters_.empty() && token.empty() && !dump_.SetTypes(letters_)) {
    return Fail(ErrorCode::kIncomplete,
                fmt::format("the answer about the folders has {} types for {} ACLs",
                            letters_.size(), dump_.size()));
  }
  if (auto typed = out_->tree.AddTypes(types_, &out_->without_acl); !typed) return typed;
  types_.clear();
  if (out_->without_acl.size() > most_) {
    return Fail(ErrorCode::kUnsupported, "too many files and folders without an ACL");
  }
  if (!token.empty()) return {};
  letters_.clear();
  dump_ = posix::DumpReader(&out_->tree);
  state_ = --parts_ == 0 ? State::kSaid : State::kDump;
  return {};
}

void Reader::Say(std::string_view said) {
  while (!said.empty() && out_->problem.empty()) {
    const std::string_view line = said.substr(0, said.find('\n'));
    said.remove_prefix(std::min(line.size() + 1, said.size()));
    if (!line.ends_with("No such file or directory")) out_->problem = line;
  }
}

Result<Listing> List(Transport& transport, std::string_view what,
                     std::span<const std::string> roots, std::string_view names, size_t most) {
  std::vector<std::string> args = {std::string(what),
                                   std::to_string(posix::DumpReader::kSharedBlocks)};
  args.insert(args.end(), roots.begin(), roots.end());
  Listing out;
  Reader reader(roots.size(), most, &out);
  auto answer = transport.Exec({.script = kScript,
                                .args = args,
                                .input = names,
                                .limit = std::chrono::seconds(600),
                                .sink = &reader});
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status == 127) return Fail(ErrorCode::kUnsupported, std::string(kNoAcl));
  if (answer->status != 0 || !reader.whole()) {
    return Fail(ErrorCode::kIncomplete, "the answer about the folders was cut short: " +
                                            answer->err.substr(0, answer->err.find('\n')));
  }
  return out;
}

}  // namespace

Result<Listing> ListTrees(Transport& transport, std::span<const std::string> roots, size_t most) {
  return List(transport, "trees", roots, "", most);
}

Result<Listing> ListNames(Transport& transport, std::span<const std::string> roots,
                          std::span<const std::string> names) {
  std::string input;
  for (const std::string& name : names) input.append(name).push_back('\0');
  return List(transport, "names", roots, input, kNodeLimit);
}

}  // namespace postern::filetransfer
