#include "providers/filetransfer/host/tree_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "core/access/rights.h"
#include "core/base/hash.h"
#include "providers/filetransfer/host/tree_listing.h"

namespace postern::filetransfer {
namespace {

using posix::Change;
using posix::Node;
using posix::Tree;

// Argument: the shell that holds the nodes of a piece open where the host has no perl: "bash" for
// many, or "sh" for at most kFewNodes (dash has one digit for a descriptor). Input: "COUNT", then
// for each piece "HOW NAMES RESTORE REAL DUMP": "held", or "other" for what only perl can hold; two
// lengths; the digests of what is their path without links and of what getfacl must print; the
// names, each ended by NUL; the text for setfacl. Prints a line a piece: "ok", "changed",
// "swapped", or what setfacl said.
//
// Nodes are held first, and then looked at and written as /proc/self/fd/N alone: what takes a
// name's place meanwhile is never reached. perl holds them without opening them (O_PATH, the number
// that Linux has for it on all but alpha, parisc and sparc): no pipe waits, no device wakes, no
// link is followed, and nothing need be readable. A shell must open them, folders by "NAME/.",
// which opens nothing else: a lease or a pipe put in place of a file may delay that, so it is
// bounded in time.
constexpr std::string_view kWriteScript = R"sh(
command -v setfacl >/dev/null && command -v getfacl >/dev/null || exit 127
command -v perl >/dev/null && perl=yes || perl=
[ "$perl" ] || command -v "$1" >/dev/null || exit 126
d=$(mktemp -d) || exit 1
trap 'rm -rf -- "$d"' EXIT
trap 'exit 1' HUP INT PIPE TERM
export d want_real want_dump
hold='
use Fcntl "O_NOFOLLOW";
$^F = 1023;
my ($list, $write) = @ARGV;
local $/ = "\0";
open(my $in, "<", $list) or exit 1;
chomp(my @names = <$in>);
close $in;
my (@held, @at);
for (@names) {
  sysopen(my $node, $_, 0x200000 | O_NOFOLLOW) or last;
  exit 1 if fileno($node) != 3 + @held;
  push @held, $node;
  push @at, "/proc/self/fd/" . fileno($node);
}
if (@at != @names) { print "changed\n"; exit }
exec "sh", "-c", $write, "sh", @at;'
open='
n=3
for at do
  if [ -L "$at" ]; then echo changed; exit; fi
  if [ -d "$at" ]; then at=$at/.; elif [ ! -f "$at" ]; then echo changed; exit; fi
  if [ ! -r "$at" ]; then echo "$at: it must be readable to be written safely: Permission denied"; exit; fi
  eval "exec $n<\"\$at\"" || exit
  n=$((n + 1))
done
set --
while [ "$n" -gt 3 ]; do n=$((n - 1)); set -- "/proc/self/fd/$n" "$@"; done'
write='
real() { readlink -z -- "$@" | sha256sum; }
if [ "$(real "$@")" != "$want_real  -" ] ||
    [ "$(getfacl -n -p -E -- "$@" 2>/dev/null | sha256sum)" != "$want_dump  -" ]; then
  echo changed
  exit
fi
out=$(setfacl --restore="$d/restore" 2>&1)
code=$?
if [ "$(real "$@")" != "$want_real  -" ]; then echo swapped
elif [ $code = 0 ]; then echo ok
else printf "%s\n" "$out"
fi'
read -r count
while [ "$count" -gt 0 ]; do
  count=$((count - 1))
  read -r how names restore want_real want_dump
  head -c "$names" >"$d/names"
  head -c "$restore" >"$d/restore"
  if [ "$perl" ]; then
    out=$(timeout 60 perl -e "$hold" "$d/names" "$write" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- 2>/dev/null)
  elif [ "$how" = other ]; then
    out='a pipe, a socket or a device is written safely by perl alone, which is not there'
  else
    out=$(timeout 60 xargs -0 -x -n 1000 -s 1000000 "$1" -c "$open
$write" sh <"$d/names" 2>/dev/null)
  fi
  printf '%s\n' "${out:-changed}" | head -n 1
done
)sh";

constexpr size_t kFewNodes = 7;
constexpr size_t kPiece = 200;
constexpr int kRounds = 3;
// What only one of getfacl and find has seen came or went meanwhile: one more look decides.
Result<void> LookAgain(Transport& transport, std::span<const std::string> roots, Listing* listing) {
  std::vector<std::string> again = std::move(listing->without_acl);
  for (const auto& [path, node] : listing->tree.nodes()) {
    const bool turned = node.type != Node::Type::kFolder && node.default_acl.has_value();
    if (node.type == Node::Type::kUnknown || turned) again.push_back(path);
  }
  if (again.empty()) return {};
  auto second = ListNames(transport, roots, again);
  if (!second) return tl::unexpected(second.error());
  if (listing->problem.empty()) listing->problem = second->problem;
  if (listing->problem.empty() && !second->without_acl.empty()) {
    listing->problem = second->without_acl.front() + ": getfacl says nothing about it";
  }
  for (const std::string& path : again) {
    const Node* node = second->tree.Find(path);
    if (node != nullptr && node->type != Node::Type::kUnknown) {
      listing->tree.Put(path, *node);
    } else {
      listing->tree.Drop(path);
    }
  }
  return {};
}

std::string WhyRootsUnfit(const Tree& tree, std::span<const std::string> roots) {
  for (const std::string& root : roots) {
    const Node* node = tree.Find(root);
    if (node == nullptr) return root + " doesn't exist";
    if (node->type != Node::Type::kFolder) return root + " is no folder";
  }
  return "";
}

// What getfacl -n -p -E prints about the node.
std::string DumpOf(const std::string& path, const Node& node) {
  return posix::FormatRestore(path, node, true);
}

// The path as it is without links when nothing below the root is one.
std::string RealOf(const std::string& path, std::span<const std::string> roots,
                   const std::vector<std::string>& real_roots) {
  for (size_t i = 0; i < roots.size() && i < real_roots.size(); ++i) {
    if (access::IsWithin(path, roots[i])) return real_roots[i] + path.substr(roots[i].size());
  }
  return "";
}

class Writer {
 public:
  Writer(Transport& transport, std::span<const Change> changes, std::span<const std::string> roots)
      : transport_(transport), roots_(roots) {
    for (const Change& change : changes) pending_.push_back(&change);
    std::stable_partition(pending_.begin(), pending_.end(),
                          [](const Change* change) { return posix::OnlyLoses(*change); });
  }

  Result<TreeWritten> Run() {
    for (int round = 0; round < kRounds; ++round) {
      if (auto sorted = Sort(); !sorted) return tl::unexpected(sorted.error());
      if (pending_.empty()) break;
      if (auto done = WritePieces(); !done) return tl::unexpected(done.error());
    }
    if (!pending_.empty()) {
      if (auto sorted = Sort(); !sorted) return tl::unexpected(sorted.error());
    }
    for (const Change* change : pending_) {
      Refuse(change, said_.empty() ? "it kept changing while it was written" : said_);
    }
    return std::move(out_);
  }

 private:
  void Refuse(const Change* change, std::string why) {
    out_.refused.push_back({change->path, std::move(why)});
  }

  // Reads what is pending: leaves what is as before, counts what is as after, refuses the rest.
  Result<void> Sort() {
    std::vector<std::string> names;
    for (const Change* change : pending_) names.push_back(change->path);
    auto live = ListNames(transport_, roots_, names);
    if (!live) return tl::unexpected(live.error());
    real_roots_ = live->real_roots;
    std::vector<const Change*> left;
    for (size_t i = 0; i < pending_.size(); ++i) {
      const Change* change = pending_[i];
      const bool straight = i < live->real_names.size() &&
                            live->real_names[i] == RealOf(change->path, roots_, real_roots_);
      const Node* node = live->tree.Find(change->path);
      const std::string now = node == nullptr ? "" : DumpOf(change->path, *node);
      if (straight && node != nullptr && now == DumpOf(change->path, change->after)) {
        ++out_.written;
      } else if (swapped_.contains(change)) {
        Refuse(change, "another node was put in its place while it was written: look at it");
      } else if (node == nullptr && straight) {
        Refuse(change, "it isn't there any more");
      } else if (!straight) {
        Refuse(change, "a link stands in its place, or on the way to it");
      } else if (now == DumpOf(change->path, change->before)) {
        left.push_back(change);
      } else {
        Refuse(change, "it isn't as it was when this was planned");
      }
    }
    pending_ = std::move(left);
    return {};
  }

  // Pipes, sockets and devices are never opened: opening may block, or do something.
  static bool MayOpen(const Change& change) { return change.before.type != Node::Type::kOther; }

  std::string Piece(std::span<const Change* const> piece) const {
    std::string names, real, dump, restore;
    const bool opens = MayOpen(*piece.front());
    for (size_t i = 0; i < piece.size(); ++i) {
      const Change* change = piece[i];
      const std::string name = fmt::format("/proc/self/fd/{}", i + 3);
      names.append(change->path).push_back('\0');
      real.append(RealOf(change->path, roots_, real_roots_)).push_back('\0');
      dump += DumpOf(name, change->before);
      restore += posix::FormatRestore(name, change->after, false);
    }
    return fmt::format("{} {} {} {} {}\n", opens ? "held" : "other", names.size(), restore.size(),
                       base::Hex(base::Sha256(real)), base::Hex(base::Sha256(dump))) +
           names + restore;
  }

  std::vector<std::span<const Change* const>> Pieces() const {
    std::vector<std::span<const Change* const>> pieces;
    for (std::span<const Change* const> rest = pending_; !rest.empty();) {
      size_t size = 1;
      while (size < std::min(size_, rest.size()) && MayOpen(*rest[size]) == MayOpen(*rest[0]))
        ++size;
      pieces.push_back(rest.first(size));
      rest = rest.subspan(size);
    }
    return pieces;
  }

  Result<ExecResult> Write(const std::vector<std::span<const Change* const>>& pieces) {
    std::string input = std::to_string(pieces.size()) + "\n";
    for (const auto& piece : pieces) input += Piece(piece);
    return transport_.Exec({.script = kWriteScript,
                            .args = {shell_},
                            .input = input,
                            .limit = std::chrono::seconds(600)});
  }

  Result<void> WritePieces() {
    auto pieces = Pieces();
    auto answer = Write(pieces);
    if (answer && answer->status == 126) {  // nor bash
      shell_ = "sh";
      size_ = std::min(size_, kFewNodes);
      pieces = Pieces();
      answer = Write(pieces);
    }
    size_ = 1 + size_ / 20;  // the next round: what stands beside a node that changed isn't held up
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status == 127) return Fail(ErrorCode::kUnsupported, std::string(kNoAcl));
    std::string_view rest = answer->out;
    for (const auto& piece : pieces) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      if (line == "swapped") swapped_.insert(piece.begin(), piece.end());
      if (line.ends_with("Operation not supported")) {
        return Fail(ErrorCode::kUnsupported, std::string(line));
      }
      if (line != "ok" && line != "changed" && line != "swapped") said_ = line;
    }
    return {};
  }

  Transport& transport_;
  std::span<const std::string> roots_;
  std::vector<std::string> real_roots_;
  std::vector<const Change*> pending_;
  std::set<const Change*> swapped_;
  std::string said_;  // by setfacl
  std::string shell_ = "bash";
  size_t size_ = kPiece;
  TreeWritten out_;
};

}  // namespace

Result<TreeRead> ReadTree(Transport& transport, std::span<const std::string> roots) {
  auto listing = ListTrees(transport, roots);
  if (!listing) return tl::unexpected(listing.error());
  if (auto done = LookAgain(transport, roots, &*listing); !done) {
    return tl::unexpected(done.error());
  }
  TreeRead out;
  out.why_not = WhyRootsUnfit(listing->tree, roots);
  if (out.why_not.empty()) out.why_not = listing->problem;
  out.complete = out.why_not.empty();
  out.tree = std::move(listing->tree);
  out.real_roots = std::move(listing->real_roots);
  return out;
}

Result<TreeWritten> WriteTree(Transport& transport, std::span<const Change> changes,
                              std::span<const std::string> roots) {
  return Writer(transport, changes, roots).Run();
}

}  // namespace postern::filetransfer
