#include "core/plan/looks.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "core/object/spelling.h"

namespace postern::plan {
namespace {

using access::AccessChange;
using object::Kind;

std::string ByWhom(const std::string& who, base::Instant when) {
  if (who.empty() && when == 0) return "";
  const std::string moment = when != 0 ? base::FormatHuman(when) : "";
  if (who.empty()) return moment + ", who: not recorded";
  return (moment.empty() ? "" : moment + " ") + "by " + who;
}

std::string Joined(std::string first, const std::string& second) {
  if (second.empty()) return first;
  return first + ", " + second;
}

// What is done about it must not read as what that person did.
std::string AfterWho(const std::string& who, const std::string& what) {
  return who.empty() ? what : "last changed " + who + "; " + what;
}

// Whether the lines of the delta already name the account or entry that `change` is about.
bool Told(const Plan& plan, const Change& change) {
  const auto parts = object::SplitKey(change.key);
  const bool server = change.kind == Kind::kAccount || change.kind == Kind::kSshKey;
  const std::string target = plan.targets[change.target].name;
  return std::any_of(plan.delta.lost.begin(), plan.delta.lost.end(), [&](const AccessChange& line) {
    if (line.place.target != target) return false;
    return server ? line.place.server == parts[0] && line.account == parts[1]
                  : line.account == change.key;
  });
}

std::string LockedText(Kind kind) {
  return kind == Kind::kSshKey ? "it is put in quarantine, opens nothing and is kept"
                               : "it is locked";
}

// The object as it is declared, else as it is live.
std::string Named(const Change& change) {
  return object::DescribeSpelled(change.kind, change.key,
                                 change.after.empty() ? change.before : change.after);
}

Look LookAt(const Plan& plan, const Change& change) {
  Look look{Named(change), "", change.place};
  const std::string who = ByWhom(change.changed_by, change.changed_at);
  const bool locks = change.action == Action::kDisable;
  // A row goes with its account, which is told.
  if (change.action == Action::kReplace && change.kind == Kind::kGrant) return {};
  if (change.kind == Kind::kNativeRule) return {};  // drift says what it does
  if (change.action == Action::kReplace && change.reason == Reason::kFact) {
    look.what += ": its login is another person's now";
    look.detail = Joined("the account is removed with its keys and made anew", change.cause);
  } else if (change.action == Action::kReplace && change.reason == Reason::kChanged) {
    look.what += ": its login is another person's now";
    look.detail = "the account is removed and made anew: what opens it is what is declared";
  } else if (change.action == Action::kReplace) {
    look.what += ": another one stands under its name";
    look.detail = Joined("re-created", who) + "; it is removed and ours created anew";
  } else if (change.action == Action::kRename && change.reason == Reason::kDrift) {
    look.what += ": renamed by other hands";
    look.detail =
        Joined("now " + object::DescribeSpelled(change.kind, change.old_key, change.before), who) +
        "; it gets its name back";
  } else if (change.reason == Reason::kForeign) {
    look.what += ": declared nowhere";
    look.detail = AfterWho(who, locks ? LockedText(change.kind) : "it is removed");
  } else if (change.action == Action::kDelete && change.reason == Reason::kRetention) {
    look.what += ": locked long enough";
    look.detail = "it is deleted, locked since " + base::FormatHuman(change.retired_at);
  } else if (locks && !Told(plan, change)) {
    look.what += change.reason == Reason::kDrift ? ": opened again by other hands"
                 : change.cause.empty()          ? ": no longer declared"
                                                 : ": " + change.cause;
    look.detail = LockedText(change.kind);
  } else {
    look.what.clear();
  }
  return look;
}

// A rule by other hands, as what it does; one without effect is nothing to look at.
Look LookAtRule(const Drift& drift, bool goes) {
  if (drift.effect == Drift::Effect::kEqual && !goes) return {};
  const bool verb = drift.what.starts_with("also ") || drift.what.starts_with("no longer ");
  std::string who = verb ? drift.who.substr(drift.who.find(':') + 1) + " " : "";
  if (drift.what.starts_with("leads out ")) who = drift.who + " ";  // a link's path
  const std::string note = drift.note + (goes ? "; it is removed" : "");
  return {who + drift.what, AfterWho(ByWhom(drift.changed_by, drift.changed_at), note), ""};
}

// What the old name has lost and the new one gained is neither. Of a group or role of an IAM system
// it is the name that its members have it by.
void CancelRename(const Change& change, const std::string& target, std::vector<AccessChange>* lost,
                  std::vector<AccessChange>* gained) {
  const std::string set = IamSetType(change.kind);
  for (auto line = lost->begin(); line != lost->end();) {
    const std::string& name = set.empty() ? line->account : line->path;
    const bool here = line->place.target == target && name == set + change.old_key;
    const auto same = std::find_if(gained->begin(), gained->end(), [&](const AccessChange& other) {
      if (!here || other.place != line->place || other.rights != line->rights) return false;
      return set.empty() ? other.account == change.key && other.path == line->path
                         : other.account == line->account && other.path == set + change.key;
    });
    if (same == gained->end()) {
      ++line;
      continue;
    }
    gained->erase(same);
    line = lost->erase(line);
  }
}

}  // namespace

std::string IamSetType(Kind kind) {
  switch (kind) {
    case Kind::kIamGroup:
      return "group:";
    case Kind::kIamRole:
      return "role:";
    case Kind::kIamAccessRole:
      return "access_role:";
    default:
      return "";
  }
}

std::set<std::pair<uint32_t, std::string>> RenamedMemberships(const Plan& plan, bool of_users) {
  std::map<std::pair<uint32_t, std::string>, std::string> renamed;  // old name -> new
  for (const Change& change : plan.changes) {
    if (change.action != Action::kRename || !change.held.empty()) continue;
    const bool user = of_users && change.kind == Kind::kIamUser;
    const std::string type = user ? "user:" : IamSetType(change.kind);
    if (!type.empty()) renamed[{change.target, type + change.old_key}] = type + change.key;
  }
  std::set<std::pair<uint32_t, std::string>> out;
  if (renamed.empty()) return out;
  std::set<std::pair<uint32_t, std::string_view>> created;
  for (const Change& change : plan.changes) {
    if (change.kind == Kind::kIamMembership && change.action == Action::kCreate &&
        change.held.empty()) {
      created.insert({change.target, change.key});
    }
  }
  const auto now = [&](uint32_t target, std::string_view name) {
    const auto at = renamed.find({target, std::string(name)});
    return at == renamed.end() ? std::string(name) : at->second;
  };
  for (const Change& change : plan.changes) {
    if (change.kind != Kind::kIamMembership || change.action != Action::kDelete) continue;
    const auto parts = object::SplitKey(change.key);
    const std::string key =
        now(change.target, parts[0]) + object::kKeySeparator + now(change.target, parts[1]);
    if (key != change.key && created.contains({change.target, key})) {
      out.insert({change.target, change.key});
    }
  }
  return out;
}

void CancelRenames(Plan* plan) {
  for (const Change& change : plan->changes) {
    if (change.action != Action::kRename || !change.held.empty()) continue;
    const std::string& target = plan->targets[change.target].name;
    CancelRename(change, target, &plan->delta.lost, &plan->delta.gained);
    CancelRename(change, target, &plan->delta.still, &plan->delta.already);
  }
}

void AddLooks(Plan* plan, const compile::Desired& desired, const diag::Sources& sources) {
  std::set<std::tuple<uint32_t, Kind, std::string_view>> changed;
  for (const Change& change : plan->changes) {
    changed.insert({change.target, change.kind, change.key});
    if (!change.held.empty()) continue;
    if (Look look = LookAt(*plan, change); !look.what.empty()) {
      plan->looks.push_back(std::move(look));
    }
  }
  for (const compile::Accepted& accepted : desired.accepted) {
    plan->looks.push_back(
        {accepted.what, "wider than granted, accepted", sources.Place(accepted.span)});
  }
  for (const Drift& drift : plan->drift) {
    if (drift.type == Drift::Type::kNotComputable) {
      plan->looks.push_back(
          {drift.what, AfterWho(ByWhom(drift.changed_by, drift.changed_at), drift.note), ""});
      continue;
    }
    if (drift.kind == Kind::kNativeRule) {
      const bool goes = changed.contains({drift.target, drift.kind, drift.key});
      if (Look look = LookAtRule(drift, goes); !look.what.empty()) {
        plan->looks.push_back(std::move(look));
      }
      continue;
    }
    if (drift.type != Drift::Type::kForeign ||
        changed.contains({drift.target, drift.kind, drift.key})) {
      continue;
    }
    const bool quarantined = drift.kind == Kind::kSshKey;  // no other key is foreign and stays
    plan->looks.push_back({object::Describe(drift.kind, drift.key) + ": declared nowhere",
                           AfterWho(ByWhom(drift.changed_by, drift.changed_at),
                                    quarantined ? "it stays in quarantine" : "it stays"),
                           ""});
  }
}

}  // namespace postern::plan
