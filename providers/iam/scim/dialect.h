// providers/iam/scim/dialect.h: how one SCIM server differs from RFC 7644, as data.
//
// A value comes from the first of these that has one: the operator's declaration, a probe (what the
// server was seen to do), a named preset (what is known of a product, with its source), discovery
// (what the server says of itself, which isn't always so: facts, iam-governance section 3.2), and
// the RFC's own default. `postern providers doctor` prints every row with where it came from.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "providers/iam/http/json_document.h"
#include "providers/iam/scim/types.h"

namespace postern::iam {

enum class Trait : uint8_t {
  kPage,             // resources asked for in one answer
  kPaging,           // index, cursor
  kPatch,            // patch, put: how an attribute is changed
  kPatchMembers,     // members in one PATCH
  kRemoveMember,     // filter, value: how one member is taken out
  kMembersInCreate,  // yes, no: a group may be created with members
  kMembersInList,    // yes, asked, no: where a listing has members
  kVersions,         // etag, none: compare-and-set by If-Match
  kFilter,           // eq, none: whether `eq` on the id's attributes can be believed
  kDelete,           // hard, soft
  kBulk,             // no: several writes in one request aren't sent
};
inline constexpr size_t kTraitCount = 11;

enum class Origin : uint8_t { kDefault, kDiscovery, kPreset, kProbe, kDeclared };
std::string_view NameOf(Origin origin);

struct TraitInfo {
  std::string_view name;      // as declared: "remove_member"
  std::string_view choices;   // "filter value"; empty: a number from 1
  std::string_view fallback;  // the RFC's
  std::string_view meaning;
};
const TraitInfo& InfoOf(Trait trait);

class Dialect {
 public:
  // `preset`: one of PresetNames(); kInvalid names them.
  static Result<Dialect> Of(std::string_view preset);
  static std::vector<std::string_view> PresetNames();

  // A declared row, by name. kInvalid: no such trait, or not one of its choices; both with what
  // there is.
  Result<void> Declare(std::string_view name, std::string_view value);
  // What a probe saw. `value` is one of the trait's choices.
  void Saw(Trait trait, std::string_view value, std::string why);
  // /ServiceProviderConfig; RFC 7643 section 5, RFC 9865 section 4. What it doesn't say, or says in
  // another type, changes nothing.
  void Discover(const Json& config);

  // /ResourceTypes: where users and groups are. Returns as ResourceTypes::Take.
  std::string DiscoverTypes(const Json& list, const BaseUrl& base) {
    return types_.Take(list, base);
  }
  const ResourceTypes& types() const { return types_; }

  std::string_view Get(Trait trait) const;
  bool Is(Trait trait, std::string_view value) const { return Get(trait) == value; }
  uint64_t Number(Trait trait) const;
  // Whether the operator says so, whatever the server shows.
  bool IsDeclared(Trait trait) const;

  struct Row {
    Trait trait{};
    std::string value;
    Origin origin{};
    std::string why;  // the preset's source, or what the probe saw
  };
  // All traits, in order.
  std::vector<Row> Rows() const;

 private:
  void Put(Trait trait, Origin origin, std::string value, std::string why);

  // By trait and origin; an empty value says nothing.
  struct Said {
    std::string value, why;
  };
  std::array<std::array<Said, 5>, kTraitCount> said_;
  ResourceTypes types_;
};

}  // namespace postern::iam
