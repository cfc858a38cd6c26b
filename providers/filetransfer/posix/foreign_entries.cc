#include "providers/filetransfer/posix/foreign_entries.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace postern::posix {
namespace {

using access::Rights;

constexpr uint32_t kNoId = UINT32_MAX - 1;

struct Subject {
  bool group = false;
  uint32_t id = 0;
  auto operator<=>(const Subject&) const = default;
};

class Finder {
 public:
  Finder(const Tree& tree, std::span<const Credentials> managed, const HostAccounts& host)
      : tree_(tree), managed_(managed), host_(host) {
    for (const Credentials& who : managed) ours_.insert(who.uid);
  }

  std::vector<ForeignEntry> Run(std::span<const std::string> roots) {
    for (const auto& entry : tree_.nodes()) {
      const std::string& path = entry.first;
      const Node& node = entry.second;
      if (node.type == Node::Type::kLink) continue;
      const bool inside = std::any_of(roots.begin(), roots.end(), [&](const std::string& root) {
        return access::IsWithin(path, root);
      });
      if (!inside) continue;
      for (const Subject& subject : NamedIn(node)) Take(path, node, subject);
    }
    std::erase_if(found_,
                  [](const ForeignEntry& entry) { return entry.known && entry.rights.empty(); });
    return std::move(found_);
  }

 private:
  std::set<Subject> NamedIn(const Node& node) const {
    std::set<Subject> out;
    const auto take = [&](const Acl& acl) {
      for (const auto& [uid, perm] : acl.users) {
        if (uid != 0 && !ours_.contains(uid)) out.insert({false, uid});
      }
      for (const auto& [gid, perm] : acl.groups) {
        if (!HasOurs(gid)) out.insert({true, gid});
      }
    };
    take(node.access);
    if (node.default_acl) take(*node.default_acl);
    return out;
  }

  bool HasOurs(uint32_t gid) const {
    return std::any_of(managed_.begin(), managed_.end(),
                       [&](const Credentials& who) { return who.In(gid); });
  }

  void Take(const std::string& path, const Node& node, const Subject& subject) {
    auto& places = places_[subject];
    const Rights rights = RightsAt(node, subject);
    const auto above = places.find(access::ParentOf(path));
    // A file's belong to its folder, a folder with more than the one above is told by itself.
    const bool covered = above != places.end() && (node.type != Node::Type::kFolder ||
                                                   found_[above->second].rights.Includes(rights));
    const size_t index = covered ? above->second : found_.size();
    places.emplace(path, index);
    if (covered) {
      ++found_[index].below;
    } else {
      found_.push_back(Begin(path, node, subject));
    }
    found_[index].rights |= rights;
  }

  ForeignEntry Begin(const std::string& path, const Node& node, const Subject& subject) const {
    ForeignEntry out{.path = path, .text = TextOf(node, subject), .group = subject.group};
    out.known = subject.group ? host_.HasGid(subject.id) : host_.HasUid(subject.id);
    out.subject = NameOf(subject);
    out.id = subject.id;
    out.reached = Reaches(path, WhoIs(subject));
    return out;
  }

  std::string NameOf(const Subject& subject) const {
    if (!subject.group && host_.HasUid(subject.id)) return host_.NamesOf(subject.id).front();
    if (subject.group) {
      for (const Group& group : host_.groups()) {
        if (group.gid == subject.id) return group.name;
      }
    }
    return std::to_string(subject.id);
  }

  std::string TextOf(const Node& node, const Subject& subject) const {
    std::string text;
    const auto add = [&](const Acl& acl, std::string_view prefix) {
      const auto& entries = subject.group ? acl.groups : acl.users;
      const auto at = entries.find(subject.id);
      if (at == entries.end()) return;
      text +=
          fmt::format("{}{}{}:{}:{}", text.empty() ? "" : ",", prefix,
                      subject.group ? "group" : "user", NameOf(subject), FormatPerm(at->second));
    };
    add(node.access, "");
    if (node.default_acl) add(*node.default_acl, "default:");
    return text;
  }

  Credentials WhoIs(const Subject& subject) const {
    if (subject.group) return {.uid = kNoId, .gid = subject.id, .groups = {}};
    if (host_.HasUid(subject.id)) {
      if (auto who = host_.CredentialsOf(host_.NamesOf(subject.id).front())) return *who;
    }
    return {.uid = subject.id, .gid = kNoId, .groups = {}};
  }

  bool Reaches(std::string_view path, const Credentials& who) const {
    for (auto up = access::ParentOf(path); !up.empty(); up = access::ParentOf(up)) {
      const Node* node = tree_.Find(up);
      if (node == nullptr || !Permits(*node, who, kExecute)) return false;
    }
    return true;
  }

  // What is in force of the entry: under the mask, and beyond what everyone has.
  static Perm InForce(const Acl& acl, const Subject& subject) {
    const auto& entries = subject.group ? acl.groups : acl.users;
    const auto at = entries.find(subject.id);
    if (at == entries.end()) return 0;
    // With an empty mask the kernel doesn't look at the entry at all (acl.h).
    return at->second & acl.mask.value_or(7) & ~acl.other;
  }

  static Rights RightsAt(const Node& node, const Subject& subject) {
    const Perm here = InForce(node.access, subject);
    if (node.type != Node::Type::kFolder) return GivenBy({.folder = kExecute, .file = here});
    // Without x in the entry there may be one that everyone has.
    const Perm enter = node.access.other & kExecute;
    Rights rights = GivenBy({.folder = static_cast<Perm>(here | enter), .file = 0});
    if (node.default_acl) {
      const Perm fresh = InForce(*node.default_acl, subject) & (kRead | kWrite);
      rights |= GivenBy({.folder = kExecute, .file = fresh});
    }
    return rights;
  }

  const Tree& tree_;
  std::span<const Credentials> managed_;
  const HostAccounts& host_;
  std::set<uint32_t> ours_;
  std::map<Subject, std::map<std::string, size_t, std::less<>>> places_;
  std::vector<ForeignEntry> found_;
};

Acl Without(const Acl& now, std::span<const ForeignEntry> entries) {
  Acl acl = now;
  for (const ForeignEntry& entry : entries) {
    (entry.group ? acl.groups : acl.users).erase(entry.id);
  }
  if (acl == now) return now;
  const Perm mask = now.mask.value_or(7);
  for (auto* named : {&acl.users, &acl.groups}) {
    for (auto& [id, perm] : *named) perm &= mask;
  }
  acl.group &= mask;
  SetMask(&acl);
  return acl;
}

}  // namespace

std::vector<Change> WithoutEntries(const Tree& tree, std::string_view path,
                                   std::span<const ForeignEntry> entries) {
  std::vector<Change> out;
  const auto& nodes = tree.nodes();
  for (auto at = nodes.lower_bound(path); at != nodes.end(); ++at) {
    if (!access::IsWithin(at->first, path)) break;
    if (at->second.type == Node::Type::kLink) continue;
    Node after = at->second;
    after.access = Without(after.access, entries);
    if (after.default_acl) after.default_acl = Without(*after.default_acl, entries);
    if (!(after == at->second)) out.push_back({at->first, at->second, std::move(after)});
  }
  return out;
}

std::vector<ForeignEntry> ForeignEntriesIn(const Tree& tree, std::span<const std::string> roots,
                                           std::span<const Credentials> managed,
                                           const HostAccounts& host) {
  return Finder(tree, managed, host).Run(roots);
}

}  // namespace postern::posix
