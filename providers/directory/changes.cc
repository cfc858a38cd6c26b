#include "providers/directory/changes.h"

#include "providers/directory/steps.h"
#include "schemas/kinds.pb.h"

namespace postern::directory {

using object::Kind;
using object::Operation;

std::string WantedDn(const Operation& op) {
  const std::string& key = op.new_key.empty() ? op.key : op.new_key;
  std::string dn;
  if (op.kind == Kind::kUser) dn = object::DecodeAs<kinds::User>(op.after).dn();
  if (op.kind == Kind::kOu) dn = object::DecodeAs<kinds::Ou>(op.after).dn();
  if (op.kind == Kind::kDirectoryGroup) dn = object::DecodeAs<kinds::DirectoryGroup>(op.after).dn();
  return NormalDn(dn) == key ? dn : key;
}

Write RenameWrite(const std::string& from, const std::string& to, const Snapshot& at,
                  const ChangeContext& context) {
  Write write;
  write.type = Write::Type::kRename;
  write.dn = from;
  const std::string parent(ParentOf(to));
  write.new_rdn = to.substr(0, to.size() - parent.size() - (parent.empty() ? 0 : 1));
  if (NormalDn(parent) != NormalDn(ParentOf(from))) write.new_superior = parent;
  write.assertion = UnchangedSince(at, context, true);
  return write;
}

Step NextOuStep(const Operation& op, const Progress& progress, const Snapshot& at,
                const ChangeContext& context) {
  if (auto step = CommonStep(op, progress, at, context)) return *step;
  const auto after = object::DecodeAs<kinds::Ou>(op.after);
  if (at.state == Snapshot::State::kAbsent) {
    Write write;
    write.type = Write::Type::kAdd;
    write.dn = WantedDn(op);
    write.modifications.push_back(
        {LDAP_MOD_ADD, NameOf(kObjectClass), {"top", "organizationalUnit"}});
    AddAttribute("description", after.description(), &write.modifications);
    AddNamingValues(write.dn, &write.modifications);
    return Send(std::move(write));
  }
  if (auto step = CheckBefore(op, progress, at, context)) return *step;
  Changes changes;
  ChangeText(at, at.entry.View(), kDescription, after.has_description(), after.description(),
             Clears(op, 2), &changes);
  return ModifyStep(at, std::move(changes), context);
}

Step NextGroupStep(const Operation& op, const Progress& progress, const Snapshot& at,
                   const ChangeContext& context, const std::vector<std::string>& first_members) {
  if (auto step = CommonStep(op, progress, at, context)) return *step;
  const auto after = object::DecodeAs<kinds::DirectoryGroup>(op.after);
  if (at.state == Snapshot::State::kAbsent) {
    Write write;
    write.type = Write::Type::kAdd;
    write.dn = WantedDn(op);
    write.modifications.push_back({LDAP_MOD_ADD, NameOf(kObjectClass), {"top", "groupOfNames"}});
    AddAttribute("description", after.description(), &write.modifications);
    AddNamingValues(write.dn, &write.modifications);
    write.modifications.push_back({LDAP_MOD_ADD, NameOf(kMember), first_members});
    if (first_members.empty()) write.modifications.back().values.push_back(write.dn);
    return Send(std::move(write));
  }
  if (auto step = CheckBefore(op, progress, at, context)) return *step;
  Changes changes;
  const Entry live = at.entry.View();
  ChangeText(at, live, kDescription, after.has_description(), after.description(), Clears(op, 2),
             &changes);
  // The placeholder of an empty group is its own name, which a rename has changed.
  if (const auto old = at.Members().find(op.key); progress.renamed && old != at.Members().end()) {
    changes.Swap(live.member_attribute(), old->second, live.dn);
  }
  return ModifyStep(at, std::move(changes), context);
}

}  // namespace postern::directory
