#include "providers/filetransfer/host/second_ways.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <set>

#include "core/access/ways.h"

namespace postern::filetransfer {
namespace {

using access::IsWithin;

// Arguments: the roots. Prints the mounts, NUL, how many links there are, NUL; the roots without
// links, for each link what it leads to ("d", "f", "N" for nothing, ...), its path, its text, and
// the paths without links: each ended by NUL. Whoever may write in a root can make any number of
// links: the first ten thousand are looked at.
constexpr std::string_view kLinkScript = R"sh(
d=$(mktemp -d) || exit 1
trap 'rm -rf -- "$d"' EXIT
cat /proc/self/mountinfo || exit 1
find -H "$@" -type l -fprintf "$d/info" '%Y\0%p\0%l\0' -fprintf "$d/names" '%p\0' 2>/dev/null
printf '\0'; tr -cd '\0' <"$d/names" | wc -c; printf '\0'
realpath -zm -- "$@"
head -zn 30000 "$d/info"
head -zn 10000 "$d/names" | xargs -0 -r realpath -zm --
)sh";

constexpr std::string_view kMountScript = "cat /proc/self/mountinfo";

// "\040" -> " ".
std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      int code = 0;
      const auto end = std::from_chars(&text[i + 1], &text[i + 1] + 3, code, 8).ptr;
      if (end == &text[i + 1] + 3) {
        out += static_cast<char>(code);
        i += 3;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

bool IsManaged(std::string_view path, std::span<const std::string> roots) {
  return std::any_of(roots.begin(), roots.end(),
                     [&](const std::string& root) { return IsWithin(path, root); });
}

class Namespace {
 public:
  explicit Namespace(std::span<const Mount> mounts) {
    for (size_t i = 0; i < mounts.size(); ++i) {
      if (!IsHidden(mounts, i)) visible_.push_back(&mounts[i]);
    }
  }
  const std::vector<const Mount*>& visible() const { return visible_; }

  // The mount that a path is on: the deepest, of several at one place the last.
  const Mount* Of(std::string_view path) const {
    const Mount* best = nullptr;
    for (const Mount* mount : visible_) {
      if (!IsWithin(path, mount->point)) continue;
      if (best == nullptr || mount->point.size() >= best->point.size()) best = mount;
    }
    return best;
  }

 private:
  // Another was mounted over it, or over a folder above, afterwards.
  static bool IsHidden(std::span<const Mount> mounts, size_t at) {
    for (size_t later = at + 1; later < mounts.size(); ++later) {
      if (mounts[later].point != "/" && IsWithin(mounts[at].point, mounts[later].point)) {
        return true;
      }
    }
    return false;
  }

  std::vector<const Mount*> visible_;
};

// Two paths of one folder, as far as they bear on the roots: which counts, and which is second.
void AddWay(const std::string& narrow, const std::string& wide, std::span<const std::string> roots,
            std::set<SecondWay>* out) {
  const auto add = [&](std::string path, std::string real) {
    if (path == real) return;
    SecondWay way;
    way.by = SecondWay::By::kMount;
    way.path = std::move(path);
    way.real = std::move(real);
    out->insert(std::move(way));
  };
  const bool narrow_in = IsManaged(narrow, roots), wide_in = IsManaged(wide, roots);
  if (narrow_in) return wide_in ? add(narrow, wide) : add(wide, narrow);
  if (wide_in) return add(narrow, wide);
  for (const std::string& root : roots) {
    if (IsWithin(root, narrow)) {
      if (std::string other = access::MovedPath(root, narrow, wide); !IsManaged(other, roots))
        add(other, root);
    } else if (IsWithin(root, wide)) {
      if (std::string other = access::MovedPath(root, wide, narrow); !IsManaged(other, roots))
        add(other, root);
    }
  }
}

std::optional<std::string_view> Cut(std::string_view* rest) {
  const size_t end = rest->find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view token = rest->substr(0, end);
  rest->remove_prefix(end + 1);
  return token;
}

std::optional<std::vector<std::string_view>> CutSome(std::string_view* rest, size_t count) {
  std::vector<std::string_view> out;
  for (size_t i = 0; i < count; ++i) {
    const auto token = Cut(rest);
    if (!token) return std::nullopt;
    out.push_back(*token);
  }
  return out;
}

// Where the link leads, by the names of the managed roots: a root may itself be a link.
std::string ByRoots(std::string_view real, std::span<const std::string> roots,
                    std::span<const std::string_view> real_roots) {
  for (size_t i = 0; i < roots.size(); ++i) {
    if (IsWithin(real, real_roots[i])) return access::MovedPath(real, real_roots[i], roots[i]);
  }
  return std::string(real);
}

}  // namespace

std::vector<Mount> ParseMounts(std::string_view mountinfo) {
  std::vector<Mount> out;
  while (!mountinfo.empty()) {
    const std::string_view line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(std::min(line.size() + 1, mountinfo.size()));
    std::vector<std::string_view> words;
    for (size_t at = 0; at < line.size() && words.size() < 5;) {
      const size_t end = std::min(line.find(' ', at), line.size());
      words.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    if (words.size() < 5) continue;
    Mount mount{.id = 0,
                .parent = 0,
                .device = std::string(words[2]),
                .root = Unescape(words[3]),
                .point = Unescape(words[4])};
    std::from_chars(words[0].data(), words[0].data() + words[0].size(), mount.id);
    std::from_chars(words[1].data(), words[1].data() + words[1].size(), mount.parent);
    out.push_back(std::move(mount));
  }
  return out;
}

std::vector<SecondWay> WaysByMounts(std::span<const Mount> mounts,
                                    std::span<const std::string> roots) {
  const Namespace seen(mounts);
  std::set<SecondWay> out;
  const auto& visible = seen.visible();
  for (size_t i = 0; i < visible.size(); ++i) {
    for (size_t k = 0; k < visible.size(); ++k) {
      const Mount &narrow = *visible[i], &wide = *visible[k];
      if (i == k || narrow.device != wide.device || !IsWithin(narrow.root, wide.root)) continue;
      // Of two that are the same the earlier counts.
      if (narrow.root == wide.root && i < k) continue;
      const std::string other = access::MovedPath(narrow.root, wide.root, wide.point);
      if (seen.Of(other) == &wide) AddWay(narrow.point, other, roots, &out);
    }
  }
  return {out.begin(), out.end()};
}

std::string CountingPath(std::string path, std::span<const SecondWay> ways) {
  for (const SecondWay& way : ways) {
    if (way.by == SecondWay::By::kMount && IsWithin(path, way.path)) {
      return access::MovedPath(path, way.path, way.real);
    }
  }
  return path;
}

Result<std::vector<SecondWay>> ReadWaysByMounts(Transport& transport,
                                                std::span<const std::string> roots) {
  auto mounts = RunBatch(transport, {.script = kMountScript, .args = {}, .input = {}});
  if (!mounts) return tl::unexpected(mounts.error());
  return WaysByMounts(ParseMounts(*mounts), roots);
}

Result<SecondWays> ReadSecondWays(Transport& transport, std::span<const std::string> roots) {
  SecondWays out;
  if (roots.empty()) return out;
  auto answer = RunBatch(transport, {.script = kLinkScript,
                                     .args = {roots.begin(), roots.end()},
                                     .input = {},
                                     .limit = std::chrono::seconds(300)});
  if (!answer) return tl::unexpected(answer.error());
  const auto cut = [] { return Fail(ErrorCode::kIncomplete, "the list of links was cut short"); };
  std::string_view rest = *answer;
  const auto mounts = Cut(&rest), counted = Cut(&rest);
  if (!mounts || !counted) return cut();
  size_t all = 0;
  std::from_chars(counted->data(), counted->data() + counted->size(), all);
  const auto real_roots = CutSome(&rest, roots.size());
  const size_t seen = std::min<size_t>(all, 10'000);
  out.links_left_out = all - seen;
  const auto info = CutSome(&rest, seen * 3), real = CutSome(&rest, seen);
  if (!real_roots || !info || !real) return cut();
  out.ways = WaysByMounts(ParseMounts(*mounts), roots);
  const std::vector<SecondWay> by_mounts = out.ways;
  for (size_t i = 0; i < seen; ++i) {
    const std::string_view type = (*info)[i * 3];
    SecondWay way;
    way.path = (*info)[i * 3 + 1];
    way.target = (*info)[i * 3 + 2];
    if (type == "N" && way.target.starts_with('/')) {
      way.real = way.path;  // nothing is there, but from a chroot there may be
      out.ways.push_back(std::move(way));
      continue;
    }
    if (type != "d" && type != "f") continue;  // it leads to nothing that holds data
    way.real = CountingPath(ByRoots((*real)[i], roots, *real_roots), by_mounts);
    way.leads_out = !IsManaged(way.real, roots);
    // A link of a file in the roots is a name for what has a path there anyway.
    if (type == "d" || way.leads_out) out.ways.push_back(std::move(way));
  }
  std::sort(out.ways.begin(), out.ways.end(),
            [](const SecondWay& a, const SecondWay& b) { return a.path < b.path; });
  return out;
}

}  // namespace postern::filetransfer
