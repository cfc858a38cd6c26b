// providers/filetransfer/posix/access.h: which of the nine rights the file system gives somebody.
// Pure; a question costs the depth of its path.
//
// One layer of several: a daemon can only narrow it. Links must be resolved before; mounts that are
// read-only, immutable flags and security modules aren't seen here. Source: Linux 6.1, observed
// (tests/live/openssh_product), path_resolution(7), acl(5), proc_sys_fs(5).
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/rights.h"
#include "core/base/result.h"
#include "providers/filetransfer/posix/acl.h"
#include "providers/filetransfer/posix/tree.h"

namespace postern::posix {

using access::Right;
using access::Rights;

// Switches of the kernel that decide with the modes: /proc/sys/fs.
struct KernelRules {
  int protected_regular = 0;  // 2: no O_CREAT on others' files in sticky shared folders
  bool protected_hardlinks = true;
};

// True when every folder of the chain but the last lets `who` through.
bool MayReach(const Credentials& who, std::span<const Node* const> chain);

// `chain`: "/" first. For list, create and mkdir it ends with the folder; for the others with the
// entry acted upon (rmdir: the folder to remove), whose parent stands before it.
bool May(const Credentials& who, std::span<const Node* const> chain, Right right,
         const KernelRules& kernel = {});
// rename(2) of a folder to another parent writes into the folder itself, too.
bool MayMoveOut(const Credentials& who, std::span<const Node* const> chain);
// link(2): a second name for a file. Needs an own one, or one that may be read and written, where
// protected_hardlinks is on. What the new name's folder allows is asked by itself.
bool MayLink(const Credentials& who, std::span<const Node* const> chain, const KernelRules& kernel);

// The rights on a folder as it stands. Rights on entries hold for `every` entry, or for `some`; an
// empty folder has them for none.
struct FolderRights {
  bool reach = false;  // may enter
  Rights every, some;
};
// `top`: where the way begins, "/" or a chroot, above which nothing is asked. Errors: kIncomplete
// when a node on the way was not read.
Result<FolderRights> RightsIn(const Tree& tree, const Credentials& who, std::string_view folder,
                              const KernelRules& kernel = {}, std::string_view top = "/");
// How the rights on entries are decided, where a server asks for more than the kernel does.
using EntryRule = std::function<bool(std::span<const Node* const> chain, Right right)>;
Result<FolderRights> RightsIn(const Tree& tree, const Credentials& who, std::string_view folder,
                              std::string_view top, const EntryRule& rule);

// What an entry that `maker` creates in `folder` becomes: the default ACL under the mode asked for,
// or else the mode less the umask. A moved-in entry keeps its own ACL instead.
Node NewEntry(const Node& folder, const Credentials& maker, Node::Type type, uint32_t mode,
              uint32_t umask);

// Something in a tree that people should see.
struct Finding {
  enum class Kind : uint8_t {
    kOrphanOwner,   // a numeric owner or group that no account has: the next to get it has all
    kOrphanEntry,   // likewise, a named entry
    kMaskDiffers,   // a named entry that isn't what it looks like (WhyEntryDiffers)
    kNotInherited,  // a child whose ACL isn't what the folder's default ACL gives: moved in, or
                    // older
    kOpenToAll,     // other may write
  } kind = Kind::kOrphanOwner;
  std::string path;
  std::string why;
};
struct KnownIds {
  std::vector<uint32_t> uids, gids;  // sorted
};
std::vector<Finding> FindingsIn(const Tree& tree, const KnownIds& known);

}  // namespace postern::posix
