// IAM systems in the operator's file, and how identities are joined.
#include <fmt/format.h>

#include <algorithm>

#include "core/config/check.h"
#include "core/config/iam_names.h"
#include "core/config/values.h"
#include "core/diag/codes.h"

namespace postern::config {
namespace {

namespace code = diag::code;

using Iam = decl::Iam;
using Auth = decl::IamAuth;

constexpr int kAuth = Iam::kAuthFieldNumber, kManage = Iam::kManageFieldNumber;

// Why a text is no URL that secrets may go to; empty: it is one.
struct UrlProblem {
  bool clear_text = false;
  std::string label;
};

UrlProblem CheckUrl(std::string_view url) {
  const bool secure = url.starts_with("https://");
  if (!secure && !url.starts_with("http://")) return {false, "not understood"};
  const std::string_view rest = url.substr(secure ? 8 : 7);
  const std::string_view place = rest.substr(0, rest.find('/'));
  if (!IsHostPort(place)) return {false, "no host, or more than a host and a port"};
  if (rest.find_first_of("?#@ ") != std::string_view::npos) {
    return {false, "a user, a query or a blank in it"};
  }
  if (!secure && !IsLoopback(place)) return {true, "crosses the network without TLS"};
  return {};
}

class SystemChecks {
 public:
  SystemChecks(const CheckInput& input, diag::Diagnostics* diagnostics)
      : input_(input), diagnostics_(*diagnostics) {}

  void Run() {
    for (const auto& iam : input_.declarations.iams) CheckIam(iam);
    CheckPartitionsElsewhere();
    CheckIdentity();
  }

 private:
  diag::Diagnostic& Error(const char* code, std::string summary, diag::Span span, std::string label,
                          std::string note) {
    auto& d = diagnostics_.Add(
        {.code = code, .summary = std::move(summary), .span = span, .label = std::move(label)});
    if (!note.empty()) d.notes.push_back(std::move(note));
    return d;
  }

  void CheckIam(const Declared<Iam>& iam) {
    const Iam& m = iam.message;
    const bool memory = m.url().starts_with("memory:");
    if (m.has_url() && !(memory && m.url().size() > 7)) {
      CheckPlace(m.url(), iam.At(Iam::kUrlFieldNumber),
                 "\"https://host/scim/v2\", \"https://host/otdsws/rest\" or \"memory:FILE\"");
    }
    if (m.has_auth()) {
      CheckAuth(iam);
    } else if (!memory && m.has_url()) {
      Error(code::kMissingKey, fmt::format("auth is missing in [iam.{}]", m.name()), iam.span, "",
            "write auth = { token = \"secret:NAME\" }, a client of OAuth 2, or a login");
    }
    CheckProduct(iam);
    CheckManage(iam);
    const std::string_view keys = m.ssh_keys();
    if (m.has_ssh_keys() &&
        (keys.empty() || !std::all_of(keys.begin(), keys.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || std::string_view(":._-").find(c) != std::string::npos;
         }))) {
      Error(code::kBadSetting, fmt::format("ssh_keys in [iam.{}] names no attribute", m.name()),
            iam.At(Iam::kSshKeysFieldNumber), "not understood",
            "write a name such as \"sshPublicKeys\" or \"urn:example:ssh:2.0:User:keys\"");
    }
  }

  void CheckPlace(std::string_view url, diag::Span span, std::string_view forms) {
    const UrlProblem problem = CheckUrl(url);
    if (problem.label.empty()) return;
    if (url.find('@') != std::string_view::npos) input_.sources->Hide(span);  // may be a password
    Error(problem.clear_text ? code::kClearText : code::kBadAddress,
          problem.clear_text ? "secrets would be sent without TLS" : "this is no address of an iam",
          span, problem.label,
          problem.clear_text ? "http is for loopback only; use https"
                             : fmt::format("write {}", forms));
  }

  struct Half {
    int field;
    const char* name;
    bool set;
  };

  // Exactly one way to say who we are, and all of it.
  void CheckAuth(const Declared<Iam>& iam) {
    const Auth& auth = iam.message.auth();
    const Half token{Auth::kTokenFieldNumber, "token", auth.has_token()};
    const Half client[] = {
        {Auth::kClientIdFieldNumber, "client_id", auth.has_client_id()},
        {Auth::kClientSecretFieldNumber, "client_secret", auth.has_client_secret()}};
    const Half login[] = {{Auth::kLoginFieldNumber, "login", auth.has_login()},
                          {Auth::kPasswordFieldNumber, "password", auth.has_password()}};
    const bool has_client = client[0].set || client[1].set,
               has_login = login[0].set || login[1].set;
    if (token.set + has_client + has_login != 1) {
      Error(code::kAuthUnclear,
            fmt::format("auth in [iam.{}] says {} who Postern is there", iam.message.name(),
                        token.set || has_client || has_login ? "more than once" : "nowhere"),
            iam.At(kAuth), "exactly one way",
            "write token, or client_id with client_secret, or login with password");
      return;
    }
    for (const auto* pair : {client, login}) {
      if (pair[0].set == pair[1].set) continue;
      const Half& there = pair[0].set ? pair[0] : pair[1];
      const Half& lacks = pair[0].set ? pair[1] : pair[0];
      Error(code::kAuthUnclear,
            fmt::format("{} in auth of [iam.{}] is nothing without {}", there.name,
                        iam.message.name(), lacks.name),
            iam.At(Nested(kAuth, there.field)), fmt::format("needs {}", lacks.name), "");
    }
    CheckClientSettings(iam, has_client);
  }

  void CheckClientSettings(const Declared<Iam>& iam, bool has_client) {
    const Auth& auth = iam.message.auth();
    const Half settings[] = {{Auth::kTokenUrlFieldNumber, "token_url", auth.has_token_url()},
                             {Auth::kScopeFieldNumber, "scope", auth.has_scope()},
                             {Auth::kInFormFieldNumber, "in_form", auth.has_in_form()}};
    for (const Half& setting : settings) {
      if (has_client || !setting.set) continue;
      Error(code::kBadSetting, fmt::format("{} is for a client of OAuth 2", setting.name),
            iam.At(Nested(kAuth, setting.field)), "without client_id", "");
    }
    if (auth.has_token_url()) {
      CheckPlace(auth.token_url(), iam.At(Nested(kAuth, Auth::kTokenUrlFieldNumber)),
                 "\"https://host/oauth2/token\"");
    } else if (has_client && !IsOtds(iam.message)) {
      Error(code::kMissingKey,
            fmt::format("token_url is missing in auth of [iam.{}]", iam.message.name()),
            iam.At(kAuth), "where are its tokens given?", "SCIM doesn't say it: ask the system");
    }
  }

  void CheckProduct(const Declared<Iam>& iam) {
    const Iam& m = iam.message;
    if (!IsOtds(m)) {
      if (!m.manage().has_partitions()) return;
      Error(code::kOtherProduct,
            fmt::format("iam \"{}\" has no partitions to choose from", m.name()),
            iam.At(Nested(kManage, decl::Manage::kPartitionsFieldNumber)), "product is scim",
            "over SCIM the url names the partition; partitions is for product = \"otds\"");
      return;
    }
    if (m.has_dialect()) {
      Error(code::kOtherProduct, fmt::format("iam \"{}\" has no dialect of SCIM", m.name()),
            iam.At(Iam::kDialectFieldNumber), "product is otds",
            "its REST interface is spoken as it is documented; take dialect out");
    }
    if (m.manage().partitions().values().empty()) {
      Error(code::kMissingKey,
            fmt::format("partitions are missing in manage of [iam.{}]", m.name()),
            m.has_manage() ? iam.At(kManage) : iam.span, "which are managed?",
            "write manage = { partitions = [\"Partners\"] }; new users go to the first");
    }
    const auto& partitions = m.manage().partitions().values();
    for (int i = 0; i < partitions.size(); ++i) {
      const std::string why = WhyNoIamName(partitions[i]);
      const bool at = partitions[i].find('@') != std::string::npos;
      if (why.empty() && !at) continue;
      Error(code::kBadIamName, fmt::format("\"{}\" is no partition", partitions[i]),
            iam.At(Nested(kManage, decl::Manage::kPartitionsFieldNumber), i),
            at ? "an @ in it" : why, "");
    }
  }

  void CheckManage(const Declared<Iam>& iam) {
    const decl::Manage& manage = iam.message.manage();
    const auto at = [&](int field) { return iam.At(Nested(kManage, field)); };
    const auto refuse = [&](bool set, int field, const char* what) {
      if (!set) return;
      Error(code::kBadSetting, fmt::format("{} isn't of an iam", what), at(field),
            "no meaning here", "an iam manages what the declarations name");
    };
    refuse(manage.has_roots(), decl::Manage::kRootsFieldNumber, "roots in manage");
    refuse(manage.has_accounts(), decl::Manage::kAccountsFieldNumber, "accounts in manage");
    refuse(manage.has_bases(), decl::Manage::kBasesFieldNumber, "bases in manage");
    if (manage.foreign() != "quarantine" && manage.foreign() != "remove") return;
    Error(code::kBadSetting,
          fmt::format("foreign = \"{}\" isn't possible for an iam", manage.foreign()),
          at(decl::Manage::kForeignFieldNumber), "everybody whom nothing declares would be out",
          "an IAM system holds people of others: write \"ignore\" (default) or \"report\"");
  }

  void CheckPartitionsElsewhere() {
    const auto refuse = [&](const auto& target, const decl::Manage& manage, int outer) {
      if (!manage.has_partitions()) return;
      Error(code::kBadSetting, "partitions in manage is of an iam",
            target.At(Nested(outer, decl::Manage::kPartitionsFieldNumber)), "no meaning here", "");
    };
    for (const auto& host : input_.declarations.hosts) {
      refuse(host, host.message.manage(), decl::Host::kManageFieldNumber);
    }
    for (const auto& directory : input_.declarations.directories) {
      refuse(directory, directory.message.manage(), decl::Directory::kManageFieldNumber);
    }
  }

  void CheckIdentity() {
    const auto& top = input_.declarations.operator_file;
    constexpr int kIdentity = decl::Operator::kIdentityFieldNumber;
    if (!top.message.has_identity() || input_.files_missing) return;
    const decl::Identity& identity = top.message.identity();
    if (!identity.has_join()) {
      Error(code::kMissingKey, "join is missing in identity", top.At(kIdentity),
            "nothing is put together without it",
            "write join = { iam = \"externalId\", directory = \"employeeNumber\" }");
      return;
    }
    const char* lacks = input_.declarations.iams.empty()          ? "iam"
                        : input_.declarations.directories.empty() ? "directory"
                                                                  : nullptr;
    if (lacks == nullptr) return;
    Error(code::kBadSetting, "join needs an iam and a directory",
          top.At(Nested(kIdentity, decl::Identity::kJoinFieldNumber)),
          fmt::format("no [{}.NAME] is declared", lacks), "");
  }

  const CheckInput& input_;
  diag::Diagnostics& diagnostics_;
};

}  // namespace

void CheckIam(const CheckInput& input, diag::Diagnostics* diagnostics) {
  SystemChecks(input, diagnostics).Run();
  CheckIamObjects(input, diagnostics);
}

}  // namespace postern::config
