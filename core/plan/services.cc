// Service accounts: their keys change without a moment at which none opens them, and each that a
// plan touches is told as one.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "core/config/index.h"
#include "core/config/service_needs.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using compile::DesiredObject;
using object::Kind;

constexpr std::string_view kOwner = "service_account:";

std::string Listed(const std::set<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string NameIn(std::string_view address) {
  return std::string(address.substr(address.find(':') + 1));
}

// What a plan does to one service account.
struct ServiceChanges {
  std::set<std::string> made;            // "edge-ftp", "directory:corp"
  std::set<std::string> added, retired;  // fingerprints of keys
  bool locked = false, password = false;
  // All else, as words: "rows on /srv/a".
  std::set<std::string> gains, loses, changes;
};

// What is neither a login that comes or goes nor a key that does.
void NoteOther(const Change& change, const std::string& target, ServiceChanges* to) {
  const auto parts = object::SplitKey(change.key);
  const auto fields = [&](const std::string& where) {
    for (const object::FieldDifference& field : change.fields) {
      std::string name = field.name;
      std::replace(name.begin(), name.end(), '_', ' ');
      to->changes.insert(name + where);
    }
  };
  const bool comes = change.action == Action::kCreate, goes = change.action == Action::kDelete;
  switch (change.kind) {
    case Kind::kGrant:
      (comes  ? to->gains
       : goes ? to->loses
              : to->changes)
          .insert(fmt::format("rights on {}", parts[1]));
      return;
    case Kind::kMembership:
    case Kind::kIamMembership:
      (goes ? to->loses : to->gains).insert(fmt::format("a group in {}", NameIn(target)));
      return;
    case Kind::kSshKey:
      return fields(fmt::format(" of key {}", parts[2]));
    case Kind::kUser:
      return fields(" in " + NameIn(target));
    case Kind::kAccount:
      return fields(fmt::format(" at {}", parts[0]));
    default:
      return;
  }
}

void Note(const Change& change, const std::string& target, ServiceChanges* to) {
  const auto parts = object::SplitKey(change.key);
  const bool creates = change.action == Action::kCreate || change.action == Action::kReplace;
  if (change.kind == Kind::kAccount || change.kind == Kind::kUser) {
    if (creates) to->made.insert(change.kind == Kind::kUser ? target : std::string(parts[0]));
    const bool shut = change.action == Action::kDisable ||
                      !FlagIn(change.after, EnabledFieldOf(change.kind), true);
    to->locked = to->locked || (shut && !creates);
    to->password = to->password || !change.secret_desired.empty();
  } else if (change.kind == Kind::kSshKey) {
    if (creates) to->added.insert(std::string(parts[2]));
    if (change.action == Action::kDelete) to->retired.insert(std::string(parts[2]));
  }
  if (WritesTarget(change.action)) NoteOther(change, target, to);
}

std::string WhatHappens(const ServiceChanges& touched) {
  if (touched.locked) return "ends; its accounts are locked";
  if (!touched.made.empty()) return "new at " + Listed(touched.made);
  if (!touched.added.empty() && !touched.retired.empty()) {
    return fmt::format("key {} takes the place of {}, which goes when the new one is live",
                       Listed(touched.added), Listed(touched.retired));
  }
  if (!touched.added.empty()) {
    return fmt::format("key {} is added, the current one stays until it goes",
                       Listed(touched.added));
  }
  if (!touched.retired.empty()) return fmt::format("key {} is retired", Listed(touched.retired));
  std::vector<std::string> parts;
  if (!touched.loses.empty()) parts.push_back("loses " + Listed(touched.loses));
  if (!touched.gains.empty()) parts.push_back("gains " + Listed(touched.gains));
  if (!touched.changes.empty()) parts.push_back("other " + Listed(touched.changes));
  if (parts.empty()) return "live as declared, and recorded from now on";
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

// Of a key that goes: whether a job has signed in with what stays.
std::string Planner::UnusedYet(const std::string& name) const {
  const std::string identity = "service:" + name;
  std::set<std::string> jobs;
  for (const auto& job : in_.declarations->exports) {
    if (job.message.as() == identity) jobs.insert("export." + job.message.name());
  }
  for (const auto& job : in_.declarations->imports) {
    if (job.message.as() == identity) jobs.insert("import." + job.message.name());
  }
  std::set<std::string_view> wanted;  // fingerprints
  for (const compile::DesiredTarget* target : desired_) {
    if (target == nullptr) continue;
    for (const DesiredObject& object : target->objects) {
      if (object.kind == Kind::kSshKey) wanted.insert(object::SplitKey(object.key)[2]);
    }
  }
  for (const observe::ObservedTarget* target : observed_) {
    if (target == nullptr) continue;
    for (const object::ObjectView& object : target->objects.OfKind(Kind::kJob)) {
      if (!jobs.contains(std::string(object.key))) continue;
      const auto job = object::DecodeAs<kinds::Job>(object.body);
      if (!job.last_credential().empty() && !wanted.contains(job.last_credential())) {
        return fmt::format("; no run of {} has used the new key yet", object.key);
      }
    }
  }
  return "";
}

// One line for each that this plan touches: who answers for it, what it is for, how far a rotation
// is, what it has and doesn't need.
void Planner::LookAtServices() {
  std::map<std::string_view, ServiceChanges> touched;
  for (const Change& change : plan_.changes) {
    if (!change.held.empty() || !change.owner.starts_with(kOwner)) continue;
    const std::string_view owner = std::string_view(change.owner).substr(kOwner.size());
    Note(change, plan_.targets[change.target].name, &touched[owner.substr(0, owner.find(' '))]);
  }
  if (touched.empty()) return;
  const config::Index index(*in_.declarations);
  const auto unneeded = config::FindUnneeded(*in_.declarations, index);
  for (const auto& [name, what] : touched) {
    const auto* declared = index.Get<decl::ServiceAccount>(name);
    if (declared == nullptr) continue;  // what goes is told by itself
    const decl::ServiceAccount& m = declared->message;
    Look look;
    look.what = fmt::format("service:{}: {}", name, WhatHappens(what));
    look.detail = fmt::format("{}; owner {}, {}", m.purpose(), NameIn(m.owner()),
                              m.has_deputy() ? "deputy " + NameIn(m.deputy()) : "no deputy");
    if (!what.retired.empty() && !what.locked) {
      look.detail += "; sessions stay open, as they hold the same" + UnusedYet(m.name());
    }
    if (what.password && m.next().has_password()) {
      look.detail +=
          "; a login has one password: the next one from now on, the current one no more";
    }
    for (const config::Unneeded& row : unneeded) {
      if (row.service != declared) continue;
      look.detail += fmt::format("; no job needs {} on {}", fmt::join(row.rights, ", "),
                                 m.rows().values(row.row).folder());
    }
    look.place = in_.sources->Place(declared->span);
    plan_.looks.push_back(std::move(look));
  }
}

}  // namespace postern::plan
