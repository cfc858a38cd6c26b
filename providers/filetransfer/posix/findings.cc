#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/posix/access.h"

namespace postern::posix {
namespace {

using Kind = Finding::Kind;

bool Has(const std::vector<uint32_t>& sorted, uint32_t id) {
  return std::binary_search(sorted.begin(), sorted.end(), id);
}

class Finder {
 public:
  Finder(const Tree& tree, const KnownIds& known) : tree_(tree), known_(known) {}

  std::vector<Finding> Run() {
    for (const auto& [path, node] : tree_.nodes()) {
      if (node.type == Node::Type::kLink) continue;
      path_ = &path;
      Owners(node);
      Entries(node.access, "");
      if (node.default_acl) Entries(*node.default_acl, "default ");
      // A sticky folder that all may write in is a shared one by intent.
      if ((node.access.other & kWrite) && !node.sticky) {
        Add(Kind::kOpenToAll, "every account of the host may write");
      }
      if (path != "/") Inheritance(node);
    }
    return std::move(found_);
  }

 private:
  void Add(Kind kind, std::string why) { found_.push_back({kind, *path_, std::move(why)}); }

  void Owners(const Node& node) {
    if (!Has(known_.uids, node.uid)) {
      Add(Kind::kOrphanOwner, fmt::format("owner {} is no account", node.uid));
    }
    if (!Has(known_.gids, node.gid)) {
      Add(Kind::kOrphanOwner, fmt::format("group {} is no group", node.gid));
    }
  }

  void Entries(const Acl& acl, std::string_view which) {
    const auto look = [&](const auto& entries, std::string_view kind, const auto& ids) {
      for (const auto& [id, perm] : entries) {
        if (!Has(ids, id)) {
          Add(Kind::kOrphanEntry, fmt::format("{}entry {}:{}:{} is for nobody there", which, kind,
                                              id, FormatPerm(perm)));
        }
        if (const std::string why = WhyEntryDiffers(acl, perm); !why.empty()) {
          Add(Kind::kMaskDiffers, fmt::format("{}entry {}:{}: {}", which, kind, id, why));
        }
      }
    };
    look(acl.users, "user", known_.uids);
    look(acl.groups, "group", known_.gids);
  }

  // Whom the parent's default ACL names must stand in the child with no more and no less than a new
  // entry would have; x on files and what the maker's mode cut are no difference.
  void Inheritance(const Node& node) {
    const Node* parent = tree_.Find(access::ParentOf(*path_));
    if (parent == nullptr || !parent->default_acl) return;
    const Acl& want = *parent->default_acl;
    const Perm kept = node.type == Node::Type::kFolder ? 7 : kRead | kWrite;
    const Perm mask = node.access.mask.value_or(7);
    const auto differs = [&](const auto& have, const auto& due) {
      for (const auto& [id, perm] : due) {
        const auto at = have.find(id);
        if (at == have.end() || ((at->second ^ perm) & mask & kept) != 0) return true;
      }
      return std::any_of(have.begin(), have.end(),
                         [&](const auto& entry) { return !due.contains(entry.first); });
    };
    if (differs(node.access.users, want.users) || differs(node.access.groups, want.groups)) {
      Add(Kind::kNotInherited,
          "its ACL isn't what the folder gives new entries: moved in, or older than the folder's "
          "default ACL");
    }
  }

  const Tree& tree_;
  const KnownIds& known_;
  const std::string* path_ = nullptr;
  std::vector<Finding> found_;
};

}  // namespace

std::vector<Finding> FindingsIn(const Tree& tree, const KnownIds& known) {
  return Finder(tree, known).Run();
}

}  // namespace postern::posix
