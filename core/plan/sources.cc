// Accounts that a host has from a directory through NSS: verified, never written but for the lock
// at the server. design.md §3: a lock needs both the directory's disable and a server that honours
// it, and the plan says whether it does.
#include <fmt/format.h>

#include <algorithm>

#include "core/diag/codes.h"
#include "core/object/wire_fields.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using object::Kind;

constexpr uint32_t kAccountEnabled = kinds::Account::kEnabledFieldNumber;
constexpr uint64_t kLock = uint64_t{1} << kAccountEnabled;
constexpr uint64_t kSource = uint64_t{1} << kinds::Account::kSourceFieldNumber;

// The login that a key, a grant or a membership is about, with its server; empty for others.
std::pair<std::string, std::string> LoginOf(Kind kind, std::string_view key) {
  const auto parts = object::SplitKey(key);
  const std::string server(parts[0]);
  if (kind == Kind::kSshKey) return {server, std::string(parts[1])};
  if (kind == Kind::kServerMembership) return {server, std::string(parts[2])};
  if (kind == Kind::kGrant && parts[3].starts_with("account:")) {
    return {server, std::string(parts[3].substr(8))};
  }
  return {};
}

bool Opens(const Change& change) {
  if (change.kind == Kind::kGrant) return AddsAccess(change);
  return change.action == Action::kCreate || change.action == Action::kUpdate;
}

// Whether the change shuts what was open.
bool Shuts(const Change& change) {
  if (!change.held.empty()) return false;
  const uint32_t enabled = EnabledFieldOf(change.kind);
  if (enabled == 0 || !FlagIn(change.before, enabled, true)) return false;
  if (change.action == Action::kDisable) return true;
  return change.action == Action::kUpdate && !FlagIn(change.after, enabled, true);
}

// Why that server lets in who is disabled in the directory; empty: it doesn't, or isn't known to.
std::string WhyLetIn(const object::Probe& probe, std::string_view server) {
  for (const object::Capability& row : probe.capabilities) {
    if (row.kind != "account" || row.field != "directory_lock" || row.server != server) continue;
    return row.support == "unsupported" ? row.why : "";
  }
  return "";
}

// As a directory compares it.
std::string UidIn(std::string_view login) {
  return object::Normalise(object::Comparator::kCaseIgnore, login);
}

std::string UidOf(const object::ObjectView& user) {
  return UidIn(object::DecodeAs<kinds::User>(user.body).uid());
}

}  // namespace

bool IsSourced(Kind kind, std::string_view body) {
  return kind == Kind::kAccount && (object::FieldsSet(body) & kSource) != 0;
}

void Planner::HoldSourced(const Row& row, const std::string& why, const std::string& way_out,
                          Change* change) {
  change->held = why;
  diagnostics_->Add(
      {.severity = diag::Severity::kWarning,
       .code = diag::code::kSourceDiffers,
       .summary = fmt::format("{} is held: {}", object::Describe(row.kind, row.key), why),
       .subject = change->place,
       .notes = {way_out}});
}

// Nothing but the lock is written: it takes away, and waits for nothing.
void Planner::LockOnly(const Row& row, Reason reason) {
  Change& change = AddChange(row, Action::kUpdate, reason);
  change.after =
      WithFlag(row.kind, Restrict(change.after, KeyMask(row.kind) | kLock), kAccountEnabled, false);
  change.fields = object::Differences(row.kind, change.after, row.observed->body);
}

// Whoever has the name now must not inherit. The entry is nobody's to make anew: it is shut with
// its sessions, its rows go, and somebody looks before the next plan.
void Planner::ShutForAnother(const Row& row, bool inherited) {
  const auto parts = object::SplitKey(row.key);
  const Reason reason = inherited ? Reason::kFact : Reason::kReplaced;
  if (FlagIn(row.observed->body, kAccountEnabled, true)) {
    LockOnly(row, reason);
  } else {
    // Shut already: the ledger learns whose it is.
    Change& change = AddChange(row, Action::kAdopt, reason);
    change.after = WithFlag(row.kind, Restrict(change.after, KeyMask(row.kind) | kLock),
                            kAccountEnabled, false);
  }
  replaced_.insert({row.target, row.key});
  without_account_[{row.target, std::string(parts[0]), std::string(parts[1])}] =
      fmt::format("{} is another's now: the next plan opens it", parts[1]);
  plan_.looks.push_back(
      {fmt::format("{}: another one {} its name", object::Describe(row.kind, row.key),
                   inherited ? "has" : "stands under"),
       inherited
           ? std::string("it comes from a directory: it is locked, what it had here goes, and "
                         "the next plan opens it for the new one; keys that nobody manages "
                         "stay, so look at them first")
           : fmt::format("its directory gave the name to uid {}, it was {}; it is locked, and "
                         "the next plan opens it for the new one",
                         row.observed->id, row.recorded->id),
       plan_.changes.back().place});
}

// True: decided here. What differs only by its lock is like any other account.
bool Planner::DecideSourced(const Row& row, bool replaced) {
  const bool wanted = IsSourced(row.kind, row.desired->body);
  const bool live = IsSourced(row.kind, row.observed->body);
  if (!wanted && !live) return false;
  const std::string login(object::SplitKey(row.key)[1]);
  const std::string server(object::SplitKey(row.key)[0]);
  std::string had = HandedOver(row);
  const bool inherited = !had.empty();
  if (inherited && live) NoteHandover(row, std::move(had));
  if (live && (inherited || (wanted && replaced))) {
    ShutForAnother(row, inherited);
    return true;
  }
  const std::string body = Restrict(row.desired->body, ~kLock);
  const auto fields = object::Differences(row.kind, body, row.observed->body);
  if (fields.empty() && wanted == live) return false;
  if (Locks(row)) {
    LockOnly(row, Reason::kChanged);
    return true;
  }
  Change& change = AddChange(row, Action::kUpdate, Reason::kChanged);
  change.fields = fields;
  if (wanted && !live) {
    without_account_[{row.target, server, login}] =
        fmt::format("{} is an account of the host's own", login);
    HoldSourced(
        row, fmt::format("{} stands in the host's own files, before the directory's", login),
        fmt::format("take {} out of /etc/passwd, or `source` out of the declaration", login),
        &change);
  } else if (!wanted) {
    HoldSourced(row,
                fmt::format("the host has {} from a directory, which nothing here writes", login),
                "say source = \"directory:NAME\" in its declaration", &change);
  } else {
    const object::FieldDifference& first = fields.front();
    HoldSourced(row,
                fmt::format("its {} in the directory is {}, declared is {}", first.name,
                            first.before, first.after),
                fmt::format("mend the entry in {}, or declare {} = \"{}\"", SourceOf(change),
                            first.name, first.before),
                &change);
  }
  return true;
}

// Not there, and not for us to make.
void Planner::HoldUnknown(const Row& row, Change* change) {
  if (!IsSourced(row.kind, row.desired->body)) return;
  const auto parts = object::SplitKey(row.key);
  const std::string login(parts[1]);
  if (change->held.empty()) {
    const decl::Host* host = HostOf(row.target);
    const std::string& mark = host->manage().accounts();
    HoldSourced(
        row, fmt::format("the host doesn't know {} from {}", login, SourceOf(*change)),
        fmt::format("`getent passwd {}` must answer on the host, and the group {} must name "
                    "it: `gpasswd -a {} {}`",
                    login, mark.substr(mark.find(':') + 1), login, mark.substr(mark.find(':') + 1)),
        change);
  }
  without_account_[{row.target, std::string(parts[0]), login}] =
      fmt::format("there is no account {} yet", login);
}

void Planner::HoldWithoutAccount() {
  if (without_account_.empty()) return;
  for (Change& change : plan_.changes) {
    if (!change.held.empty() || !Opens(change)) continue;
    const auto [server, login] = LoginOf(change.kind, change.key);
    const auto why = without_account_.find({change.target, server, login});
    if (why != without_account_.end()) change.held = why->second;
  }
}

// "directory:corp"; "a directory" where nothing declares it any more.
const std::string& Planner::SourceOf(const Change& change) const {
  static const std::string kUnsaid = "a directory";
  if (!sources_) {
    sources_.emplace();
    for (const auto& account : in_.declarations->accounts) {
      const decl::Account& m = account.message;
      if (!m.has_source()) continue;
      (*sources_)[{m.server(), m.has_login() ? m.login() : m.name()}] = m.source();
    }
  }
  const auto parts = object::SplitKey(change.key);
  const auto at = sources_->find({std::string(parts[0]), std::string(parts[1])});
  return at == sources_->end() ? kUnsaid : at->second;
}

// What stands under a login in directories and on hosts, and what the plan does to it: made once,
// for plans that shut many.
struct Planner::Logins {
  using Entries = std::multimap<std::string, std::pair<uint32_t, const object::ObjectView*>>;
  Entries users, accounts;  // by uid; accounts of a directory alone
  std::map<std::tuple<uint32_t, Kind, std::string_view>, const Change*> changes;

  // After the plan.
  bool Enabled(uint32_t target, const object::ObjectView& live) const {
    const uint32_t enabled = EnabledFieldOf(live.kind);
    const auto at = changes.find({target, live.kind, live.key});
    if (at == changes.end()) return FlagIn(live.body, enabled, true);
    const Change& change = *at->second;
    if (change.action == Action::kDisable || change.action == Action::kDelete) return false;
    return FlagIn(change.after, enabled, FlagIn(live.body, enabled, true));
  }
};

Planner::Logins Planner::IndexLogins() const {
  Logins logins;
  for (uint32_t i = 0; i < plan_.targets.size(); ++i) {
    if (!plan_.targets[i].reached) continue;
    for (const object::ObjectView& user : observed_[i]->objects.OfKind(Kind::kUser)) {
      logins.users.emplace(UidOf(user), std::pair(i, &user));
    }
    for (const object::ObjectView& account : observed_[i]->objects.OfKind(Kind::kAccount)) {
      if (!IsSourced(account.kind, account.body)) continue;
      logins.accounts.emplace(UidIn(object::SplitKey(account.key)[1]), std::pair(i, &account));
    }
  }
  for (const Change& change : plan_.changes) {
    if (!change.held.empty() || EnabledFieldOf(change.kind) == 0) continue;
    logins.changes[{change.target, change.kind, change.key}] = &change;
  }
  return logins;
}

// What of a lock stands elsewhere, and whether that holds, too.
void Planner::LookAtLocks() {
  const auto about = [](const Change& change) {
    return Shuts(change) && (change.kind == Kind::kUser || IsSourced(change.kind, change.before));
  };
  if (std::none_of(plan_.changes.begin(), plan_.changes.end(), about)) return;
  const Logins logins = IndexLogins();
  for (const Change& change : plan_.changes) {
    if (!about(change)) continue;
    change.kind == Kind::kUser ? LookAtEntry(change, logins) : LookAtLock(change, logins);
  }
}

// The server refuses every way in; other servers and hosts ask the directory.
void Planner::LookAtLock(const Change& change, const Logins& logins) {
  const std::string& source = SourceOf(change);
  const auto parts = object::SplitKey(change.key);
  const std::string what = fmt::format("{} is shut at {} alone", parts[1], parts[0]);
  bool found = false;
  const auto [begin, end] = logins.users.equal_range(UidIn(parts[1]));
  for (auto at = begin; at != end; ++at) {
    const auto& [target, user] = at->second;
    const std::string& name = plan_.targets[target].name;
    if (source.starts_with("directory:") && name != source) continue;
    found = true;
    if (!logins.Enabled(target, *user)) continue;
    plan_.looks.push_back(
        {what,
         fmt::format("its entry {} in {} stays enabled: whatever else asks there lets it in "
                     "until its [user] says enabled = false",
                     user->key, name),
         ""});
  }
  if (found) return;
  plan_.looks.push_back({what,
                         fmt::format("whether its entry in {} is disabled isn't known here: "
                                     "whatever else asks there may let it in",
                                     source),
                         ""});
}

// Disabled in the directory: which servers let in all the same.
void Planner::LookAtEntry(const Change& change, const Logins& logins) {
  const object::ObjectView* entry = observed_[change.target]->objects.Find(change.kind, change.key);
  if (entry == nullptr) return;
  const auto [begin, end] = logins.accounts.equal_range(UidOf(*entry));
  for (auto at = begin; at != end; ++at) {
    const auto& [target, account] = at->second;
    if (!logins.Enabled(target, *account)) continue;
    const auto parts = object::SplitKey(account->key);
    const std::string why = WhyLetIn(observed_[target]->probe, parts[0]);
    if (why.empty()) continue;
    plan_.looks.push_back(
        {fmt::format("{} is disabled in {} alone", parts[1], plan_.targets[change.target].name),
         fmt::format("server {} lets it in all the same until its [account] says enabled = false: "
                     "{}",
                     parts[0], why),
         ""});
  }
}

}  // namespace postern::plan
