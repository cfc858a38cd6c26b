// providers/iam/scim/types.h: where a server has its users and groups, and which extensions its
// users have, as /ResourceTypes says; RFC 7643 section 6. Pure; any thread.
//
// An endpoint is taken only below the declared base, as the RFC demands: a server doesn't lead us
// elsewhere. What isn't said, or can't be used, stays at the RFC's "/Users" and "/Groups".
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/kind.h"
#include "providers/iam/http/json_document.h"
#include "providers/iam/http/url.h"

namespace postern::iam {

class ResourceTypes {
 public:
  // The answer of /ResourceTypes. Returns what of it can't be used, for people; empty: nothing.
  std::string Take(const Json& document, const BaseUrl& base);

  // "/Users"; "/Users/42".
  std::string PathOf(object::Kind kind) const {
    return kind == object::Kind::kIamUser ? users_ : groups_;
  }
  std::string PathOf(object::Kind kind, std::string_view id) const {
    return PathOf(kind) + "/" + Encode(id);
  }
  // Whether users have the extension; nothing: the server doesn't say.
  std::optional<bool> UsersHave(std::string_view urn) const;
  bool is_told(object::Kind kind) const {
    return kind == object::Kind::kIamUser ? users_told_ : groups_told_;
  }

 private:
  std::string users_ = "/Users", groups_ = "/Groups";
  bool users_told_ = false, groups_told_ = false;
  std::optional<std::vector<std::string>> extensions_;  // of users, URNs
};

}  // namespace postern::iam
