// providers/filetransfer/posix/acl.h: modes and POSIX ACLs of one node, and who they let in. Pure.
//
// Any thread. Source: acl(5), and where Linux differs from it, Linux (6.1, observed): when the mask
// is empty (`mask::---`, what `chmod g=` leaves behind) the kernel doesn't look at the ACL at all.
// Who isn't the owner is then decided by the group and other bits, so a named entry that the mask
// seems to cut gets what *other* has.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::posix {

// Permission bits as in one digit of a mode.
using Perm = uint8_t;
inline constexpr Perm kRead = 4, kWrite = 2, kExecute = 1;
std::string FormatPerm(Perm perm);  // "r-x"
std::optional<Perm> ParsePerm(std::string_view text);

// An access ACL or a default ACL. Named entries are sorted by number, as getfacl prints them.
struct Acl {
  Perm owner = 0;
  std::map<uint32_t, Perm> users;
  Perm group = 0;
  std::map<uint32_t, Perm> groups;
  std::optional<Perm> mask;  // absent: a plain mode
  Perm other = 0;
  bool operator==(const Acl&) const = default;

  bool minimal() const { return users.empty() && groups.empty() && !mask; }
  // The group digit of the mode: the mask where there is one.
  Perm group_bits() const { return mask.value_or(group); }
};

// An ACL of named entries needs a mask: the union of what it limits, so that it cuts nothing.
void SetMask(Acl* acl);

struct Node {
  enum class Type : uint8_t { kUnknown, kFolder, kFile, kLink, kOther } type = Type::kUnknown;
  uint32_t uid = 0, gid = 0;
  bool set_uid = false, set_gid = false, sticky = false;
  Acl access;
  std::optional<Acl> default_acl;  // of folders only: what new entries get
  bool operator==(const Node&) const = default;
};

// A process as the kernel sees it. Capabilities stand apart from uid 0: a daemon may have dropped
// them, a file server may carry them.
struct Credentials {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;  // supplementary, sorted
  bool dac_override = false;     // CAP_DAC_OVERRIDE: reads, writes and enters everything
  bool dac_read_search = false;  // CAP_DAC_READ_SEARCH: reads everything, enters every folder
  bool fowner = false;           // CAP_FOWNER: as if the owner, for chmod and the sticky bit

  bool In(uint32_t group) const;
};
Credentials Root();

// True when the kernel grants all of `want` at once. Not a union over entries: one entry of the
// group class has to carry the whole request.
bool Permits(const Node& node, const Credentials& who, Perm want);

// Why a named entry is less, or other, than it looks; empty: it holds as written.
std::string WhyEntryDiffers(const Acl& acl, Perm entry);

}  // namespace postern::posix
