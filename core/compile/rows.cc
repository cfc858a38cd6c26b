// Grants become rows of access: whom they open for, where, until when.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/compile/compiler.h"
#include "core/diag/codes.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {
namespace {

using access::Rights;

access::Depth DepthOf(const decl::Grant& grant) {
  return grant.depth() == "this" ? access::Depth::kThis : access::Depth::kSubtree;
}

Interval IntervalOf(const decl::Grant& grant) {
  Interval interval;
  if (grant.has_starts()) interval.from = grant.starts();
  if (grant.has_expires()) interval.until = grant.expires();
  return interval;
}

// Which asks stand behind a fitted row: those for its subject at its path, or at the nearest path
// above that has some. Views into the asks.
class ReasonIndex {
 public:
  explicit ReasonIndex(const Asks& asks) : asks_(asks) {
    sorted_.resize(asks.rows.size());
    std::iota(sorted_.begin(), sorted_.end(), 0);
    std::stable_sort(sorted_.begin(), sorted_.end(), [&](uint32_t a, uint32_t b) {
      return Compare(asks_.rows[a], asks_.rows[b].path, asks_.rows[b].subject) < 0;
    });
  }

  SourceList SourcesOf(const access::GrantRow& row) const {
    SourceList sources;
    for (std::string_view path = row.path; sources.empty() && !path.empty();
         path = access::ParentOf(path)) {
      Collect(path, row.subject, &sources);
    }
    return sources;
  }

 private:
  static int Compare(const access::GrantRow& row, std::string_view path,
                     const access::Subject& subject) {
    if (const int order = std::string_view(row.path).compare(path); order != 0) return order;
    if (row.subject == subject) return 0;
    return row.subject < subject ? -1 : 1;
  }
  void Collect(std::string_view path, const access::Subject& subject, SourceList* sources) const {
    auto at = std::partition_point(sorted_.begin(), sorted_.end(), [&](uint32_t i) {
      return Compare(asks_.rows[i], path, subject) < 0;
    });
    for (; at != sorted_.end() && Compare(asks_.rows[*at], path, subject) == 0; ++at) {
      const uint32_t source = asks_.reasons[*at].source;
      if (std::find(sources->begin(), sources->end(), source) == sources->end()) {
        sources->push_back(source);
      }
    }
  }

  const Asks& asks_;
  std::vector<uint32_t> sorted_;
};

}  // namespace

Rights RightsOf(const decl::Strings& names) {
  Rights rights;
  for (const std::string& name : names.values()) {
    if (const auto right = access::ParseRight(name)) rights |= *right;
  }
  return rights;
}

void Compiler::CompileGrants() {
  for (const auto& grant : declarations_.grants) CompileGrant(grant);
  CompileRoleRows();
}

void Compiler::CompileGrant(const config::Declared<decl::Grant>& grant) {
  const auto folder = folders_.find(grant.message.folder());
  if (folder == folders_.end()) return;
  const Rights rights = RightsOf(grant.message.rights());
  for (int i = 0; i < grant.message.who().values_size(); ++i) {
    AskFor(grant, grant.message.who().values(i), i, folder->second, rights);
  }
}

void Compiler::AskFor(const config::Declared<decl::Grant>& grant, const std::string& who,
                      int element, const FolderInfo& folder, Rights rights) {
  const std::string identity = IdentityOf(who);
  const Interval interval = IntervalOf(grant.message).Meet(ContractOf(identity));
  std::string owner = grant.of_service_account()
                          ? OwnerOf(AddressOfService(grant.service_account), identity)
                          : "grant:" + sources_.Place(grant.span);
  const uint32_t source = AddProvenance(std::move(owner), grant.span, interval.until,
                                        grant.message.ticket(), grant.message.reason());
  AddGrantLine(grant.message, identity, folder, rights, interval, source);
  if (who.starts_with("group:")) {
    AskGroup(grant, who.substr(6), folder, rights, source);
    return;
  }
  if (who.starts_with("role:")) {
    AskRole(grant, who.substr(5), folder, rights, source);
    return;
  }
  bool opens = false;
  if (who.starts_with("account:")) {
    const auto account = account_named_.find(std::string_view(who).substr(8));
    if (account == account_named_.end()) return;
    opens = AskAccount(grant, accounts_[account->second], folder, rights, source);
  } else {
    for (const uint32_t index : AccountsOf(identity)) {
      opens = AskAccount(grant, accounts_[index], folder, rights, source) || opens;
    }
  }
  if (opens) return;
  desired_.diagnostics.Add({.severity = diag::Severity::kWarning,
                            .code = diag::code::kOpensNothing,
                            .summary = fmt::format("this grant opens nothing for \"{}\"", who),
                            .span = grant.At(decl::Grant::kWhoFieldNumber, element),
                            .label = fmt::format("no account at a server of host \"{}\"",
                                                 folder.declared->message.host()),
                            .also = {{folder.declared->span, "the folder is on this host"}},
                            .notes = {"declare an [account] for it at a server of that host"}});
}

void Compiler::AddGrantLine(const decl::Grant& grant, std::string identity,
                            const FolderInfo& folder, Rights rights, const Interval& interval,
                            uint32_t source) {
  GrantLine line;
  line.identity = std::move(identity);
  line.host = folder.declared->message.host();
  line.path = folder.path;
  line.depth = DepthOf(grant);
  line.rights = rights;
  line.from = interval.from;
  line.until = interval.until;
  line.source = source;
  line.state = facts_.now < interval.from    ? GrantLine::State::kScheduled
               : facts_.now > interval.until ? GrantLine::State::kExpired
                                             : GrantLine::State::kActive;
  desired_.grants.push_back(std::move(line));
}

bool Compiler::ViaAllows(const config::Declared<decl::Grant>& grant,
                         const AccountInfo& account) const {
  if (!grant.message.has_via()) return true;
  for (const std::string& via : grant.message.via().values()) {
    if (via == "server:" + account.server->message.name()) return true;
    if (via == "account:" + account.declared->message.name()) return true;
  }
  return false;
}

// With a login folder that is the root of what the account sees, only folders below it are reached.
bool Compiler::Reachable(const AccountInfo& account, const FolderInfo& folder,
                         const config::Declared<decl::Grant>& grant, bool complain) {
  if (access::IsWithin(folder.path, account.home)) return true;
  if (!Confines(account.server->message.name())) return true;
  if (!complain) return false;
  desired_.diagnostics.Add(
      {.code = diag::code::kGrantUnreachable,
       .summary = fmt::format("account \"{}\" can't reach folder \"{}\"",
                              account.declared->message.name(), folder.declared->message.name()),
       .span = grant.At(decl::Grant::kFolderFieldNumber),
       .label = fmt::format("{} is not below its login folder {}", folder.path, account.home),
       .also = {{account.declared->At(decl::Account::kHomeFieldNumber), "the login folder"}},
       .notes = {"at login the account is confined to its login folder",
                 "choose a login folder that holds the granted folder"}});
  return false;
}

// What holds now is asked for; what is over is an expected loss, and what is to come is said.
void Compiler::AddAsk(const config::Declared<decl::Grant>& grant, const std::string& server,
                      const FolderInfo& folder, access::Subject subject, Rights rights,
                      const Interval& interval, uint32_t source, const RoleInfo* role) {
  const access::Depth depth = DepthOf(grant.message);
  if (interval.Holds(facts_.now)) {
    Asks& asks = asks_[server];
    asks.rows.push_back({folder.path, depth, std::move(subject), rights});
    asks.reasons.push_back({source, &grant});
    return;
  }
  const std::string who = access::Format(subject);
  NoteOffTime(
      "host:" + folder.declared->message.host(),
      {object::Kind::kGrant,
       object::MakeKey(object::Kind::kGrant, {server, folder.path, access::NameOf(depth), who})},
      interval, source, role);
}

bool Compiler::AskAccount(const config::Declared<decl::Grant>& grant, const AccountInfo& account,
                          const FolderInfo& folder, Rights rights, uint32_t source,
                          const RoleInfo* role, const Interval& member) {
  if (account.server->message.host() != folder.declared->message.host()) return false;
  if (!ViaAllows(grant, account)) return false;
  if (!Reachable(account, folder, grant, true)) return true;
  const Interval wanted = IntervalOf(grant.message).Meet(member);
  Interval interval = wanted.Meet(account.interval);
  for (const Interval& time : account.times) {
    if (interval.empty()) interval = wanted.Meet(time);
  }
  AddAsk(grant, account.server->message.name(), folder,
         {access::Subject::Type::kAccount, account.login}, rights, interval,
         SourceUntil(source, account, interval), role);
  return true;
}

// The grant's reason as it stands for one account: another account of the same who ends when it
// ends itself.
uint32_t Compiler::SourceUntil(uint32_t source, const AccountInfo& account,
                               const Interval& interval) {
  if (interval.until == base::kForever) return source;
  Provenance& shared = desired_.provenance[source];
  // No rule has a date: the server ends the grant where it ends the login at that moment.
  const bool server_does = ClosesAccount(account) && account.interval.until == interval.until;
  const bool others_do = shared.closer.empty() || shared.closer == kClosedByServer;
  shared.closer = server_does && others_do ? kClosedByServer : kClosedByNobody;
  if (shared.until == interval.until) return source;
  const uint32_t own = WithEnd(source, interval.until);
  desired_.provenance[own].closer = server_does ? kClosedByServer : kClosedByNobody;
  return own;
}

void Compiler::AskGroup(const config::Declared<decl::Grant>& grant, const std::string& group,
                        const FolderInfo& folder, Rights rights, uint32_t source) {
  const std::string& host = folder.declared->message.host();
  std::map<std::string, bool> servers;   // server -> a member reaches the folder there
  std::map<std::string, bool> narrowed;  // server -> `via` leaves members out there
  for (const GroupLogins& logins : LoginsOf(group)) {
    if (logins.server->message.host() != host) continue;
    const auto allowed =
        std::count_if(logins.accounts.begin(), logins.accounts.end(),
                      [&](size_t index) { return ViaAllows(grant, accounts_[index]); });
    bool& some = narrowed[logins.server->message.name()];
    some = some || static_cast<size_t>(allowed) < logins.accounts.size();
    if (allowed == 0) continue;
    bool& reaches = servers[logins.server->message.name()];
    // One login folder is as good as another account's same one.
    reaches = reaches || Reachable(accounts_[logins.accounts.front()], folder, grant, false);
  }
  if (servers.empty()) {
    desired_.diagnostics.Add(
        {.severity = diag::Severity::kWarning,
         .code = diag::code::kOpensNothing,
         .summary = fmt::format("this grant opens nothing: no member of group \"{}\" has an "
                                "account on host \"{}\"",
                                group, host),
         .span = grant.At(decl::Grant::kWhoFieldNumber),
         .notes = {"declare accounts for its members at a server of that host"}});
    return;
  }
  const Interval interval = IntervalOf(grant.message);
  for (const auto& [server, reaches] : servers) {
    if (!reaches) {
      desired_.diagnostics.Add(
          {.code = diag::code::kGrantUnreachable,
           .summary = fmt::format("no member of group \"{}\" can reach folder \"{}\" at server "
                                  "\"{}\"",
                                  group, folder.declared->message.name(), server),
           .span = grant.At(decl::Grant::kFolderFieldNumber),
           .label = "not below any member's login folder",
           .notes = {"at login an account is confined to its login folder"}});
      continue;
    }
    // `via` that names some of the members' accounts can't be said of the group at the server, and
    // some products know no groups in their rows.
    const bool apart = !TakesGroups(server);
    if (narrowed[server] || apart) {
      for (const GroupLogins& logins : LoginsOf(group)) {
        if (logins.server->message.name() != server) continue;
        for (size_t index : logins.accounts) {
          if (!ViaAllows(grant, accounts_[index])) continue;
          // As with a row of the group: it opens for those who can get there.
          if (apart && !Reachable(accounts_[index], folder, grant, false)) continue;
          AskAccount(grant, accounts_[index], folder, rights, source);
        }
      }
      continue;
    }
    if (interval.until != base::kForever) desired_.provenance[source].closer = kClosedByNobody;
    if (interval.Holds(facts_.now)) ProjectGroup(group, server, source);
    AddAsk(grant, server, folder, {access::Subject::Type::kGroup, group}, rights, interval, source);
  }
}

void Compiler::FitServers() {
  for (const auto& server : declarations_.servers) {
    EmitBaseline(server);
    const auto asks = asks_.find(server.message.name());
    if (asks != asks_.end()) FitServer(server, asks->second);
  }
}

// In every managed root what isn't granted isn't allowed, also before anything is granted there.
void Compiler::EmitBaseline(const config::Declared<decl::Server>& server) {
  const auto host = hosts_.find(server.message.host());
  if (host == hosts_.end() || RootsOf(server.message.host()).empty()) return;
  const uint32_t source =
      AddProvenance("host:" + server.message.host(),
                    host->second->At(decl::Host::kManageFieldNumber), base::kForever);
  for (const std::string& root : RootsOf(server.message.host())) {
    kinds::Grant baseline;
    baseline.set_server(server.message.name());
    baseline.set_path(root);
    baseline.set_depth("subtree");
    baseline.set_subject("everyone");
    baseline.set_rights(0);
    Emit("host:" + server.message.host(), baseline, {source});
  }
}

void Compiler::FitServer(const config::Declared<decl::Server>& server, const Asks& asks) {
  const auto product = products_.find(server.message.product());
  if (product == products_.end() || asks.rows.empty()) return;
  const access::Fit fit = product->second->FitRows(asks.rows, RootsOf(server.message.host()));
  for (const access::Refusal& refusal : fit.refusals) ReportRefusal(refusal, asks, server);
  for (const access::Widening& widening : fit.widenings) ReportWidening(widening, asks, server);
  const std::string target = "host:" + server.message.host();
  const ReasonIndex reasons(asks);
  kinds::Grant grant;
  grant.set_server(server.message.name());
  for (const access::GrantRow& row : fit.rows) {
    grant.set_path(row.path);
    const std::string_view depth = access::NameOf(row.depth);
    grant.set_depth(depth.data(), depth.size());
    grant.set_subject(access::Format(row.subject));
    grant.set_rights(row.rights.bits());
    Emit(target, grant, reasons.SourcesOf(row));
  }
}

void Compiler::ReportRefusal(const access::Refusal& refusal, const Asks& asks,
                             const config::Declared<decl::Server>& server) {
  for (size_t i = 0; i < asks.rows.size(); ++i) {
    const access::GrantRow& asked = asks.rows[i];
    const Ask& ask = asks.reasons[i];
    if (asked.path != refusal.row.path || asked.subject != refusal.row.subject) continue;
    desired_.diagnostics.Add(
        {.code = diag::code::kNotExpressible,
         .summary = fmt::format("server \"{}\" ({}) can't give {} to {} on {} alone",
                                server.message.name(), server.message.product(),
                                access::Format(refusal.row.rights),
                                access::Format(refusal.row.subject), refusal.row.path),
         .span = ask.grant->At(decl::Grant::kRightsFieldNumber),
         .label = refusal.why,
         .also = {{server.span, "the server is declared here"}},
         .notes = refusal.alternatives});
    return;
  }
}

void Compiler::ReportWidening(const access::Widening& widening, const Asks& asks,
                              const config::Declared<decl::Server>& server) {
  for (size_t i = 0; i < asks.rows.size(); ++i) {
    const access::GrantRow& asked = asks.rows[i];
    const Ask& ask = asks.reasons[i];
    if (asked.subject != widening.subject || !access::IsWithin(widening.path, asked.path)) continue;
    const Rights accepted = RightsOf(ask.grant->message.accept_wider());
    if ((widening.extra - asked.rights).empty()) continue;
    const bool all = accepted.Includes(widening.extra);
    diag::Diagnostic diagnostic;
    diagnostic.severity = all ? diag::Severity::kWarning : diag::Severity::kError;
    diagnostic.code = all ? diag::code::kWiderAccepted : diag::code::kGrantWider;
    diagnostic.summary =
        fmt::format("at server \"{}\" this grant also gives {} on {}", server.message.name(),
                    access::Format(widening.extra), widening.path);
    diagnostic.span = ask.grant->At(decl::Grant::kRightsFieldNumber);
    diagnostic.label = widening.why;
    if (all) {
      const diag::Span span = ask.grant->At(decl::Grant::kAcceptWiderFieldNumber);
      diagnostic.also = {{span, "accepted by the author"}};
      desired_.accepted.push_back(
          {fmt::format("{} also gets {} on {} at {}", access::Format(widening.subject),
                       access::Format(widening.extra), widening.path, server.message.name()),
           span});
    } else {
      std::string list;
      for (int i = 0; i < access::kRightCount; ++i) {
        const auto right = static_cast<access::Right>(i);
        if (!widening.extra.Has(right)) continue;
        list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", access::NameOf(right));
      }
      diagnostic.notes = {fmt::format("if that is meant, add accept_wider = [{}]", list)};
    }
    desired_.diagnostics.Add(std::move(diagnostic));
    return;
  }
}

}  // namespace postern::compile
