// providers/iam/otds/names.h: what things are called in OTDS and in Postern's keys. Pure.
//
// A user or group is login@partition, always: a bare login may be in two partitions. A text behind
// the last @ that is no managed partition belongs to the login, which may be a mail address. An
// application role lives in OAuthClients unless its name says otherwise; an access role and an
// OAuth client have no partition. Source: facts, iam-governance sections 1.2 and 1.5.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/object.h"

namespace postern::iam::otds {

inline constexpr std::string_view kClientPartition = "OAuthClients";

struct Name {
  std::string login, partition;
  std::string Full() const { return login + "@" + partition; }
};

// The form of keys: case and runs of blanks don't count.
std::string Folded(std::string_view text);
inline bool Same(std::string_view a, std::string_view b) {
  return Folded(a) == Folded(b);
}
// `name`, with its partition unless it stands there already.
std::string WithPartition(const std::string& name, const std::string& partition);

class Names {
 public:
  // `partitions`: the managed ones, as OTDS spells them; not empty.
  explicit Names(std::vector<std::string> partitions) : partitions_(std::move(partitions)) {}

  // Of a user or group.
  Name Split(std::string_view text) const;
  // Of an application role.
  Name SplitRole(std::string_view text) const;
  // How a role is called in keys: without the partition that it has by default.
  static std::string RoleName(const std::string& name, const std::string& partition);

  const std::vector<std::string>& partitions() const { return partitions_; }

 private:
  const std::string* PartitionBehind(std::string_view text) const;
  std::vector<std::string> partitions_;
};

enum class SetType : uint8_t { kGroup, kRole, kAccessRole, kUnit };
enum class MemberType : uint8_t { kUser, kGroup, kRole, kPartition, kUnit };

// "group:NAME", "role:NAME", "access_role:NAME", "unit:NAME"; organizational units are only seen,
// and so never parsed.
struct SetRef {
  SetType type{};
  std::string name;
};
std::optional<SetRef> ParseSet(std::string_view text);
std::string TextOf(const SetRef& set);

// "user:NAME", "group:NAME", "role:NAME", "partition:NAME", "unit:NAME".
struct MemberRef {
  MemberType type{};
  std::string name;
};
std::optional<MemberRef> ParseMember(std::string_view text);
std::string TextOf(const MemberRef& member);

}  // namespace postern::iam::otds
