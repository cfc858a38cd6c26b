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
  if (!FlagIn(change.before, enabled, true)) return false;
  if (change.action == Action::kDisable) return true;
  return change.action == Action::kUpdate && !FlagIn(change.after, enabled, true);
}

std::string UidOf(const object::ObjectView& user) {
  return object::Normalise(object::Comparator::kCaseIgnore,
                           object::DecodeAs<kinds::User>(user.body).uid());
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

// True: decided here. What differs only by its lock is like any other account.
bool Planner::DecideSourced(const Row& row, bool replaced) {
  const bool wanted = IsSourced(row.kind, row.desired->body);
  const bool live = IsSourced(row.kind, row.observed->body);
  if (!wanted && !live) return false;
  const std::string login(object::SplitKey(row.key)[1]);
  const std::string server(object::SplitKey(row.key)[0]);
  const bool open = FlagIn(row.observed->body, kAccountEnabled, true);
  if (wanted && live && replaced && open) {
    // Whoever has the name now must not inherit: shut first, and somebody looks before the next
    // plan.
    LockOnly(row, Reason::kReplaced);
    plan_.looks.push_back(
        {fmt::format("{}: another one stands under its name", object::Describe(row.kind, row.key)),
         fmt::format("its directory gave the name to uid {}, it was {}; it is locked, and the next "
                     "plan opens it for the new one",
                     row.observed->id, row.recorded->id),
         plan_.changes.back().place});
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
std::string Planner::SourceOf(const Change& change) const {
  const auto parts = object::SplitKey(change.key);
  for (const auto& account : in_.declarations->accounts) {
    const decl::Account& m = account.message;
    const std::string& login = m.has_login() ? m.login() : m.name();
    if (m.has_source() && m.server() == parts[0] && login == parts[1]) return m.source();
  }
  return "a directory";
}

// Nothing: the target doesn't have it.
std::optional<bool> Planner::EnabledAfter(uint32_t target, Kind kind, std::string_view key) const {
  const object::ObjectView* live = observed_[target]->objects.Find(kind, key);
  if (live == nullptr) return std::nullopt;
  const uint32_t enabled = EnabledFieldOf(kind);
  bool open = FlagIn(live->body, enabled, true);
  for (const Change& change : plan_.changes) {
    if (change.target != target || change.kind != kind || change.key != key) continue;
    if (!change.held.empty()) continue;
    if (change.action == Action::kDisable || change.action == Action::kDelete) open = false;
    if (change.action == Action::kUpdate) open = FlagIn(change.after, enabled, open);
  }
  return open;
}

// What of a lock stands elsewhere, and whether that holds, too.
void Planner::LookAtLocks() {
  for (size_t i = 0; i < plan_.changes.size(); ++i) {
    const Change& change = plan_.changes[i];
    if (!Shuts(change)) continue;
    if (change.kind == Kind::kUser) {
      LookAtEntry(change);
    } else if (IsSourced(change.kind, change.before)) {
      const auto parts = object::SplitKey(change.key);
      LookAtLock(change, std::string(parts[1]), std::string(parts[0]));
    }
  }
}

// The server refuses every way in; other servers and hosts ask the directory.
void Planner::LookAtLock(const Change& change, const std::string& login,
                         const std::string& server) {
  const std::string source = SourceOf(change);
  const std::string uid = object::Normalise(object::Comparator::kCaseIgnore, login);
  const std::string what = fmt::format("{} is shut at {} alone", login, server);
  bool found = false;
  for (uint32_t i = 0; i < plan_.targets.size(); ++i) {
    const std::string& name = plan_.targets[i].name;
    if (!name.starts_with("directory:") || !plan_.targets[i].reached) continue;
    if (source.starts_with("directory:") && name != source) continue;
    for (const object::ObjectView& user : observed_[i]->objects.OfKind(Kind::kUser)) {
      if (UidOf(user) != uid) continue;
      found = true;
      if (!EnabledAfter(i, Kind::kUser, user.key).value_or(false)) continue;
      plan_.looks.push_back(
          {what,
           fmt::format("its entry {} in {} stays enabled: whatever else asks there lets it in; "
                       "declare it with enabled = false",
                       user.key, name),
           change.place});
    }
  }
  if (found) return;
  plan_.looks.push_back({what,
                         fmt::format("whether its entry in {} is disabled isn't known here: "
                                     "whatever else asks there may let it in",
                                     source),
                         change.place});
}

// Disabled in the directory: which servers let in all the same.
void Planner::LookAtEntry(const Change& change) {
  const std::string& directory = plan_.targets[change.target].name;
  const object::ObjectView* entry = observed_[change.target]->objects.Find(change.kind, change.key);
  if (entry == nullptr) return;
  const std::string uid = UidOf(*entry);
  for (uint32_t i = 0; i < plan_.targets.size(); ++i) {
    if (!plan_.targets[i].reached) continue;
    for (const object::ObjectView& account : observed_[i]->objects.OfKind(Kind::kAccount)) {
      if (!IsSourced(Kind::kAccount, account.body)) continue;
      const auto parts = object::SplitKey(account.key);
      if (object::Normalise(object::Comparator::kCaseIgnore, std::string(parts[1])) != uid)
        continue;
      if (!EnabledAfter(i, Kind::kAccount, account.key).value_or(false)) continue;
      for (const object::Capability& row : observed_[i]->probe.capabilities) {
        if (row.kind != "account" || row.field != "directory_lock") continue;
        if (row.server != parts[0] || row.support != "unsupported") continue;
        plan_.looks.push_back(
            {fmt::format("{} is disabled in {} alone", parts[1], directory),
             fmt::format(
                 "server {} lets it in all the same: {}; shut it there as well with enabled "
                 "= false of its account",
                 parts[0], row.why),
             change.place});
      }
    }
  }
}

}  // namespace postern::plan
