// Roles: who is in them by facts and declarations, and which rows they ask for.
#include <fmt/format.h>

#include <algorithm>

#include "core/compile/compiler.h"
#include "core/diag/codes.h"
#include "core/object/key_order.h"

namespace postern::compile {
namespace {

Interval IntervalOf(const decl::Role& role) {
  Interval interval;
  if (role.has_starts()) interval.from = role.starts();
  if (role.has_expires()) interval.until = role.expires();
  return interval;
}

// Neither a group that was emptied nor a slip of a pen may pass for the other unseen.
void TellMissingGroups(const config::Declared<decl::Role>& role, const std::vector<int>& missing,
                       diag::Diagnostics* diagnostics) {
  for (const int position : missing) {
    const decl::RoleMember& selector = role.message.members().values(position);
    const std::string target = TargetOf(selector);
    diagnostics->Add(
        {.severity = diag::Severity::kWarning,
         .code = diag::code::kHeld,
         .summary = fmt::format("there is no group \"{}\" in {}", selector.group(), target),
         .span = role.At(decl::Role::kMembersFieldNumber, position),
         .label = fmt::format("nobody comes to role \"{}\" by it; who is in it and active stays",
                              role.message.name()),
         .notes = {"make the group there, or take it out of `members`: then who is in the role by "
                   "it alone loses what the role gives"}});
  }
}

}  // namespace

// After directories and IAM systems are compiled: roles see what this plan makes of them.
void Compiler::CompileRoles() {
  if (declarations_.roles.empty()) return;
  ReadFacts();
  recorded_roles_ = std::make_unique<RecordedRoles>(facts_);
  RoleEvaluator evaluator(
      people_.get(), *recorded_roles_, facts_.now,
      [this](const std::string& group) -> const std::set<std::string>& { return Flatten(group); },
      [this](std::string_view address) { return IdentityOf(address); });
  LinkDeclared(&evaluator);
  roles_.reserve(declarations_.roles.size());
  for (const auto& role : declarations_.roles) EvaluateRole(role, &evaluator);
  NoteJoined(&evaluator);
  desired_.fact_errors.Append(people_->TakeAmbiguous());
  CompileRoleAccounts();
}

void Compiler::ReadFacts() {
  std::vector<std::unique_ptr<SourceFacts>> sources;
  for (const IdentitySource& source : facts_.sources) {
    DesiredTarget& desired = TargetNamed(source.target);
    object::SortByKey(&desired.objects);  // all of it is there
    const std::vector<ledger::Recorded>* recorded = nullptr;
    if (facts_.recorded != nullptr) {
      const auto at = facts_.recorded->find(source.target);
      if (at != facts_.recorded->end()) recorded = &at->second;
    }
    sources.push_back(std::make_unique<SourceFacts>(
        source, &desired, recorded,
        [this](const DesiredObject& object) { return desired_.OwnerOfSources(object.sources); }));
    FactSource note;
    note.target = source.target;
    note.count = source.users.count;
    note.at = source.users.at;
    note.held = source.users.held;
    desired_.facts.push_back(std::move(note));
  }
  people_ =
      std::make_unique<People>(std::move(sources), declarations_.operator_file.message.identity(),
                               [this](std::string_view target, std::string_view key) {
                                 return desired_.DeclaredIdentity({std::string(target), ""}, key);
                               });
}

// Which sources and users of them show the declared identities.
void Compiler::LinkDeclared(RoleEvaluator* evaluator) {
  for (uint32_t source = 0; source < people_->size(); ++source) {
    const auto declared = desired_.identities.find(people_->at(source).source().target);
    if (declared == desired_.identities.end()) continue;
    std::vector<std::pair<std::string_view, const std::string*>> sorted;
    for (const auto& [key, identity] : declared->second) sorted.emplace_back(key, &identity);
    std::sort(sorted.begin(), sorted.end());
    for (const auto& [key, identity] : sorted) {
      evaluator->Declare(*identity, source);
      if (const auto user = people_->at(source).ByKey(key)) {
        evaluator->Link(*identity, {source, *user});
      }
    }
  }
}

// Whose login a role gave and who has it by a declaration now: the same person may be known by
// another half.
void Compiler::NoteJoined(RoleEvaluator* evaluator) {
  if (facts_.recorded == nullptr || !people_->joined()) return;
  for (const auto& [target, rows] : *facts_.recorded) {
    for (const ledger::Recorded& row : rows) {
      if (row.kind != object::Kind::kAccount || !row.owner.starts_with("role:")) continue;
      const std::string_view had = IdentityInOwner(row.owner);
      if (SplitFactIdentity(had).target.empty()) continue;
      const auto parts = object::SplitKey(row.key);
      const auto* has = desired_.DeclaredIdentity({target, std::string(parts[0])}, parts[1]);
      if (has == nullptr) continue;
      // While a source is silent nobody can say that they are two.
      auto now = evaluator->KnownAs(had);
      if (!now || !SplitFactIdentity(*now).target.empty()) {
        for (uint32_t source = 0; source < people_->size(); ++source) {
          if (!people_->at(source).source().users.held.empty()) now = *has;
        }
      }
      if (now) desired_.joined_as[std::string(had)] = std::move(*now);
    }
  }
}

void Compiler::EvaluateRole(const config::Declared<decl::Role>& role, RoleEvaluator* evaluator) {
  RoleInfo info;
  info.declared = &role;
  info.interval = IntervalOf(role.message);
  RoleMembers members = evaluator->MembersOf(role);
  NoteHeld(info, members);
  TellMissingGroups(role, members.missing_groups, &desired_.diagnostics);
  const std::string address = "role:" + role.message.name();
  for (RoleMember& member : members.members) {
    const bool undecided = !member.held.empty();
    if (undecided) {
      desired_.role_notes.push_back(
          {role.message.name(), member.identity, member.held, role.span, true});
      if (member.recorded.empty()) continue;
    }
    const Interval time = TimeOf(info, member);
    const uint32_t source = AddProvenance(OwnerOf(address, member.identity), role.span, time.until);
    if (time.until >= facts_.now) desired_.in_roles.push_back({source, member.asked});
    if (!member.cause.empty() || undecided || !member.needs.empty() || !member.reads.empty()) {
      desired_.by_facts.push_back(
          {std::move(member.cause), member.held, std::move(member.needs), std::move(member.reads)});
      desired_.provenance[source].by_fact = static_cast<uint32_t>(desired_.by_facts.size());
    }
    info.sources.push_back(source);
    info.times.push_back(time);
    info.members.push_back(std::move(member));
  }
  NoteDepartures(info, evaluator);
  roles_.push_back(std::move(info));
  role_named_[role.message.name()] = roles_.size() - 1;
}

// What is declared to end ends also while no source says so: a contract, and the users by which
// sources tell of somebody.
Interval Compiler::TimeOf(const RoleInfo& role, const RoleMember& member) const {
  Interval time = EndsOf(member.identity, role.interval, member.by);
  if (member.held.empty() || SplitFactIdentity(member.identity).target.empty()) return time;
  // Held by the name that the ledger has; what is declared meanwhile stands under another.
  for (const FactRef half : member.halves) {
    time = EndsOf(people_->IdentityOf(people_->StandingOf(half).named), time, member.by);
  }
  return time;
}

Interval Compiler::EndsOf(const std::string& identity, Interval time,
                          std::optional<uint32_t> by) const {
  time = time.Meet(ContractOf(identity));
  if (user_ends_.empty()) return time;
  for (const uint32_t source : people_->NeededOf(by)) {
    const auto end = user_ends_.find(identity + "|" + people_->at(source).source().target);
    if (end != user_ends_.end()) time.until = std::min(time.until, end->second);
  }
  return time;
}

// By source: which roles wait for it, and who stays in them as recorded.
void Compiler::NoteHeld(const RoleInfo& role, const RoleMembers& members) {
  for (const auto& [target, why] : members.held_sources) {
    for (FactSource& source : desired_.facts) {
      if (source.target != target) continue;
      source.held = why;
      source.held_roles.insert(role.declared->message.name());
    }
  }
  for (const RoleMember& member : members.members) {
    if (member.held.empty() || member.recorded.empty()) continue;
    for (FactSource& source : desired_.facts) {
      if (source.held != member.held) continue;
      source.held_roles.insert(role.declared->message.name());
      source.held_identities.insert(member.identity);
    }
  }
}

void Compiler::NoteDepartures(const RoleInfo& role, RoleEvaluator* evaluator) {
  const std::string& name = role.declared->message.name();
  const auto* recorded = recorded_roles_->In(name);
  if (recorded == nullptr) return;
  absl::flat_hash_set<std::string_view> here;
  for (const RoleMember& member : role.members) here.insert(member.known());
  for (std::string_view identity : *recorded) {
    if (here.contains(identity)) continue;
    Departure departure = evaluator->WhyGone(role.declared->message, identity);
    if (!departure.cause.empty()) {
      desired_.departures[{name, std::string(identity)}] = std::move(departure);
    }
  }
}

void Compiler::CompileRoleRows() {
  for (const RoleInfo& role : roles_) {
    for (const decl::RoleRow& row : role.declared->message.rows().values()) AskRoleRow(role, row);
  }
}

// A row of a role is a grant to each of its members.
void Compiler::AskRoleRow(const RoleInfo& role, const decl::RoleRow& row) {
  const auto folder = folders_.find(row.folder());
  if (folder == folders_.end()) return;
  auto& grant = role_grants_.emplace_back();
  const std::string& name = role.declared->message.name();
  grant.span = role.declared->At(decl::Role::kRowsFieldNumber);
  grant.message.mutable_who()->add_values("role:" + name);
  grant.message.set_folder(row.folder());
  for (const std::string& right : row.rights().values()) {
    grant.message.mutable_rights()->add_values(right);
  }
  if (row.has_depth()) grant.message.set_depth(row.depth());
  if (role.declared->message.has_starts()) grant.message.set_starts(role.interval.from);
  if (role.declared->message.has_expires()) grant.message.set_expires(role.interval.until);
  const access::Rights rights = RightsOf(grant.message.rights());
  const uint32_t source = AddProvenance("role:" + name, grant.span, role.interval.until);
  AddGrantLine(grant.message, "role:" + name, folder->second, rights, role.interval, source);
  AskMembers(grant, role, folder->second, rights, role.sources);
}

// [[grant]] who = ["role:X"]: the ledger keeps through which role each member has it.
void Compiler::AskRole(const config::Declared<decl::Grant>& grant, const std::string& role,
                       const FolderInfo& folder, access::Rights rights, uint32_t source) {
  const auto at = role_named_.find(role);
  if (at == role_named_.end()) return;
  const RoleInfo& info = roles_[at->second];
  std::vector<uint32_t> sources;
  sources.reserve(info.members.size());
  for (const uint32_t member : info.sources) {
    const Provenance of_grant = desired_.provenance[source];
    sources.push_back(AddProvenance(desired_.provenance[member].owner, of_grant.span,
                                    std::min(of_grant.until, desired_.provenance[member].until),
                                    of_grant.ticket, of_grant.reason));
    desired_.provenance[sources.back()].by_fact = desired_.provenance[member].by_fact;
  }
  AskMembers(grant, info, folder, rights, sources);
}

// By its name; where another role has it by the one of the ledger alone, by that.
std::span<const uint32_t> Compiler::AccountsOf(const RoleMember& member) const {
  const auto accounts = AccountsOf(member.identity);
  return accounts.empty() ? AccountsOf(member.known()) : accounts;
}

void Compiler::AskMembers(const config::Declared<decl::Grant>& grant, const RoleInfo& role,
                          const FolderInfo& folder, access::Rights rights,
                          const std::vector<uint32_t>& sources) {
  size_t opens = 0, unreachable = 0;
  base::Instant end = role.interval.until;
  if (grant.message.has_expires()) end = std::min(end, grant.message.expires());
  for (size_t i = 0; i < role.members.size(); ++i) {
    const size_t before = opens;
    for (const uint32_t index : AccountsOf(role.members[i])) {
      const AccountInfo& account = accounts_[index];
      if (account.server->message.host() != folder.declared->message.host()) continue;
      if (!ViaAllows(grant, account)) continue;
      if (!Reachable(account, folder, grant, false)) {
        ++unreachable;
        continue;
      }
      AskAccount(grant, account, folder, rights, sources[i], &role, role.times[i]);
      ++opens;
    }
    // A member's own end is one to look out for beside that of all.
    if (opens > before && role.times[i].until < end) {
      AddGrantLine(grant.message, role.members[i].identity, folder, rights, role.times[i],
                   sources[i]);
    }
  }
  if (opens > 0 || role.members.empty()) return;
  const std::string& name = role.declared->message.name();
  if (unreachable > 0) {
    desired_.diagnostics.Add(
        {.code = diag::code::kGrantUnreachable,
         .summary = fmt::format("no member of role \"{}\" can reach folder \"{}\"", name,
                                folder.declared->message.name()),
         .span = grant.span,
         .label = fmt::format("{} is not below any member's login folder", folder.path),
         .notes = {"at login an account is confined to its login folder"}});
    return;
  }
  desired_.diagnostics.Add(
      {.severity = diag::Severity::kWarning,
       .code = diag::code::kOpensNothing,
       .summary = fmt::format("role \"{}\" opens nothing on folder \"{}\"", name,
                              folder.declared->message.name()),
       .span = grant.span,
       .label = fmt::format("no member has an account at a server of host \"{}\"",
                            folder.declared->message.host()),
       .notes = {"give the role an `account` at a server of that host"}});
}

}  // namespace postern::compile
