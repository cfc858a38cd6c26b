// core/config/iam_names.h: what declared things are called in an IAM system.
//
// Where users live in partitions (product otds) a name is login@partition; one without a partition
// lives in the first that the system's `manage` names. A text behind the last @ that is none of the
// managed partitions belongs to the login itself: logins may be mail addresses. Pure; any thread.
// Source: facts on OTDS, ids of users and groups.
#pragma once
#include <string>
#include <string_view>

#include "schemas/declarations.pb.h"

namespace postern::config {

inline bool IsOtds(const decl::Iam& iam) {
  return iam.product() == "otds";
}

// The managed partition that `name` says it lives in, as the operator spells it; empty: none.
std::string_view PartitionIn(const decl::Iam& iam, std::string_view name);
// `name` with its partition, where there are partitions.
std::string NameIn(const decl::Iam& iam, std::string_view name);

// Why another system may read `name` otherwise than it is written; empty: it won't.
std::string WhyNoIamName(std::string_view name);

std::string UserNameOf(const decl::Iam& iam, const decl::IamUser& user);
std::string GroupNameOf(const decl::Iam& iam, const decl::IamGroup& group);

// Application roles, access roles and clients belong to the whole system.
inline const std::string& NameOf(const decl::IamRole& role) {
  return role.has_title() ? role.title() : role.name();
}
inline const std::string& NameOf(const decl::IamAccessRole& role) {
  return role.has_title() ? role.title() : role.name();
}
inline const std::string& NameOf(const decl::OauthClient& client) {
  return client.has_client_id() ? client.client_id() : client.name();
}

}  // namespace postern::config
