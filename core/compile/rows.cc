// Grants become rows of access: whom they open for, where, until when.
#include <fmt/format.h>

#include <algorithm>

#include "core/compile/compiler.h"
#include "core/diag/codes.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {
namespace {

using access::Rights;

Rights RightsOf(const decl::Strings& names) {
  Rights rights;
  for (const std::string& name : names.values()) {
    if (const auto right = access::ParseRight(name)) rights |= *right;
  }
  return rights;
}

access::Depth DepthOf(const decl::Grant& grant) {
  return grant.depth() == "this" ? access::Depth::kThis : access::Depth::kSubtree;
}

Interval IntervalOf(const decl::Grant& grant) {
  Interval interval;
  if (grant.has_starts()) interval.from = grant.starts();
  if (grant.has_expires()) interval.until = grant.expires();
  return interval;
}

}  // namespace

void Compiler::CompileGrants() {
  for (const auto& grant : declarations_.grants) CompileGrant(grant);
}

void Compiler::CompileGrant(const config::Declared<decl::Grant>& grant) {
  const auto folder = folders_.find(grant.message.folder());
  if (folder == folders_.end()) return;
  const Rights rights = RightsOf(grant.message.rights());
  for (int i = 0; i < grant.message.who().values_size(); ++i) {
    AskFor(grant, grant.message.who().values(i), i, *folder->second, rights);
  }
}

void Compiler::AskFor(const config::Declared<decl::Grant>& grant, const std::string& who,
                      int element, const config::Declared<decl::Folder>& folder, Rights rights) {
  const std::string identity = IdentityOf(who);
  const Interval interval = IntervalOf(grant.message).Meet(ContractOf(identity));
  GrantLine line;
  line.identity = identity;
  line.host = folder.message.host();
  line.path = object::Normalise(object::Comparator::kPath, folder.message.path());
  line.depth = DepthOf(grant.message);
  line.rights = rights;
  line.from = interval.from;
  line.until = interval.until;
  line.source = AddProvenance("grant:" + sources_.Place(grant.span), grant.span, interval.until,
                              grant.message.ticket(), grant.message.reason());
  line.state = facts_.now < interval.from    ? GrantLine::State::kScheduled
               : facts_.now > interval.until ? GrantLine::State::kExpired
                                             : GrantLine::State::kActive;
  desired_.grants.push_back(line);
  if (who.starts_with("group:")) {
    AskGroup(grant, who.substr(6), folder, rights, line.source);
    return;
  }
  bool opens = false;
  if (who.starts_with("account:")) {
    const auto account = account_named_.find(who.substr(8));
    if (account == account_named_.end()) return;
    opens = AskAccount(grant, accounts_[account->second], folder, rights, line.source);
  } else {
    for (size_t index : accounts_of_[identity]) {
      opens = AskAccount(grant, accounts_[index], folder, rights, line.source) || opens;
    }
  }
  if (opens) return;
  desired_.diagnostics.Add(
      {.severity = diag::Severity::kWarning,
       .code = diag::code::kOpensNothing,
       .summary = fmt::format("this grant opens nothing for \"{}\"", who),
       .span = grant.At(decl::Grant::kWhoFieldNumber, element),
       .label = fmt::format("no account at a server of host \"{}\"", folder.message.host()),
       .also = {{folder.span, "the folder is on this host"}},
       .notes = {"declare an [account] for it at a server of that host"}});
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
bool Compiler::Reachable(const AccountInfo& account, const config::Declared<decl::Folder>& folder,
                         const config::Declared<decl::Grant>& grant, bool complain) {
  const std::string path = object::Normalise(object::Comparator::kPath, folder.message.path());
  if (access::IsWithin(path, account.home)) return true;
  const std::string& server = account.server->message.name();
  const object::Capability* chroot = FindCapability(server, "account", "chroot");
  if (chroot != nullptr && chroot->support == "unsupported") return true;
  if (!complain) return false;
  desired_.diagnostics.Add(
      {.code = diag::code::kGrantUnreachable,
       .summary = fmt::format("account \"{}\" can't reach folder \"{}\"",
                              account.declared->message.name(), folder.message.name()),
       .span = grant.At(decl::Grant::kFolderFieldNumber),
       .label = fmt::format("{} is not below its login folder {}", path, account.home),
       .also = {{account.declared->At(decl::Account::kHomeFieldNumber), "the login folder"}},
       .notes = {"at login the account is confined to its login folder",
                 "choose a login folder that holds the granted folder"}});
  return false;
}

bool Compiler::AskAccount(const config::Declared<decl::Grant>& grant, const AccountInfo& account,
                          const config::Declared<decl::Folder>& folder, Rights rights,
                          uint32_t source) {
  if (account.server->message.host() != folder.message.host()) return false;
  if (!ViaAllows(grant, account)) return false;
  if (!Reachable(account, folder, grant, true)) return true;
  const Interval interval = IntervalOf(grant.message).Meet(account.interval);
  Provenance& provenance = desired_.provenance[source];
  provenance.until = std::min(provenance.until, interval.until);
  if (interval.until != base::kForever) {
    provenance.closer = CloserOf(account.server->message.name());
  }
  const std::string path = object::Normalise(object::Comparator::kPath, folder.message.path());
  access::GrantRow row{
      path, DepthOf(grant.message), {access::Subject::Type::kAccount, account.login}, rights};
  const std::string& server = account.server->message.name();
  if (interval.Holds(facts_.now)) {
    asks_[server].push_back({server, std::move(row), source, &grant});
  } else if (facts_.now > interval.until) {
    desired_.expired.emplace_back(
        "host:" + folder.message.host(),
        object::ObjectKey{
            object::Kind::kGrant,
            object::MakeKey(object::Kind::kGrant, {server, path, access::NameOf(row.depth),
                                                   access::Format(row.subject)})});
  }
  return true;
}

void Compiler::AskGroup(const config::Declared<decl::Grant>& grant, const std::string& group,
                        const config::Declared<decl::Folder>& folder, Rights rights,
                        uint32_t source) {
  const std::string path = object::Normalise(object::Comparator::kPath, folder.message.path());
  std::map<std::string, bool> servers;   // server -> a member reaches the folder there
  std::map<std::string, bool> narrowed;  // server -> `via` leaves members out there
  for (const GroupLogins& logins : LoginsOf(group)) {
    if (logins.server->message.host() != folder.message.host()) continue;
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
                                group, folder.message.host()),
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
                                  group, folder.message.name(), server),
           .span = grant.At(decl::Grant::kFolderFieldNumber),
           .label = "not below any member's login folder",
           .notes = {"at login an account is confined to its login folder"}});
      continue;
    }
    if (interval.until != base::kForever) desired_.provenance[source].closer = CloserOf(server);
    // `via` that names some of the members' accounts can't be said of the group at the server.
    if (narrowed[server]) {
      for (const GroupLogins& logins : LoginsOf(group)) {
        if (logins.server->message.name() != server) continue;
        for (size_t index : logins.accounts) {
          if (!ViaAllows(grant, accounts_[index])) continue;
          AskAccount(grant, accounts_[index], folder, rights, source);
        }
      }
      continue;
    }
    access::GrantRow row{
        path, DepthOf(grant.message), {access::Subject::Type::kGroup, group}, rights};
    if (interval.Holds(facts_.now)) {
      ProjectGroup(group, server, source);
      asks_[server].push_back({server, std::move(row), source, &grant});
    } else if (facts_.now > interval.until) {
      desired_.expired.emplace_back(
          "host:" + folder.message.host(),
          object::ObjectKey{
              object::Kind::kGrant,
              object::MakeKey(object::Kind::kGrant, {server, path, access::NameOf(row.depth),
                                                     access::Format(row.subject)})});
    }
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

void Compiler::FitServer(const config::Declared<decl::Server>& server,
                         const std::vector<Ask>& asks) {
  const auto product = products_.find(server.message.product());
  if (product == products_.end() || asks.empty()) return;
  std::vector<access::GrantRow> wanted;
  // (path, subject) -> sources, to give each fitted row its reasons.
  std::map<std::pair<std::string, access::Subject>, std::vector<uint32_t>> reasons;
  for (const Ask& ask : asks) {
    wanted.push_back(ask.row);
    auto& sources = reasons[{ask.row.path, ask.row.subject}];
    if (std::find(sources.begin(), sources.end(), ask.source) == sources.end()) {
      sources.push_back(ask.source);
    }
  }
  const access::Fit fit = product->second->FitRows(wanted, RootsOf(server.message.host()));
  for (const access::Refusal& refusal : fit.refusals) ReportRefusal(refusal, asks, server);
  for (const access::Widening& widening : fit.widenings) ReportWidening(widening, asks, server);
  for (const access::GrantRow& row : fit.rows) {
    kinds::Grant grant;
    grant.set_server(server.message.name());
    grant.set_path(row.path);
    grant.set_depth(std::string(access::NameOf(row.depth)));
    grant.set_subject(access::Format(row.subject));
    grant.set_rights(row.rights.bits());
    std::vector<uint32_t> sources;
    for (std::string_view path = row.path; sources.empty() && !path.empty();
         path = access::ParentOf(path)) {
      const auto at = reasons.find({std::string(path), row.subject});
      if (at != reasons.end()) sources = at->second;
    }
    Emit("host:" + server.message.host(), grant, std::move(sources));
  }
}

void Compiler::ReportRefusal(const access::Refusal& refusal, const std::vector<Ask>& asks,
                             const config::Declared<decl::Server>& server) {
  for (const Ask& ask : asks) {
    if (ask.row.path != refusal.row.path || ask.row.subject != refusal.row.subject) continue;
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

void Compiler::ReportWidening(const access::Widening& widening, const std::vector<Ask>& asks,
                              const config::Declared<decl::Server>& server) {
  for (const Ask& ask : asks) {
    if (ask.row.subject != widening.subject || !access::IsWithin(widening.path, ask.row.path)) {
      continue;
    }
    const Rights accepted = RightsOf(ask.grant->message.accept_wider());
    if ((widening.extra - ask.row.rights).empty()) continue;
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
      diagnostic.also = {
          {ask.grant->At(decl::Grant::kAcceptWiderFieldNumber), "accepted by the author"}};
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
