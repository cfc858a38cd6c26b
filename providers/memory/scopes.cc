#include "providers/memory/scopes.h"

#include <algorithm>

#include "core/object/object.h"
#include "schemas/provider.pb.h"

namespace postern::memory {
namespace {

using object::Kind;

constexpr Kind kServerKinds[] = {Kind::kAccount,          Kind::kSshKey,      Kind::kServerGroup,
                                 Kind::kServerMembership, Kind::kGrant,       Kind::kNativeRule,
                                 Kind::kSession,          Kind::kServerConfig};
constexpr Kind kDirectoryKinds[] = {Kind::kOu, Kind::kUser, Kind::kDirectoryGroup,
                                    Kind::kMembership};

constexpr Kind kIamKinds[] = {Kind::kIamUser,       Kind::kIamGroup,      Kind::kIamMembership,
                              Kind::kIamRole,       Kind::kIamAccessRole, Kind::kOauthClient,
                              Kind::kPasswordPolicy};

bool IsDirectoryKind(Kind kind) {
  return kind <= Kind::kMembership;
}

std::string_view Part(std::string_view key, size_t number) {
  for (; number > 0; --number) {
    const size_t end = key.find(object::kKeySeparator);
    if (end == std::string_view::npos) return {};
    key.remove_prefix(end + 1);
  }
  return key.substr(0, key.find(object::kKeySeparator));
}

// Both in normal form.
bool IsUnder(std::string_view dn, std::string_view base) {
  if (base.empty() || dn == base) return true;
  return dn.size() > base.size() && dn.ends_with(base) && dn[dn.size() - base.size() - 1] == ',';
}

}  // namespace

Scopes::Scopes(const provider::v1::TargetConfig& config) {
  if (config.has_runner()) {
    for (const Kind kind : {Kind::kJob, Kind::kJobRun}) all_.push_back({kind, ""});
    return;
  }
  for (const auto& server : config.servers()) {
    for (const Kind kind : kServerKinds) all_.push_back({kind, server.name()});
  }
  if (config.has_host()) {
    all_.push_back({Kind::kFolder, config.host().name()});
    for (const std::string& root : config.host().manage().roots().values()) {
      roots_.push_back(object::Normalise(object::Comparator::kPath, root));
    }
  }
  if (config.has_iam()) {
    for (const Kind kind : kIamKinds) all_.push_back({kind, ""});
  }
  if (!config.has_directory()) return;
  std::vector<std::string> bases;
  for (const std::string& base : config.directory().manage().bases().values()) {
    bases.push_back(object::Normalise(object::Comparator::kDn, base));
  }
  if (bases.empty()) bases.emplace_back();  // all of it
  for (const std::string& base : bases) {
    for (const Kind kind : kDirectoryKinds) all_.push_back({kind, base});
  }
}

bool Scopes::Has(Kind kind) const {
  return std::any_of(all_.begin(), all_.end(), [&](const Scope& s) { return s.kind == kind; });
}

bool Scopes::UnderRoots(std::string_view path) const {
  if (roots_.empty()) return true;
  return std::any_of(roots_.begin(), roots_.end(), [&](const std::string& root) {
    return root == "/" || path == root ||
           (path.starts_with(root) && path.size() > root.size() && path[root.size()] == '/');
  });
}

std::optional<size_t> Scopes::Find(Kind kind, std::string_view key) const {
  const std::string_view first = Part(key, 0);
  const bool has_path = kind == Kind::kFolder || kind == Kind::kGrant;
  for (size_t i = 0; i < all_.size(); ++i) {
    if (all_[i].kind != kind) continue;
    const bool inside =
        object::IsIamKind(kind) || kind == Kind::kJob || kind == Kind::kJobRun ||
        (IsDirectoryKind(kind) ? IsUnder(first, all_[i].name) : first == all_[i].name);
    if (inside && (!has_path || UnderRoots(Part(key, 1)))) return i;
  }
  return std::nullopt;
}

}  // namespace postern::memory
