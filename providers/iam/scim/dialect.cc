#include "providers/iam/scim/dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace postern::iam {
namespace {

constexpr TraitInfo kTraits[kTraitCount] = {
    {"page", "", "200", "resources asked for in one answer"},
    {"paging", "index cursor", "index", "how a listing goes on"},
    {"patch", "patch put", "patch", "how one attribute is changed"},
    {"patch_members", "", "100", "members added or removed in one request"},
    {"remove_member", "filter value", "filter", "how one member is taken out of a group"},
    {"members_in_create", "yes no", "yes", "whether a group may be created with its members"},
    {"members_in_list", "yes asked no", "yes", "whether a listing of groups has their members"},
    {"versions", "etag none", "none", "whether a write can be bound to the version that was read"},
    {"filter", "eq none", "eq", "whether a search by equality can be believed"},
    {"delete", "hard soft", "hard", "whether a deleted resource is gone"},
    {"bulk", "no", "no", "several writes in one request: not atomic, and so never sent"},
};

struct Preset {
  std::string_view name;
  Trait trait;
  std::string_view value, why;
};

// Products as far as they are known; everything else is left to discovery and probes. Bulk requests
// (RFC 7644 section 3.7, not atomic) are sent to none. The sources
// stand in the facts, iam-governance sections 1.4 and 3.3.
constexpr Preset kPresets[] = {
    {"otds", Trait::kVersions, "none", "OTDS: no ETag seen; unconfirmed on this server"},
    {"keycloak", Trait::kPage, "100", "Keycloak 26.8: at most 100 results a request"},
    {"keycloak", Trait::kPatchMembers, "100", "Keycloak 26.8: 100 operations a PATCH"},
    {"keycloak", Trait::kMembersInCreate, "no", "Keycloak 26.8: members by PATCH only, else 400"},
    {"keycloak", Trait::kMembersInList, "asked", "Keycloak 26.8: members only where asked for"},
    {"keycloak", Trait::kFilter, "none",
     "Keycloak 26.8: a filter on an unmapped attribute finds nothing, without a word"},
    {"entra", Trait::kPatch, "patch", "Entra's provisioning API: no PUT"},
    {"entra", Trait::kRemoveMember, "filter",
     "a removal by value can empty a group: azure-docs issue 30826"},
    {"okta", Trait::kPage, "200", "Okta: at most 200 a page"},
    {"okta", Trait::kDelete, "soft", "Okta: deactivates, does not delete"},
};

// Nothing is known beforehand.
constexpr std::string_view kGeneric = "generic";

constexpr size_t At(Trait trait) {
  return static_cast<size_t>(trait);
}

bool IsChoice(const TraitInfo& info, std::string_view value) {
  if (info.choices.empty()) {
    uint64_t number = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
    return read.ec == std::errc() && read.ptr == value.data() + value.size() && number >= 1 &&
           number <= 10'000;
  }
  std::string_view left = info.choices;
  while (!left.empty()) {
    const size_t end = std::min(left.find(' '), left.size());
    if (left.substr(0, end) == value) return true;
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return false;
}

std::string ChoicesOf(const TraitInfo& info) {
  if (info.choices.empty()) return "a number from 1 to 10000";
  std::string out = "one of " + std::string(info.choices);
  for (size_t at = 7; (at = out.find(' ', at)) != std::string::npos; at += 2) {
    out.replace(at, 1, ", ");
  }
  return out;
}

const Json* Member(const Json* object, std::string_view name) {
  if (object == nullptr || !object->is_object()) return nullptr;
  const auto at = object->find(name);
  return at == object->end() ? nullptr : &*at;
}

}  // namespace

std::string_view NameOf(Origin origin) {
  constexpr std::string_view kNames[] = {"RFC 7644", "discovery", "preset", "probe", "declared"};
  return kNames[static_cast<size_t>(origin)];
}

const TraitInfo& InfoOf(Trait trait) {
  return kTraits[At(trait)];
}

std::vector<std::string_view> Dialect::PresetNames() {
  std::vector<std::string_view> names;
  for (const Preset& preset : kPresets) {
    if (names.empty() || names.back() != preset.name) names.push_back(preset.name);
  }
  names.push_back(kGeneric);
  return names;
}

Result<Dialect> Dialect::Of(std::string_view preset) {
  Dialect out;
  for (size_t i = 0; i < kTraitCount; ++i) {
    out.Put(static_cast<Trait>(i), Origin::kDefault, std::string(kTraits[i].fallback), "");
  }
  bool known = preset == kGeneric;
  for (const Preset& row : kPresets) {
    if (row.name != preset) continue;
    known = true;
    out.Put(row.trait, Origin::kPreset, std::string(row.value), std::string(row.why));
  }
  if (known) return out;
  return Fail(ErrorCode::kInvalid, fmt::format("no dialect is named \"{}\": there are {}", preset,
                                               fmt::join(PresetNames(), ", ")));
}

Result<void> Dialect::Declare(std::string_view name, std::string_view value) {
  const auto* const info = std::find_if(std::begin(kTraits), std::end(kTraits),
                                        [&](const TraitInfo& row) { return row.name == name; });
  if (info == std::end(kTraits)) {
    std::vector<std::string_view> names;
    for (const TraitInfo& row : kTraits) names.push_back(row.name);
    return Fail(ErrorCode::kInvalid,
                fmt::format("a dialect has no \"{}\": it has {}", name, fmt::join(names, ", ")));
  }
  if (!IsChoice(*info, value)) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" is no value of {}: {}", value, name, ChoicesOf(*info)));
  }
  Put(static_cast<Trait>(info - std::begin(kTraits)), Origin::kDeclared, std::string(value), "");
  return {};
}

void Dialect::Saw(Trait trait, std::string_view value, std::string why) {
  Put(trait, Origin::kProbe, std::string(value), std::move(why));
}

void Dialect::Discover(const Json& config) {
  const auto supported = [&](std::string_view feature) -> const Json* {
    const Json* flag = Member(Member(&config, feature), "supported");
    return flag != nullptr && flag->is_boolean() ? flag : nullptr;
  };
  const auto put = [&](Trait trait, std::string_view feature, std::string_view yes,
                       std::string_view no) {
    const Json* flag = supported(feature);
    if (flag == nullptr) return;
    Put(trait, Origin::kDiscovery, std::string(flag->get<bool>() ? yes : no),
        fmt::format("{}.supported is {}", feature, flag->get<bool>()));
  };
  put(Trait::kPatch, "patch", "patch", "put");
  put(Trait::kFilter, "filter", "eq", "none");
  put(Trait::kVersions, "etag", "etag", "none");
  const Json* pagination = Member(&config, "pagination");
  if (const Json* cursor = Member(pagination, "cursor");
      cursor != nullptr && cursor->is_boolean()) {
    Put(Trait::kPaging, Origin::kDiscovery, cursor->get<bool>() ? "cursor" : "index",
        "pagination.cursor");
  }
  // A listing's bound, where it is said: filter.maxResults is that of a search, often of both.
  for (const auto& [feature, name] :
       {std::pair("pagination", "maxPageSize"), {"filter", "maxResults"}}) {
    const Json* bound = Member(Member(&config, feature), name);
    if (bound == nullptr || !bound->is_number_unsigned() || *bound == 0) continue;
    // More at a time is slower (facts), whatever the server would give.
    Put(Trait::kPage, Origin::kDiscovery,
        std::to_string(std::min(Number(Trait::kPage), bound->get<uint64_t>())),
        fmt::format("{}.{} is {}", feature, name, bound->get<uint64_t>()));
    return;
  }
}

void Dialect::Put(Trait trait, Origin origin, std::string value, std::string why) {
  said_[At(trait)][static_cast<size_t>(origin)] = {std::move(value), std::move(why)};
}

std::string_view Dialect::Get(Trait trait) const {
  const auto& said = said_[At(trait)];
  for (size_t i = std::size(said); i-- > 0;) {
    if (!said[i].value.empty()) return said[i].value;
  }
  return "";
}

bool Dialect::IsDeclared(Trait trait) const {
  return !said_[At(trait)][static_cast<size_t>(Origin::kDeclared)].value.empty();
}

uint64_t Dialect::Number(Trait trait) const {
  const std::string_view text = Get(trait);
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::vector<Dialect::Row> Dialect::Rows() const {
  std::vector<Row> rows;
  for (size_t i = 0; i < kTraitCount; ++i) {
    const auto& said = said_[i];
    for (size_t j = std::size(said); j-- > 0;) {
      if (said[j].value.empty()) continue;
      rows.push_back({static_cast<Trait>(i), said[j].value, static_cast<Origin>(j), said[j].why});
      break;
    }
  }
  return rows;
}

}  // namespace postern::iam
