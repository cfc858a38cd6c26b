// providers/iam/otds/objects.h: OTDS's objects as Postern's. Pure.
#pragma once
#include <span>

#include "core/object/object.h"
#include "providers/iam/otds/entry.h"

namespace postern::iam::otds {

// A field of iam_user and the attribute that holds it. `seen`: the attribute's name is documented
// (facts, section 1.2); the others have the names of LDAP (RFC 2798, RFC 4519) and are a guess.
struct UserField {
  uint32_t field;
  const char* attribute;
  bool seen;
};
std::span<const UserField> UserFields();

inline constexpr const char* kDisabled = "accountDisabled";

// `active` is unreadable where the answer doesn't say accountDisabled: nothing is taken for
// granted.
object::Object UserObject(const Entry& user, bool synchronized);
object::Object GroupObject(const Entry& group);
object::Object RoleObject(const Entry& role);
object::Object AccessRoleObject(const AccessRole& role);
object::Object MembershipObject(const SetRef& set, const MemberRef& member);
// kInvalid: not what an OAuth client looks like.
Result<object::Object> ClientObject(const Json& json);
Result<object::Object> PolicyObject(const Json& json);
inline constexpr const char* kPolicyName = "global";

}  // namespace postern::iam::otds
