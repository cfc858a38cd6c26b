// Users, groups, roles and clients of IAM systems as they are declared.
#include <fmt/format.h>

#include <algorithm>

#include "core/config/check.h"
#include "core/config/iam_names.h"
#include "core/diag/codes.h"
#include "core/diag/suggest.h"

namespace postern::config {
namespace {

namespace code = diag::code;

using decl::Iam;

class ObjectChecks {
 public:
  ObjectChecks(const CheckInput& input, diag::Diagnostics* diagnostics)
      : input_(input), diagnostics_(*diagnostics) {}

  void Run() {
    for (const auto& user : input_.declarations.iam_users) CheckUser(user);
    for (const auto& group : input_.declarations.iam_groups) {
      const auto* iam = input_.index.Get<Iam>(group.message.iam());
      const int field = group.message.has_display_name() ? decl::IamGroup::kDisplayNameFieldNumber
                                                         : decl::IamGroup::kNameFieldNumber;
      if (iam != nullptr) CheckName(group, "display_name", field, NameWritten(group.message), *iam);
      CheckMembers(group);
    }
    for (const auto& role : input_.declarations.iam_roles) CheckOtdsSet(role);
    for (const auto& role : input_.declarations.iam_access_roles) {
      CheckOtdsSet(role);
      CheckRolePartitions(role);
    }
    for (const auto& client : input_.declarations.oauth_clients) CheckClient(client);
  }

 private:
  diag::Diagnostic& Error(const char* code, std::string summary, diag::Span span, std::string label,
                          std::string note) {
    auto& d = diagnostics_.Add(
        {.code = code, .summary = std::move(summary), .span = span, .label = std::move(label)});
    if (!note.empty()) d.notes.push_back(std::move(note));
    return d;
  }

  static const std::string& NameWritten(const decl::IamUser& user) {
    return user.has_user_name() ? user.user_name() : user.name();
  }
  static const std::string& NameWritten(const decl::IamGroup& group) {
    return group.has_display_name() ? group.display_name() : group.name();
  }

  template <class M>
  void CheckName(const Declared<M>& declared, std::string_view key, int field,
                 const std::string& name, const Declared<Iam>& iam) {
    if (const std::string why = WhyNoIamName(name); !why.empty()) {
      Error(code::kBadIamName, fmt::format("\"{}\" is no name in an IAM system", name),
            declared.At(field), why, "");
      return;
    }
    const size_t at = name.rfind('@');
    if (!IsOtds(iam.message) || at == std::string::npos) return;
    if (!PartitionIn(iam.message, name).empty()) return;
    const std::string behind = name.substr(at + 1);
    if (behind.find('.') != std::string::npos) return;  // a mail address is a login, too
    const auto& all = iam.message.manage().partitions().values();
    const std::vector<std::string_view> partitions(all.begin(), all.end());
    auto& d =
        Error(code::kUnknownPartition,
              fmt::format("iam \"{}\" manages no partition \"{}\"", iam.message.name(), behind),
              declared.At(field), fmt::format("in {}", key), "");
    if (const auto near = diag::Nearest(behind, partitions)) {
      d.label = fmt::format("did you mean \"{}@{}\"?", name.substr(0, at), *near);
    }
    d.also.push_back(
        {iam.At(Nested(Iam::kManageFieldNumber, decl::Manage::kPartitionsFieldNumber)), "managed"});
  }

  void CheckUser(const Declared<decl::IamUser>& user) {
    const auto* iam = input_.index.Get<Iam>(user.message.iam());
    if (iam == nullptr) return;
    const int field = user.message.has_user_name() ? decl::IamUser::kUserNameFieldNumber
                                                   : decl::IamUser::kNameFieldNumber;
    CheckName(user, "user_name", field, NameWritten(user.message), *iam);
    if (!user.message.has_external_id() || !user.message.external_id().empty()) return;
    Error(code::kBadIamName, "external_id is empty", user.At(decl::IamUser::kExternalIdFieldNumber),
          "names nobody", "leave the line out: the address of the declaration stands there then");
  }

  // Users and groups that are members live in the same system.
  template <class M>
  void CheckMembers(const Declared<M>& set) {
    const auto& members = set.message.members().values();
    for (int i = 0; i < members.size(); ++i) {
      const auto address = SplitAddress(members[i]);
      if (!address) continue;
      const std::string* there = nullptr;
      if (address->table == "iam_user") {
        const auto* user = input_.index.Get<decl::IamUser>(address->name);
        if (user != nullptr) there = &user->message.iam();
      } else if (address->table == "iam_group") {
        const auto* group = input_.index.Get<decl::IamGroup>(address->name);
        if (group != nullptr) there = &group->message.iam();
      }
      if (there == nullptr || *there == set.message.iam()) continue;
      auto& d = Error(code::kOtherIam,
                      fmt::format("{} lives in iam \"{}\", not in \"{}\"", members[i], *there,
                                  set.message.iam()),
                      set.At(M::kMembersFieldNumber, i), "in another system",
                      "name the person instead: each system has its own user for it");
      d.also.push_back({input_.index.Find(address->table, address->name)->span, "declared here"});
    }
  }

  // True where the system has such things.
  template <class M>
  bool NeedsOtds(const Declared<M>& declared, std::string_view table) {
    const auto* iam = input_.index.Get<Iam>(declared.message.iam());
    if (iam == nullptr || IsOtds(iam->message)) return true;
    auto& d = Error(code::kOtherProduct,
                    fmt::format("iam \"{}\" has no {}", declared.message.iam(), table),
                    declared.At(M::kIamFieldNumber), "speaks SCIM",
                    "SCIM knows users and groups; product = \"otds\" has the rest");
    d.also.push_back({iam->message.has_product() ? iam->At(Iam::kProductFieldNumber) : iam->span,
                      "declared here"});
    return false;
  }

  template <class M>
  void CheckOtdsSet(const Declared<M>& role) {
    NeedsOtds(role, std::is_same_v<M, decl::IamRole> ? "iam_role" : "iam_access_role");
    if (const std::string why = WhyNoIamName(NameOf(role.message)); !why.empty()) {
      Error(code::kBadIamName,
            fmt::format("\"{}\" is no name in an IAM system", NameOf(role.message)),
            role.At(M::kTitleFieldNumber), why, "");
    }
    CheckMembers(role);
  }

  void CheckRolePartitions(const Declared<decl::IamAccessRole>& role) {
    const auto& partitions = role.message.partitions().values();
    for (int i = 0; i < partitions.size(); ++i) {
      const std::string why = WhyNoIamName(partitions[i]);
      if (why.empty()) continue;
      Error(code::kBadIamName, fmt::format("\"{}\" is no partition", partitions[i]),
            role.At(decl::IamAccessRole::kPartitionsFieldNumber, i), why, "");
    }
  }

  void CheckClient(const Declared<decl::OauthClient>& client) {
    using Client = decl::OauthClient;
    const Client& m = client.message;
    NeedsOtds(client, "oauth_client");
    if (const std::string why = WhyNoIamName(NameOf(m)); !why.empty()) {
      Error(code::kBadIamName, fmt::format("\"{}\" is no client id", NameOf(m)),
            client.At(Client::kClientIdFieldNumber), why, "");
    }
    const auto& urls = m.redirect_urls().values();
    for (int i = 0; i < urls.size(); ++i) {
      if (IsRedirect(urls[i])) continue;
      Error(code::kBadAddress, fmt::format("\"{}\" is no place to come back to", urls[i]),
            client.At(Client::kRedirectUrlsFieldNumber, i), "not an absolute https URL",
            "write \"https://host/path\" without a fragment; http for loopback only, and an app's "
            "own scheme has a dot (\"com.example.app:/done\")");
    }
    if (m.has_secret() && m.has_confidential() && !m.confidential()) {
      Error(code::kBadSetting, "a public client keeps no secret",
            client.At(Client::kSecretFieldNumber), "confidential = false", "take one of both out");
    }
    for (const auto& [has, seconds, field] :
         {std::tuple(m.has_access_token_seconds(), m.access_token_seconds(),
                     int{Client::kAccessTokenSecondsFieldNumber}),
          std::tuple(m.has_refresh_token_seconds(), m.refresh_token_seconds(),
                     int{Client::kRefreshTokenSecondsFieldNumber})}) {
      if (has && seconds == 0) {
        Error(code::kOutOfRange, "a token that lives no second", client.At(field), "above 0", "");
      }
    }
  }

  // RFC 6749 §3.1.2, RFC 8252 §7.1.
  static bool IsRedirect(std::string_view url) {
    if (url.find_first_of("# \\*") != std::string_view::npos) return false;
    const bool secure = url.starts_with("https://");
    if (secure || url.starts_with("http://")) {
      const std::string_view rest = url.substr(secure ? 8 : 7);
      const std::string_view place = rest.substr(0, rest.find_first_of("/?"));
      return IsHostPort(place) && (secure || IsLoopback(place));
    }
    const size_t colon = url.find(":/");
    if (colon == std::string_view::npos || colon == 0) return false;
    const std::string_view scheme = url.substr(0, colon);
    return scheme.find('.') != std::string_view::npos &&
           std::all_of(scheme.begin(), scheme.end(), [](unsigned char c) {
             return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '+';
           });
  }

  const CheckInput& input_;
  diag::Diagnostics& diagnostics_;
};

}  // namespace

void CheckIamObjects(const CheckInput& input, diag::Diagnostics* diagnostics) {
  ObjectChecks(input, diagnostics).Run();
}

}  // namespace postern::config
