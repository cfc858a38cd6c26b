// Entries of directories: organizational units, users, groups and memberships.
#include <fmt/format.h>

#include "core/compile/compiler.h"
#include "core/diag/codes.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {
namespace {

std::string LastWord(const std::string& text) {
  const size_t blank = text.rfind(' ');
  return blank == std::string::npos ? text : text.substr(blank + 1);
}

}  // namespace

std::string ChildDn(std::string_view type, std::string_view value, std::string_view parent) {
  std::string dn(type);
  dn += '=';
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool edge = (i == 0 && (c == ' ' || c == '#')) || (i + 1 == value.size() && c == ' ');
    if (edge || std::string_view(",+\"\\<>;=").find(c) != std::string_view::npos) dn += '\\';
    dn += c;
  }
  return dn + "," + std::string(parent);
}

void Compiler::CompileDirectory() {
  for (const auto& ou : declarations_.ous) {
    kinds::Ou object;
    object.set_dn(ou.message.dn());
    if (ou.message.has_description()) object.set_description(ou.message.description());
    if (!directories_.contains(ou.message.directory())) continue;
    Emit("directory:" + ou.message.directory(), object,
         {AddProvenance("ou:" + ou.message.name(), ou.span, base::kForever)});
  }
  for (const auto& user : declarations_.users) CompileUser(user);
  for (const auto& group : declarations_.groups) {
    if (group.message.has_directory()) CompileGroupEntry(group);
  }
}

std::string Compiler::DnOfUser(const config::Declared<decl::User>& user) {
  if (user.message.has_dn()) return user.message.dn();
  const decl::Directory& directory = directories_.at(user.message.directory())->message;
  if (directory.has_users_ou()) {
    return ChildDn("uid", user.message.has_uid() ? user.message.uid() : user.message.name(),
                   directory.users_ou());
  }
  return "";  // the loader has said so (E0230)
}

std::string Compiler::OwnerOfPerson(const std::string& address, const std::string& identity) const {
  const auto import = declarations_.imported_by.find(address);
  if (import == declarations_.imported_by.end()) return OwnerOf(address, identity);
  return OwnerOf("import:" + import->second, identity);
}

void Compiler::CompileUser(const config::Declared<decl::User>& user) {
  const decl::User& message = user.message;
  if (!directories_.contains(message.directory())) return;
  const std::string dn = DnOfUser(user);
  if (dn.empty()) return;
  const std::string target = "directory:" + message.directory();
  const std::string address =
      user.of_service_account() ? AddressOfService(user.service_account) : "user:" + message.name();
  const std::string identity = user.of_service_account() ? message.for_() : IdentityOf(address);
  Interval interval = ContractOf(identity);
  if (message.has_expires()) interval.until = std::min(interval.until, message.expires());
  std::string name = message.common_name();
  if (name.empty() && identity.starts_with("person:")) {
    const auto person = persons_.find(identity.substr(7));
    if (person != persons_.end()) name = person->second->message.title();
  }
  if (name.empty()) name = message.name();
  kinds::User object;
  object.set_dn(dn);
  object.set_uid(message.has_uid() ? message.uid() : message.name());
  object.set_common_name(name);
  object.set_surname(message.has_surname() ? message.surname() : LastWord(name));
  if (message.has_given_name()) object.set_given_name(message.given_name());
  if (message.has_display_name()) object.set_display_name(message.display_name());
  if (message.has_employee_number()) object.set_employee_number(message.employee_number());
  if (message.has_description()) object.set_description(message.description());
  if (message.has_mail()) {
    object.mutable_mail();
    for (const std::string& mail : message.mail().values()) object.mutable_mail()->add_values(mail);
  }
  object.set_enabled((!message.has_enabled() || message.enabled()) && interval.Holds(facts_.now));
  if (interval.until != base::kForever) object.set_expires(interval.until);
  if (message.has_password()) object.set_password(message.password());
  const uint32_t source =
      AddProvenance(OwnerOfPerson(address, identity), user.span, interval.until);
  if (interval.until != base::kForever) desired_.provenance[source].closer = "server";
  Emit(target, object, {source});
  const std::string key = object::EncodeKey(object);
  desired_.identities[target][key] = identity;
  dns_of_[identity + "|" + message.directory()].push_back(dn);
  NoteUserEnd(identity, target, interval.until);
  NoteOffTime(target, {object::Kind::kUser, key}, interval, source);
}

void Compiler::CompileGroupEntry(const config::Declared<decl::Group>& group) {
  const decl::Group& message = group.message;
  const auto directory = directories_.find(message.directory());
  if (directory == directories_.end()) return;
  std::string dn = message.dn();
  if (dn.empty() && directory->second->message.has_groups_ou()) {
    dn = ChildDn("cn", message.name(), directory->second->message.groups_ou());
  }
  if (dn.empty()) return;  // E0230 by the loader
  const std::string target = "directory:" + message.directory();
  const uint32_t source = AddProvenance("group:" + message.name(), group.span, base::kForever);
  kinds::DirectoryGroup object;
  object.set_dn(dn);
  if (message.has_description()) object.set_description(message.description());
  const Authority authority = message.authority() == "listed"    ? Authority::kListed
                              : message.authority() == "observe" ? Authority::kObserve
                                                                 : Authority::kExact;
  if (authority != Authority::kObserve) Emit(target, object, {source});
  const bool managed = message.has_members() && authority != Authority::kObserve;
  SetAuthority(target, object::Kind::kMembership, object::EncodeKey(object),
               managed ? authority : Authority::kObserve);
  if (!managed) return;
  std::vector<std::string> without;
  for (const std::string& identity : Flatten(message.name())) {
    const auto dns = dns_of_.find(identity + "|" + message.directory());
    if (dns == dns_of_.end()) {
      without.push_back(identity);
      continue;
    }
    for (const std::string& member : dns->second) {
      kinds::Membership membership;
      membership.set_group(dn);
      membership.set_member(member);
      Emit(target, membership, {source});
    }
  }
  if (without.empty()) return;
  desired_.diagnostics.Add(
      {.severity = diag::Severity::kWarning,
       .code = diag::code::kMemberWithout,
       .summary = fmt::format("group \"{}\" has members without an entry in directory \"{}\"",
                              message.name(), message.directory()),
       .span = group.span,
       .label = fmt::format("{}", fmt::join(without, ", ")),
       .notes = {"declare a [user] for them in this directory, or take them out of the group"}});
}

}  // namespace postern::compile
