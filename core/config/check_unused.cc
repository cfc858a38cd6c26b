#include <fmt/format.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/check.h"
#include "core/diag/codes.h"

namespace postern::config {
namespace {

namespace code = diag::code;

constexpr std::string_view kPerson = "person:", kPartner = "partner:";

// Which persons and partners something stands for, by position.
struct Used {
  explicit Used(const CheckInput& input)
      : index(input.index),
        persons(input.declarations.persons.size()),
        partners(input.declarations.partners.size()) {}

  void Add(std::string_view address) {
    if (address.starts_with(kPartner)) {
      Mark(index.Find("partner", address.substr(kPartner.size())), &partners);
    } else if (address.starts_with(kPerson)) {
      Mark(index.Find("person", address.substr(kPerson.size())), &persons);
    }
  }
  static void Mark(const Index::Entry* entry, std::vector<bool>* marks) {
    if (entry) (*marks)[entry->position] = true;
  }

  const Index& index;
  std::vector<bool> persons, partners;
};

Used FindUsed(const CheckInput& input) {
  const Declarations& all = input.declarations;
  Used used(input);
  for (const auto& account : all.accounts) used.Add(account.message.for_());
  for (const auto& user : all.users) used.Add(user.message.for_());
  for (const auto& user : all.iam_users) used.Add(user.message.for_());
  for (const auto& role : all.roles) {
    if (!role.message.has_account()) continue;
    for (const auto& member : role.message.members().values()) used.Add(member.who());
  }
  for (const auto& partner : all.partners) used.Add(partner.message.sponsor());
  for (const auto& service : all.service_accounts) {
    used.Add(service.message.owner());
    used.Add(service.message.deputy());
  }
  for (const auto& name : all.operator_file.message.administrators().values()) used.Add(name);
  return used;
}

// What only jobs use.
template <class Note>
void NoteUnusedPlaces(const Declarations& all, const Note& note) {
  std::set<std::string_view> endpoints, runners;
  for (const auto& job : all.exports) {
    endpoints.insert(job.message.deliver().to());
    runners.insert(job.message.runner());
  }
  for (const auto& job : all.imports) {
    endpoints.insert(job.message.fetch().from());
    runners.insert(job.message.runner());
  }
  for (const auto& endpoint : all.endpoints) {
    if (endpoints.contains(endpoint.message.name())) continue;
    note(code::kUnusedPlace, endpoint.span,
         fmt::format("no job names the endpoint \"{}\"", endpoint.message.name()));
  }
  for (const auto& runner : all.runners) {
    if (runners.contains(runner.message.name())) continue;
    note(code::kUnusedPlace, runner.span,
         fmt::format("no job names the runner \"{}\"", runner.message.name()));
  }
}

}  // namespace

void NoteUnused(const CheckInput& input, diag::Diagnostics* diagnostics) {
  const Declarations& all = input.declarations;
  const auto note = [&](const char* code, diag::Span span, std::string summary) {
    diagnostics->Add({.severity = diag::Severity::kNote,
                      .code = code,
                      .summary = std::move(summary),
                      .span = span});
  };
  const Used used = FindUsed(input);
  for (size_t i = 0; i < all.persons.size(); ++i) {
    if (used.persons[i]) continue;
    note(code::kWithoutAccount, all.persons[i].span,
         fmt::format("person \"{}\" has no account and no user", all.persons[i].message.name()));
  }
  for (size_t i = 0; i < all.partners.size(); ++i) {
    if (used.partners[i]) continue;
    note(code::kWithoutAccount, all.partners[i].span,
         fmt::format("partner \"{}\" has no account", all.partners[i].message.name()));
  }
  std::vector<bool> granted(all.folders.size());
  for (const auto& grant : all.grants) {
    Used::Mark(input.index.Find("folder", grant.message.folder()), &granted);
  }
  for (const auto& role : all.roles) {
    for (const auto& row : role.message.rows().values()) {
      Used::Mark(input.index.Find("folder", row.folder()), &granted);
    }
  }
  NoteUnusedPlaces(all, note);
  for (size_t i = 0; i < all.folders.size(); ++i) {
    if (granted[i]) continue;
    note(code::kUnusedFolder, all.folders[i].span,
         fmt::format("no grant names the folder \"{}\"", all.folders[i].message.name()));
  }
}

}  // namespace postern::config
