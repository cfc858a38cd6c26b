// providers/iam/scim/resource.h: SCIM resources as objects. Pure; any thread.
//
// What a server says may be hostile, or wrong. A resource whose *name* can't be used (missing,
// over-long, with control or bidi characters) is no object: the error says which and why. Another
// attribute that can't be used is unreadable, so that nothing is decided from it, and nothing else
// is lost.
// Names of attributes are compared without case: RFC 7643 section 2.1.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/object/object.h"
#include "providers/iam/http/json_document.h"

namespace postern::iam {

inline constexpr std::string_view kUserUrn = "urn:ietf:params:scim:schemas:core:2.0:User";
inline constexpr std::string_view kGroupUrn = "urn:ietf:params:scim:schemas:core:2.0:Group";
inline constexpr std::string_view kEnterpriseUrn =
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
// Bytes. Longer names, and longer values, aren't used.
inline constexpr size_t kLongestName = 512;
inline constexpr size_t kLongestValue = 16u << 10;

// The member `name` of an object; null when there is none, or it is null.
const Json* MemberOf(const Json& object, std::string_view name);

// "user \"jo\" (id 42)", fit for a terminal.
std::string Describe(object::Kind kind, const Json& resource);
// userName or displayName, as it stands.
std::string NameIn(object::Kind kind, const Json& resource);

// `ssh_keys`: the attribute that holds public keys; empty: none.
Result<object::Object> UserOf(const Json& resource, const std::string& ssh_keys);
Result<object::Object> GroupOf(const Json& resource);
inline Result<object::Object> ObjectOf(object::Kind kind, const Json& resource,
                                       const std::string& ssh_keys) {
  return kind == object::Kind::kIamUser ? UserOf(resource, ssh_keys) : GroupOf(resource);
}

struct Member {
  std::string id;
  bool is_group = false;  // as far as the server says so
};
// Each once, in order. kInvalid: `members` isn't a list of objects with a value.
Result<std::vector<Member>> MembersOf(const Json& group);

// "group:NAME" holds "user:NAME" or "group:NAME"; names as spelled.
object::Object MembershipOf(std::string_view group, object::Kind member_kind,
                            std::string_view member);

}  // namespace postern::iam
