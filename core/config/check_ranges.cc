#include <fmt/format.h>

#include "core/base/time.h"
#include "core/config/check.h"
#include "core/diag/codes.h"

namespace postern::config {
namespace {

namespace code = diag::code;

template <class Has, class Declared_>
void Reversed(const Has& has, const Declared_& declared, int starts_field, int ends_field,
              int64_t starts, int64_t ends, diag::Diagnostics* diagnostics) {
  if (!has || starts <= ends) return;
  auto& d = diagnostics->Add({.code = code::kTimesReversed,
                              .summary = "it ends before it starts",
                              .span = declared.At(ends_field),
                              .label = fmt::format("ends {}", base::FormatHuman(ends))});
  d.also.push_back(
      {declared.At(starts_field), fmt::format("starts {}", base::FormatHuman(starts))});
}

void CheckTimes(const Declarations& all, diag::Diagnostics* diagnostics) {
  for (const auto& partner : all.partners) {
    const auto& c = partner.message.contract();
    constexpr int kContract = decl::Partner::kContractFieldNumber;
    Reversed(c.has_starts() && c.has_ends(), partner,
             Nested(kContract, decl::Contract::kStartsFieldNumber),
             Nested(kContract, decl::Contract::kEndsFieldNumber), c.starts(), c.ends(),
             diagnostics);
  }
  for (const auto& account : all.accounts) {
    if (account.of_service_account()) continue;
    const auto& m = account.message;
    Reversed(m.has_starts() && m.has_expires(), account, decl::Account::kStartsFieldNumber,
             decl::Account::kExpiresFieldNumber, m.starts(), m.expires(), diagnostics);
  }
  for (const auto& grant : all.grants) {
    if (grant.of_service_account()) continue;
    const auto& m = grant.message;
    Reversed(m.has_starts() && m.has_expires(), grant, decl::Grant::kStartsFieldNumber,
             decl::Grant::kExpiresFieldNumber, m.starts(), m.expires(), diagnostics);
  }
}

void CheckTimesOfRoles(const Declarations& all, diag::Diagnostics* diagnostics) {
  for (const auto& service : all.service_accounts) {
    const auto& m = service.message;
    Reversed(m.has_starts() && m.has_expires(), service, decl::ServiceAccount::kStartsFieldNumber,
             decl::ServiceAccount::kExpiresFieldNumber, m.starts(), m.expires(), diagnostics);
  }
  for (const auto& role : all.roles) {
    const auto& m = role.message;
    Reversed(m.has_starts() && m.has_expires(), role, decl::Role::kStartsFieldNumber,
             decl::Role::kExpiresFieldNumber, m.starts(), m.expires(), diagnostics);
  }
}

void CheckUids(const CheckInput& input, diag::Diagnostics* diagnostics) {
  constexpr int kUids = decl::Server::kUidsFieldNumber;
  for (const auto& server : input.declarations.servers) {
    const decl::Uids& u = server.message.uids();
    if (!u.has_from() || !u.has_to()) continue;
    const auto report = [&](int field, std::string summary, std::string label) {
      diagnostics->Add({.code = code::kUidRange,
                        .summary = std::move(summary),
                        .span = server.At(Nested(kUids, field)),
                        .label = std::move(label)});
    };
    if (u.from() > u.to()) {
      report(decl::Uids::kToFieldNumber, "the range of numeric ids is reversed",
             fmt::format("below from = {}", u.from()));
    } else if (u.from() < 1000) {
      report(decl::Uids::kFromFieldNumber, "numeric ids below 1000 belong to the system",
             "start at 1000 or above");
    }
  }
  for (const auto& account : input.declarations.accounts) {
    const decl::Account& m = account.message;
    const auto* server = m.has_uid() ? input.index.Get<decl::Server>(m.server()) : nullptr;
    if (!server || !server->message.has_uids()) continue;
    const decl::Uids& u = server->message.uids();
    if (m.uid() >= u.from() && m.uid() <= u.to()) continue;
    auto& d =
        diagnostics->Add({.code = code::kUidRange,
                          .summary = fmt::format("uid {} is outside the range of server \"{}\"",
                                                 m.uid(), m.server()),
                          .span = account.At(decl::Account::kUidFieldNumber),
                          .label = fmt::format("not between {} and {}", u.from(), u.to())});
    d.also.push_back({server->At(kUids), "the range"});
  }
}

void CheckCertificates(const CheckInput& input, diag::Diagnostics* diagnostics) {
  for (const auto& server : input.declarations.servers) {
    if (!server.message.has_certificates() || server.message.product() == "openssh") continue;
    diagnostics->Add(
        {.code = code::kBadSetting,
         .summary = fmt::format("server \"{}\" takes no certificates", server.message.name()),
         .span = server.At(decl::Server::kCertificatesFieldNumber),
         .label = fmt::format("{} has none", server.message.product()),
         .notes = {"only servers with product = \"openssh\" do"}});
  }
}

// Where a server says by ACL entries what each account may do, the group digit of a mode is the
// ACL's mask and the others' digit would let everybody by: both belong to the grants.
void CheckModes(const CheckInput& input, diag::Diagnostics* diagnostics) {
  for (const auto& folder : input.declarations.folders) {
    if (!folder.message.has_mode()) continue;
    for (const auto& server : input.declarations.servers) {
      const decl::Server& m = server.message;
      if (m.product() != "openssh" || m.host() != folder.message.host()) continue;
      auto& d = diagnostics->Add(
          {.code = code::kModeBesideAcl,
           .summary = fmt::format("the mode of folder \"{}\" can't be set beside server \"{}\"",
                                  folder.message.name(), m.name()),
           .span = folder.At(decl::Folder::kModeFieldNumber),
           .label = "the ACL that grants make there decides",
           .notes = {"leave it out: who isn't granted anything has nothing"}});
      d.also.push_back({server.At(decl::Server::kProductFieldNumber), "makes folders fit grants"});
      break;
    }
  }
}

void CheckPlaces(const CheckInput& input, diag::Diagnostics* diagnostics) {
  const auto report = [&](diag::Span span, const char* what, const std::string& name,
                          const Declared<decl::Directory>& directory, const char* setting) {
    auto& d = diagnostics->Add({.code = code::kNoDn,
                                .summary = fmt::format("{} \"{}\" has no place in directory \"{}\"",
                                                       what, name, directory.message.name()),
                                .span = span,
                                .label = "needs dn"});
    d.also.push_back({directory.span, fmt::format("has no {}", setting)});
  };
  for (const auto& user : input.declarations.users) {
    const auto* directory = input.index.Get<decl::Directory>(user.message.directory());
    if (user.message.has_dn() || !directory || directory->message.has_users_ou()) continue;
    report(user.span, "user", user.message.name(), *directory, "users_ou");
  }
  for (const auto& group : input.declarations.groups) {
    const auto* directory = input.index.Get<decl::Directory>(group.message.directory());
    if (group.message.has_dn() || !directory || directory->message.has_groups_ou()) continue;
    report(group.span, "group", group.message.name(), *directory, "groups_ou");
  }
}

}  // namespace

void CheckRanges(const CheckInput& input, diag::Diagnostics* diagnostics) {
  CheckTimes(input.declarations, diagnostics);
  CheckTimesOfRoles(input.declarations, diagnostics);
  CheckUids(input, diagnostics);
  CheckCertificates(input, diagnostics);
  CheckModes(input, diagnostics);
  CheckPlaces(input, diagnostics);
}

}  // namespace postern::config
