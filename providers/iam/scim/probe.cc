// What this server can do, how it is spoken to, and what it still needs.
#include <fmt/format.h>

#include "providers/iam/http/clock.h"
#include "providers/iam/scim/target.h"

namespace postern::iam {

using object::Check;
using object::Kind;
using object::Probe;

namespace {

constexpr const char* kOperatorFile = "operator file";

// A way out for what is known to go wrong at the first request of a listing.
std::vector<std::string> WayOut(const Error& error) {
  if (error.code == ErrorCode::kInvalid || error.code == ErrorCode::kNotFound) {
    return {"url = \"https://HOST/PATH\"  # the address below which /Users answers with JSON"};
  }
  if (error.code == ErrorCode::kDenied || error.code == ErrorCode::kAuthentication) {
    return {"auth = { token = \"secret:NAME\" }  # of somebody who may read users and groups"};
  }
  return {};
}

// The first page alone: a list answer of `kind` as it must be.
Check ListingCheck(ScimTarget& target, Kind kind) {
  Check check{.name = kind == Kind::kIamUser ? "users" : "groups", .where = kOperatorFile};
  const std::string url = target.PathOf(kind) + "?startIndex=1&count=1" +
                          (kind == Kind::kIamGroup ? "&" : "") +
                          (kind == Kind::kIamGroup ? ScimTarget::kWithoutMembers : "");
  const HttpResult result = target.session().Send(ScimTarget::Get(url));
  Error error{ErrorCode::kInvalid, ""};
  if (!result) {
    error = result.error().error;
  } else if (result->status != 200) {
    error.code = result->status == 403   ? ErrorCode::kDenied
                 : result->status >= 500 ? ErrorCode::kUnavailable
                                         : ErrorCode::kInvalid;
    error.message = fmt::format("GET {}: {}", url, SaidIn(*result));
  } else if (const auto document = ReadDocument(*result); !document) {
    error = document.error();
  } else if (MemberOf(*document, "totalResults") == nullptr) {
    error.message = fmt::format("GET {}: the answer is no list: it has no totalResults", url);
  } else {
    check.ok = true;
    check.found = TextAt(*document, "totalResults") + " are listed";
    return check;
  }
  check.found = error.message;
  check.lines_to_add = WayOut(error);
  return check;
}

// The ids of the schemas that a server lists; nothing where it lists none.
std::vector<std::string> SchemasOf(ScimTarget& target) {
  std::vector<std::string> ids;
  const HttpResult result = target.session().Send(ScimTarget::Get("/Schemas"));
  if (!result || result->status != 200) return ids;
  const auto document = ReadDocument(*result);
  if (!document) return ids;
  // A list answer by RFC 7644 section 4; some give the bare array.
  const Json* resources = document->is_array() ? &*document : MemberOf(*document, "Resources");
  if (resources == nullptr || !resources->is_array()) return ids;
  for (const Json& schema : *resources) ids.push_back(TextAt(schema, "id"));
  return ids;
}

Check KeysCheck(ScimTarget& target) {
  Check check{.name = "ssh_keys", .where = kOperatorFile};
  const std::string& path = target.ssh_keys();
  const size_t colon = path.rfind(':');
  const std::string urn = colon == std::string::npos ? "" : path.substr(0, colon);
  const std::vector<std::string> schemas = SchemasOf(target);
  const auto told = target.dialect().types().UsersHave(urn);
  check.ok = urn.empty() || (schemas.empty() && told.value_or(true));
  for (const std::string& id : schemas) check.ok |= id == urn && told.value_or(true);
  if (check.ok) {
    check.found = schemas.empty()
                      ? "the server doesn't list its schemas: " + path + " is taken as it is"
                      : path;
  } else {
    check.found = fmt::format("users of this server have no extension {}", urn);
    check.lines_to_add = {"ssh_keys = \"URN:ATTRIBUTE\"  # of an extension that the server has"};
  }
  return check;
}

void AddCapabilities(const Dialect& dialect, Probe* probe) {
  const auto add = [&](std::string_view kind, std::string field, std::string support,
                       std::string why, std::vector<std::string> alternatives) {
    probe->capabilities.push_back({.kind = std::string(kind),
                                   .field = std::move(field),
                                   .support = std::move(support),
                                   .why = std::move(why),
                                   .alternatives = std::move(alternatives)});
  };
  for (const Kind kind :
       {Kind::kIamRole, Kind::kIamAccessRole, Kind::kOauthClient, Kind::kPasswordPolicy}) {
    add(object::NameOf(kind), "", "unsupported",
        fmt::format("SCIM 2.0 has no {}", object::TableOf(kind).doc),
        {"product = \"otds\", where the system is OpenText Directory Services"});
  }
  add("iam_group", "description", "unsupported", "a SCIM group has a displayName alone",
      {"leave description out"});
  if (dialect.types().UsersHave(kEnterpriseUrn) == false) {
    for (const char* field :
         {"employee_number", "department", "division", "organization", "cost_center"}) {
      add("iam_user", field, "unsupported",
          "users of this server don't have the enterprise extension (/ResourceTypes)",
          {fmt::format("leave {} out", field)});
    }
  }
  if (dialect.Is(Trait::kDelete, "soft")) {
    add("iam_user", "deletion", "unsupported",
        "a deleted user stays, inactive: whoever is removed is made inactive and kept so", {});
  }
  if (dialect.Is(Trait::kPatch, "put")) {
    for (const std::string_view kind : {"iam_user", "iam_group", "iam_membership"}) {
      add(kind, "", "coarser",
          "the server takes whole resources only: what others change between our read and our "
          "write is lost where it has no versions",
          {});
    }
  }
}

}  // namespace

Result<Probe> ScimTarget::ProbeTarget() {
  discovered_ = examined_ = false;
  if (auto ready = Discover(); !ready) return tl::unexpected(ready.error());
  Probe probe;
  probe.product = "scim";
  probe.product_version = "2.0";
  probe.identity = settings_.credentials.identity;
  Check config{.name = "ServiceProviderConfig", .ok = true, .where = kOperatorFile};
  config.found = config_trouble_.empty() ? "read" : config_trouble_;
  probe.checks.push_back(std::move(config));
  Check types{.name = "ResourceTypes", .ok = true, .where = kOperatorFile};
  types.found = types_trouble_.empty() ? "read" : types_trouble_;
  probe.checks.push_back(std::move(types));
  probe.checks.push_back(ClockCheck(skew_ms_));
  probe.clock_skew_ms = skew_ms_.value_or(0);
  probe.checks.push_back(ListingCheck(*this, Kind::kIamUser));
  probe.checks.push_back(ListingCheck(*this, Kind::kIamGroup));
  if (!ssh_keys().empty()) probe.checks.push_back(KeysCheck(*this));
  Examine();
  AddCapabilities(dialect(), &probe);
  for (const Dialect::Row& row : dialect().Rows()) {
    probe.settings.push_back(
        {std::string(InfoOf(row.trait).name), row.value, std::string(NameOf(row.origin)), row.why});
  }
  for (const Kind kind : {Kind::kIamUser, Kind::kIamGroup}) {
    const bool told = dialect().types().is_told(kind);
    probe.settings.push_back({kind == Kind::kIamUser ? "users" : "groups", PathOf(kind),
                              std::string(NameOf(told ? Origin::kDiscovery : Origin::kDefault)),
                              told ? "ResourceTypes" : ""});
  }
  const bool versions = dialect().Is(Trait::kVersions, "etag");
  for (const Kind kind : {Kind::kIamUser, Kind::kIamGroup, Kind::kIamMembership}) {
    probe.concurrency[kind] = versions ? "native CAS" : "verify-then-write";
  }
  return probe;
}

}  // namespace postern::iam
