#include <fmt/format.h>

#include <string>
#include <unordered_set>

#include "core/config/check.h"
#include "core/diag/codes.h"

namespace postern::config {
namespace {

namespace code = diag::code;

constexpr std::string_view kPerson = "person:", kPartner = "partner:";

// Names of persons and partners that something stands for.
struct Used {
  std::unordered_set<std::string_view> persons, partners;

  void Add(std::string_view address) {
    if (address.starts_with(kPerson)) persons.insert(address.substr(kPerson.size()));
    if (address.starts_with(kPartner)) partners.insert(address.substr(kPartner.size()));
  }
};

Used FindUsed(const Declarations& all) {
  Used used;
  used.partners.reserve(all.partners.size());
  used.persons.reserve(all.persons.size());
  for (const auto& account : all.accounts) used.Add(account.message.for_());
  for (const auto& user : all.users) used.Add(user.message.for_());
  for (const auto& partner : all.partners) used.Add(partner.message.sponsor());
  for (const auto& name : all.operator_file.message.administrators().values()) used.Add(name);
  return used;
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
  const Used used = FindUsed(all);
  for (const auto& person : all.persons) {
    const std::string& name = person.message.name();
    if (used.persons.count(name)) continue;
    note(code::kWithoutAccount, person.span,
         fmt::format("person \"{}\" has no account and no user", name));
  }
  for (const auto& partner : all.partners) {
    const std::string& name = partner.message.name();
    if (used.partners.count(name)) continue;
    note(code::kWithoutAccount, partner.span, fmt::format("partner \"{}\" has no account", name));
  }
  std::unordered_set<std::string_view> granted;
  granted.reserve(all.folders.size());
  for (const auto& grant : all.grants) granted.insert(grant.message.folder());
  for (const auto& folder : all.folders) {
    const std::string& name = folder.message.name();
    if (granted.count(name)) continue;
    note(code::kUnusedFolder, folder.span, fmt::format("no grant names the folder \"{}\"", name));
  }
}

}  // namespace postern::config
