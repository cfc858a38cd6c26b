// Folding: which lines say the same, and why a line is there.
#include "core/view/access_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <unordered_map>

#include "core/view/access_servers.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using access::AccessChange;
using object::Kind;
using plan::Action;
using plan::Change;
using plan::Plan;

constexpr size_t kPathsInALine = 3;
const std::string kEverything = "everything on ";

std::string Joined(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (std::string_view part : parts) {
    out += part;
    out += object::kKeySeparator;
  }
  return out;
}

// Finds the change that is the cause of a line, by what it touches.
class Causes {
 public:
  explicit Causes(const Plan& plan) : plan_(plan) {
    for (size_t i = 0; i < plan.changes.size(); ++i) Add(plan.changes[i], i);
  }

  const Change* Of(const AccessChange& line, Side side) const {
    if (line.place.server.empty()) {
      const Change* found =
          line.path.empty() ? nullptr : Find(line, {"member", KeyOfSet(line, line.path)});
      if (found == nullptr && !line.through.empty()) found = OnTheWay(line);
      return found != nullptr ? found : Find(line, {"login"});
    }
    const bool closes = line.everything && side == Side::kLost;
    const Change* account = Find(line, {"login"});
    if (closes && account != nullptr) return account;
    const std::string subject = line.through.empty() ? "account:" + line.account : line.through;
    for (const std::string& who : {subject, "account:" + line.account, std::string("everyone")}) {
      if (const Change* found =
              Lookup(Joined({line.place.target, line.place.server, "grant", line.path, who}))) {
        return found;
      }
    }
    if (line.through.starts_with("group:")) {
      if (const Change* found = Find(line, {"member", line.through.substr(6)})) return found;
    }
    return account;
  }

  // "1 account locked, 3 keys removed, 1 open session ended" for what happens to these accounts.
  std::string Detail(const std::set<std::string>& accounts) const {
    size_t locked = 0, deleted = 0, keys = 0, aside = 0, sessions = 0;
    for (const std::string& account : accounts) {
      const auto at = of_account_.find(account);
      if (at == of_account_.end()) continue;
      for (const uint32_t index : at->second) {
        const Change& change = plan_.changes[index];
        if (change.action == Action::kAdopt) continue;
        const bool gone = change.action == Action::kDelete || change.action == Action::kEnd;
        if (change.kind == Kind::kSession) {
          // The step ends whatever is open when it runs; what was open when it was planned is said.
          if (!change.fields.empty()) sessions += std::stoul(change.fields.front().before);
        } else if (change.kind == Kind::kSshKey) {
          keys += gone;
          aside += change.action == Action::kDisable;
        } else {
          deleted += gone;
          locked += !gone;
        }
      }
    }
    std::string out;
    const auto add = [&out](size_t count, std::string_view thing, std::string_view done) {
      if (count > 0)
        out += fmt::format("{}{} {}", out.empty() ? "" : ", ", Count(count, thing), done);
    };
    add(locked, "account", "locked");
    add(deleted, "account", "deleted");
    add(keys, "key", "removed");
    add(aside, "key", "put in quarantine");
    add(sessions, "open session", "ended");
    return out;
  }

 private:
  void Add(const Change& change, size_t position) {
    const auto index = static_cast<uint32_t>(position);
    const std::string& target = plan_.targets[change.target].name;
    const auto parts = object::SplitKey(change.key);
    switch (change.kind) {
      case Kind::kAccount:
      case Kind::kSshKey:
      case Kind::kSession: {
        const std::string account = Joined({target, parts[0], parts[1]});
        of_account_[account].push_back(index);
        const bool records = change.action == Action::kAdopt;  // which is nobody's loss
        if (change.kind == Kind::kAccount && !records) cause_[account + "login"] = index;
        if (change.kind == Kind::kSshKey) cause_.try_emplace(account + "login", index);
        break;
      }
      case Kind::kUser:
      case Kind::kIamUser:
      case Kind::kOauthClient:
        cause_[Joined({target, "", access::EntryOf(change.kind, change.key)}) + "login"] = index;
        break;
      case Kind::kGrant:
        cause_[Joined({target, parts[0], "grant", parts[1], parts[3]})] = index;
        break;
      case Kind::kServerMembership:
        cause_[Joined({target, parts[0], parts[2]}) + "member" + std::string(parts[1])] = index;
        break;
      case Kind::kMembership:
      case Kind::kIamMembership:
        cause_[Joined({target, "", MemberIn(change.kind, change.key)}) + "member" +
               std::string(parts[0])] = index;
        break;
      default:
        break;
    }
  }
  // A group in a group has no entry of its own.
  static std::string MemberIn(Kind kind, std::string_view key) {
    std::string entry = access::EntryOf(kind, key);
    return entry.empty() ? std::string(object::SplitKey(key)[1]) : entry;
  }
  // Of what an entry is by a group of its own: that group came or went, or it came to that group.
  const Change* OnTheWay(const AccessChange& line) const {
    const std::string through = KeyOfSet(line, line.through);
    const std::string of_group = Joined({line.place.target, "", through});
    if (const Change* found = Lookup(of_group + "member" + KeyOfSet(line, line.path))) return found;
    return Find(line, {"member", through});
  }
  // Lines have sets of IAM systems as they are spelled.
  static std::string KeyOfSet(const AccessChange& line, const std::string& set) {
    if (!line.place.target.starts_with("iam:")) return set;
    return object::Normalise(object::Comparator::kCaseIgnore, set);
  }
  const Change* Find(const AccessChange& line, std::initializer_list<std::string_view> rest) const {
    std::string key = Joined({line.place.target, line.place.server, line.account});
    for (std::string_view part : rest) key += part;
    return Lookup(key);
  }
  const Change* Lookup(const std::string& key) const {
    const auto at = cause_.find(key);
    return at == cause_.end() ? nullptr : &plan_.changes[at->second];
  }

  const Plan& plan_;
  std::unordered_map<std::string, uint32_t> cause_;
  std::unordered_map<std::string, std::vector<uint32_t>> of_account_;
};

bool TakesAway(Side side) {
  return side == Side::kLost || side == Side::kStill;
}

std::string OwnersPlace(std::string_view owner) {
  constexpr std::string_view kGrant = "grant:";
  return owner.starts_with(kGrant) ? std::string(owner.substr(kGrant.size())) : "";
}

std::string LossReason(const Change& change, const compile::Provenance* provenance) {
  // The fact, or the declaration, tells who comes, not why the one before goes.
  if (change.action == Action::kReplace &&
      (change.reason == plan::Reason::kFact || change.reason == plan::Reason::kChanged)) {
    return "its login is another person's now";
  }
  if (!change.cause.empty()) return change.cause;
  if (change.reason == plan::Reason::kExpired) {
    const bool known = provenance != nullptr && provenance->until != base::kForever;
    return known ? "its time ended " + Moment(provenance->until) : "its time is over";
  }
  if (change.reason == plan::Reason::kDrift || change.reason == plan::Reason::kForeign) {
    return std::string(WhyOf(change.reason)) +
           (change.changed_at != 0 ? ", " + Moment(change.changed_at) : "");
  }
  return std::string(WhyOf(change.reason));
}

// The cause's columns of a line.
void Explain(const Plan& plan, const Causes& causes, const AccessChange& change, Side side,
             AccessLine* line) {
  const auto& by = TakesAway(side) ? plan.lost_by : plan.gained_by;
  const auto at = by.find({change.identity, change.path});
  const compile::Provenance* provenance = at == by.end() ? nullptr : &at->second;
  const Change* cause = causes.Of(change, side);
  if (provenance != nullptr) {
    if (!TakesAway(side) && provenance->until != base::kForever) {
      line->until = "until " + Moment(provenance->until);
    }
    // Ticket and reason say why it was granted, not why it goes.
    if (!TakesAway(side)) {
      line->why = provenance->ticket.empty() ? provenance->reason : provenance->ticket;
    }
    line->place = OwnersPlace(provenance->owner);
  }
  if (cause == nullptr) return;
  if (TakesAway(side)) line->why = LossReason(*cause, provenance);
  if (!TakesAway(side) && cause->reason == plan::Reason::kDrift && line->why.empty()) {
    line->why = "was taken away by other hands";
    if (!cause->note.empty()) line->why += " in " + cause->note;
  }
  if (!TakesAway(side) && line->why.empty()) line->why = cause->cause;
  // By a membership that is made or by a user who comes with it: told in the same words.
  if (!TakesAway(side) && line->why.empty() && cause->kind == object::Kind::kIamMembership) {
    line->why = WhyOf(cause->reason);
  }
  if (line->place.empty()) line->place = cause->place;
  if (line->place.empty()) line->place = OwnersPlace(cause->owner);
}

// What several lines of one identity must share to become one.
struct LineKey {
  std::string what;   // before the paths
  std::string after;  // behind them
  AccessLine cause;
  auto operator<=>(const LineKey&) const = default;
};

struct Gathered {
  std::vector<std::string> paths;
  std::set<std::string> accounts;  // whose closing the line is
  std::string server;              // of the last of them
};

std::string EffectOf(const LineKey& key, const Gathered& gathered) {
  if (gathered.accounts.size() == 1) return "everything at " + gathered.server;
  if (gathered.accounts.size() > 1) {
    return "everything by " + Count(gathered.accounts.size(), "account") + " on " +
           key.what.substr(kEverything.size());
  }
  if (gathered.paths.empty()) return key.what;
  std::vector<std::string> paths = gathered.paths;
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  std::string text = key.what + " on " + Some(paths, kPathsInALine);
  if (paths.size() > kPathsInALine) text += " folders";
  return text + key.after;
}

const std::vector<AccessChange>& ChangesOf(const access::AccessDelta& delta, Side side) {
  switch (side) {
    case Side::kLost:
      return delta.lost;
    case Side::kGained:
      return delta.gained;
    case Side::kStill:
      return delta.still;
    case Side::kAlready:
      break;
  }
  return delta.already;
}

class Folder {
 public:
  Folder(const Plan& plan, Side side) : plan_(plan), side_(side), causes_(plan) {}

  std::vector<AccessGroup> Fold() {
    const std::vector<AccessChange>& delta = ChangesOf(plan_.delta, side_);
    for (size_t from = 0; from < delta.size();) {
      size_t to = from;
      while (to < delta.size() && delta[to].identity == delta[from].identity) ++to;
      Identity(std::span(delta).subspan(from, to - from));
      from = to;
    }
    return Groups();
  }

 private:
  void Identity(std::span<const AccessChange> changes) {
    std::map<LineKey, Gathered> lines;
    const ServersOfPaths servers(changes);
    std::string through;
    bool same_through = true;
    for (const AccessChange& change : changes) {
      if (change.through != changes.front().through) same_through = false;
      Line(change, servers, &lines);
    }
    if (same_through) through = changes.front().through;
    std::vector<AccessLine> out;
    for (auto& [key, gathered] : lines) {
      AccessLine line = key.cause;
      line.effect = EffectOf(key, gathered);
      if (!gathered.accounts.empty()) line.detail = causes_.Detail(gathered.accounts);
      out.push_back(std::move(line));
    }
    folded_[{std::move(out), through}].push_back(changes.front().identity);
  }

  void Line(const AccessChange& change, const ServersOfPaths& servers,
            std::map<LineKey, Gathered>* lines) {
    LineKey key;
    Explain(plan_, causes_, change, side_, &key.cause);
    const std::string target(ShortTarget(change.place.target));
    if (change.place.server.empty()) {
      key.what = (change.path.empty() ? "login" : SetWords(change.path)) + " in " + target;
      (*lines)[key];
      return;
    }
    if (change.path.empty()) {
      key.what = "login at " + change.place.server;
      (*lines)[key];
      return;
    }
    if (change.everything && side_ == Side::kLost) {
      // Folders under a closed account may have causes of their own; the account's says it all.
      key.what = kEverything + target;
      auto at = std::find_if(lines->begin(), lines->end(),
                             [&](const auto& line) { return line.first.what == key.what; });
      if (at == lines->end()) at = lines->try_emplace(key).first;
      at->second.accounts.insert(AccountKey(change));
      at->second.server = change.place.server;
      return;
    }
    std::string depth = change.depth == access::Depth::kThis ? ", not below" : "";
    constexpr std::string_view kWay = "path:";
    if (change.through.starts_with(kWay)) {
      depth += fmt::format(" (by {})", change.through.substr(kWay.size()));
    }
    if (!change.elsewhere.empty()) {
      key.what = access::Format(change.rights);
      key.after = fmt::format("{} at {}, {} through {}", depth, change.place.server,
                              side_ == Side::kStill ? "still" : "already", change.elsewhere);
      (*lines)[key].paths.push_back(change.path);
      return;
    }
    for (const auto& [where, rights] : servers.Split(change)) {
      key.what = access::Format(rights);
      key.after = depth + where;
      (*lines)[key].paths.push_back(change.path);
    }
  }

  static std::string AccountKey(const AccessChange& change) {
    return Joined({change.place.target, change.place.server, change.account});
  }

  std::vector<AccessGroup> Groups() {
    std::vector<AccessGroup> groups;
    for (auto& [key, identities] : folded_) {
      AccessGroup group;
      group.lines = key.first;
      const Who first = WhoIs(identities.front());
      const std::string& through = key.second;
      if (identities.size() == 1) {
        group.name = first.name;
        group.type = first.type;
      } else if (through.starts_with("group:")) {
        group.name = through.substr(6);
        group.type = CountWho({identities.begin(), identities.end()});
      } else {
        group.name = first.name;
        group.type = fmt::format("and {} more", Thousands(identities.size() - 1));
      }
      group.identities = std::move(identities);
      groups.push_back(std::move(group));
    }
    std::sort(groups.begin(), groups.end(), [](const AccessGroup& a, const AccessGroup& b) {
      return a.identities.front() < b.identities.front();
    });
    return groups;
  }

  const Plan& plan_;
  const Side side_;
  const Causes causes_;
  // (lines, through) -> identities
  std::map<std::pair<std::vector<AccessLine>, std::string>, std::vector<std::string>> folded_;
};

}  // namespace

std::string_view HeadingOf(Side side) {
  switch (side) {
    case Side::kLost:
      return "Lose access";
    case Side::kGained:
      return "Gain access";
    case Side::kStill:
      return "Keep access by another way";
    case Side::kAlready:
      break;
  }
  return "Have access already";
}

std::string_view VerbOf(Side side) {
  constexpr std::string_view kVerbs[] = {"loses", "gains", "keeps", "has already"};
  return kVerbs[static_cast<size_t>(side)];
}

std::vector<AccessGroup> FoldAccess(const Plan& plan, Side side) {
  return Folder(plan, side).Fold();
}

}  // namespace postern::view
