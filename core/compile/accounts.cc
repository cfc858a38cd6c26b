// Identities, accounts and folders.
#include <fmt/format.h>

#include "core/compile/compiler.h"
#include "core/diag/codes.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {
namespace {

using object::Kind;

std::string_view AfterColon(std::string_view address) {
  const size_t colon = address.find(':');
  return colon == std::string_view::npos ? address : address.substr(colon + 1);
}

template <class Index, class List>
void IndexByName(Index* index, const List& list) {
  index->reserve(list.size());
  for (const auto& declared : list) (*index)[declared.message.name()] = &declared;
}

}  // namespace

void Compiler::IndexNames() {
  IndexByName(&servers_, declarations_.servers);
  IndexByName(&hosts_, declarations_.hosts);
  IndexByName(&directories_, declarations_.directories);
  folders_.reserve(declarations_.folders.size());
  for (const auto& folder : declarations_.folders) {
    folders_[folder.message.name()] = {
        &folder, object::Normalise(object::Comparator::kPath, folder.message.path())};
  }
  IndexByName(&groups_, declarations_.groups);
  IndexByName(&users_, declarations_.users);
  IndexByName(&partners_, declarations_.partners);
  IndexByName(&services_, declarations_.service_accounts);
  IndexByName(&persons_, declarations_.persons);
  IndexByName(&iams_, declarations_.iams);
  IndexByName(&iam_users_, declarations_.iam_users);
  IndexByName(&iam_groups_, declarations_.iam_groups);
}

// Every number that somebody has or had at a server of the host: to its kernel a number is one
// account, whichever server gave it. Collected when the first is to be given.
std::set<uint32_t>& Compiler::TakenIds(const std::string& host) {
  const auto [at, fresh] = taken_ids_.try_emplace(host);
  std::set<uint32_t>& taken = at->second;
  if (!fresh) return taken;
  const auto here = [&](std::string_view server) {
    const auto declared = servers_.find(server);
    return declared != servers_.end() && declared->second->message.host() == host;
  };
  for (const auto& [server, id] : facts_.used_uids) {
    if (here(server)) taken.insert(id);
  }
  for (const Facts::Numbers* numbers : {&facts_.uids, &facts_.gids}) {
    for (const auto& [server, known] : *numbers) {
      if (!here(server)) continue;
      for (const auto& [name, id] : known) taken.insert(id);
    }
  }
  for (const auto& account : declarations_.accounts) {
    if (account.message.has_uid() && here(account.message.server())) {
      taken.insert(account.message.uid());
    }
  }
  for (const auto& [name, server] : servers_) {
    if (here(name) && server->message.has_uids()) taken.insert(server->message.uids().gid());
  }
  return taken;
}

std::string Compiler::IdentityOf(std::string_view address) const {
  const auto whose = [&](const auto& users) {
    const auto user = users.find(AfterColon(address));
    const bool is_for = user != users.end() && user->second->message.has_for_();
    return is_for ? user->second->message.for_() : std::string(address);
  };
  if (address.starts_with("user:")) return whose(users_);
  if (address.starts_with("iam_user:")) return whose(iam_users_);
  return std::string(address);
}

// The declaration that people wrote.
std::string Compiler::AddressOfService(uint32_t service_account) const {
  return "service_account:" + declarations_.service_accounts[service_account - 1].message.name();
}

std::string Compiler::AddressOf(const config::Declared<decl::Account>& account) const {
  return account.of_service_account() ? AddressOfService(account.service_account)
                                      : "account:" + account.message.name();
}

// Of a service account its own time: also what else is declared for it ends with it.
Interval Compiler::ContractOf(std::string_view identity) const {
  Interval interval;
  if (identity.starts_with("service:")) {
    const auto service = services_.find(AfterColon(identity));
    if (service == services_.end()) return interval;
    const decl::ServiceAccount& m = service->second->message;
    if (m.has_starts()) interval.from = m.starts();
    if (m.has_expires()) interval.until = m.expires();
    return interval;
  }
  if (!identity.starts_with("partner:")) return interval;
  const auto partner = partners_.find(AfterColon(identity));
  if (partner == partners_.end() || !partner->second->message.has_contract()) return interval;
  const decl::Contract& contract = partner->second->message.contract();
  if (contract.has_starts()) interval.from = contract.starts();
  if (contract.has_ends()) interval.until = contract.ends();
  return interval;
}

// Who has several users there ends with the last of them.
void Compiler::NoteUserEnd(const std::string& identity, const std::string& target,
                           base::Instant until) {
  if (declarations_.roles.empty()) return;
  const auto [at, fresh] = user_ends_.try_emplace(identity + "|" + target, until);
  if (!fresh) at->second = std::max(at->second, until);
}

std::span<const uint32_t> Compiler::AccountsOf(std::string_view identity) const {
  const auto at = accounts_of_.find(identity);
  if (at == accounts_of_.end()) return {};
  return at->second;
}

void Compiler::CompileAccounts() {
  accounts_of_.reserve(declarations_.accounts.size());
  account_named_.reserve(declarations_.accounts.size());
  std::unordered_map<std::string_view, size_t> at_server;
  for (const auto& account : declarations_.accounts) ++at_server[account.message.server()];
  for (const auto& [server, count] : at_server) {
    desired_.identities[std::string(server)].reserve(count);
  }
  for (const auto& account : declarations_.accounts) CompileAccount(account);
  kinds::Account account;  // both used again for each: their strings keep their room
  kinds::SshKey key;
  for (const AccountInfo& info : accounts_) EmitAccount(info, &account, &key);
}

void Compiler::CompileAccount(const config::Declared<decl::Account>& account) {
  const decl::Account& message = account.message;
  const auto server = servers_.find(message.server());
  if (server == servers_.end()) return;  // reported by the loader
  AccountInfo info;
  info.declared = &account;
  info.server = server->second;
  info.login = message.has_login() ? message.login() : message.name();
  info.identity = IdentityOf(message.for_());
  info.home = object::Normalise(object::Comparator::kPath, message.home());
  if (message.has_starts()) info.interval.from = message.starts();
  if (message.has_expires()) info.interval.until = message.expires();
  info.interval = info.interval.Meet(ContractOf(info.identity));
  RoundEnd(&info);
  info.enabled = (!message.has_enabled() || message.enabled()) && info.interval.Holds(facts_.now);
  desired_.identities[message.server()][info.login] = info.identity;
  account_named_[message.name()] = accounts_.size();
  accounts_.push_back(std::move(info));  // a deque: names in it stay where they are
  accounts_of_[accounts_.back().identity].push_back(static_cast<uint32_t>(accounts_.size() - 1));
}

// Whether the server ends a login by itself at a date that is written there. Into a directory's
// entry none is written.
bool Compiler::ClosesAccount(const AccountInfo& info) const {
  if (info.declared->message.has_source()) return false;
  const object::Capability* expires =
      FindCapability(info.declared->message.server(), "account", "expires");
  return expires != nullptr && expires->support != "unsupported";
}

// Coarser is: whole days, UTC. The last full one counts, so that nobody is let in too long.
void Compiler::RoundEnd(AccountInfo* info) {
  constexpr base::Instant kDay = 86400;
  const std::string& server = info->server->message.name();
  const object::Capability* expires = FindCapability(server, "account", "expires");
  const base::Instant until = info->interval.until;
  if (expires == nullptr || expires->support != "coarser" || until == base::kForever) return;
  if (!ClosesAccount(*info)) return;
  info->interval.until = (until + 1) / kDay * kDay - 1;
  if (info->interval.until == until) return;
  desired_.diagnostics.Add(
      {.severity = diag::Severity::kWarning,
       .code = diag::code::kEndRounded,
       .summary = fmt::format("account \"{}\" ends at {} already", info->declared->message.name(),
                              base::FormatInstant(info->interval.until)),
       .span = info->declared->At(decl::Account::kExpiresFieldNumber),
       .label = fmt::format("server \"{}\" ({}) ends logins by whole days, UTC", server,
                            info->server->message.product()),
       .notes = {fmt::format("declared is {}", base::FormatInstant(until)),
                 "a date without a time is kept exactly; a key's own expires is, to the second"}});
}

void Compiler::EmitAccount(const AccountInfo& info, kinds::Account* account, kinds::SshKey* key) {
  const decl::Account& message = info.declared->message;
  const decl::Server& server = info.server->message;
  const std::string target = "host:" + server.host();
  const uint32_t source = !info.roles.empty()
                              ? info.roles.front()
                              : AddProvenance(OwnerOf(AddressOf(*info.declared), info.identity),
                                              info.declared->span, info.interval.until);
  if (info.interval.until != base::kForever) {
    desired_.provenance[source].closer = ClosesAccount(info) ? kClosedByServer : kClosedByNobody;
  }
  account->Clear();
  account->set_server(message.server());
  account->set_login(info.login);
  account->set_enabled(info.enabled);
  account->set_home(info.home);
  if (message.has_source()) {
    account->set_source(std::string(object::kFromDirectory));
  } else {
    SetNumbers(info, account);
  }
  if (message.has_comment()) account->set_comment(message.comment());
  if (message.has_password()) account->set_password(message.password());
  if (info.enabled && info.interval.until != base::kForever && ClosesAccount(info)) {
    account->set_expires(info.interval.until);
    desired_.login_ends.push_back(
        {source, info.identity, server.host(),
         fmt::format("the login {} at {}", info.login, message.server())});
  }
  Emit(target, *account, info.roles.empty() ? SourceList{source} : info.roles);
  NoteOffTime(target, {Kind::kAccount, object::EncodeKey(*account)}, info.interval, source,
              info.role);
  if (message.has_keys()) EmitKeys(info, source, key);
  if (message.has_principals()) EmitPrincipals(info, source, key);
  if (info.roles.empty()) CheckHome(info);  // a role's are checked where they are made
}

void Compiler::SetNumbers(const AccountInfo& info, kinds::Account* account) {
  const decl::Account& message = info.declared->message;
  const decl::Server& server = info.server->message;
  if (message.has_uid()) {
    account->set_uid(message.uid());
  } else if (server.has_uids()) {
    account->set_uid(UidFor(message.server(), info.login, false, info.declared->span));
  }
  if (server.has_uids()) account->set_gid(server.uids().gid());
}

void Compiler::CheckHome(const AccountInfo& info) {
  const std::string& host = info.server->message.host();
  const auto& roots = RootsOf(host);
  const bool inside = std::any_of(roots.begin(), roots.end(), [&](const std::string& root) {
    return access::IsWithin(info.home, root);
  });
  if (inside) return;
  desired_.diagnostics.Add(
      {.code = diag::code::kHomeOutside,
       .summary = fmt::format("the login folder of account \"{}\" lies outside the managed roots",
                              info.declared->message.name()),
       .span = info.declared->At(decl::Account::kHomeFieldNumber),
       .label = fmt::format("not below a root of host \"{}\"", host),
       .notes = {fmt::format("choose a folder below {}, or add its root to `manage` of host \"{}\"",
                             roots.empty() ? "a managed root" : roots.front(), host)}});
}

// Keeps the number that the ledger or the live account has; else the lowest never used.
uint32_t Compiler::UidFor(const std::string& server, const std::string& login, bool group,
                          const diag::Span& place) {
  const auto& known = group ? facts_.gids : facts_.uids;
  const bool another = !group && !other_person_.empty() && other_person_.contains({server, login});
  if (const auto there = known.find(server); there != known.end() && !another) {
    const auto at = there->second.find(login);
    if (at != there->second.end()) return at->second;
  }
  const decl::Server& declared = servers_.at(server)->message;
  const decl::Uids& range = declared.uids();
  std::set<uint32_t>& taken = TakenIds(declared.host());
  // The highest ever given plus one: linear, and a hole is an id that somebody once had.
  uint32_t id = range.from();
  const auto above = taken.upper_bound(range.to());
  if (above != taken.begin()) {
    const uint32_t highest = *std::prev(above);
    if (highest >= range.from()) id = highest + 1;
  }
  // The top is taken: then a hole, which nobody had in this ledger's time either.
  if (id > range.to()) id = range.from();
  while (id <= range.to() && taken.contains(id)) ++id;
  if (id > range.to()) {
    desired_.diagnostics.Add(
        {.code = diag::code::kUidsExhausted,
         .summary = fmt::format("no numeric id is left for \"{}\" at server \"{}\"", login, server),
         .span = place,
         .label = fmt::format("the range {}-{} is used up", range.from(), range.to()),
         .notes = {"ids are never given twice: widen `uids` of the server"}});
    return range.to();
  }
  taken.insert(id);
  desired_.new_uids.emplace_back(server, id);
  return id;
}

void Compiler::CompileFolders() {
  for (const auto& folder : declarations_.folders) {
    const decl::Folder& message = folder.message;
    if (!hosts_.contains(message.host())) continue;
    const std::string path = object::Normalise(object::Comparator::kPath, message.path());
    const auto& roots = RootsOf(message.host());
    const bool inside = std::any_of(roots.begin(), roots.end(), [&](const std::string& root) {
      return access::IsWithin(path, root);
    });
    if (!inside) {
      desired_.diagnostics.Add(
          {.code = diag::code::kOutsideScope,
           .summary = fmt::format("folder \"{}\" lies outside what Postern manages on host \"{}\"",
                                  message.name(), message.host()),
           .span = folder.At(decl::Folder::kPathFieldNumber),
           .label = roots.empty() ? "the host has no managed roots"
                                  : fmt::format("not below {}", fmt::join(roots, ", ")),
           .also = {{hosts_.at(message.host())->span, "the host is declared here"}},
           .notes = {"add the root to `manage = { roots = [...] }` in the operator's file"}});
      continue;
    }
    kinds::Folder object;
    object.set_host(message.host());
    object.set_path(path);
    if (message.has_owner()) object.set_owner(message.owner());
    if (message.has_group()) object.set_group(message.group());
    if (message.has_mode()) {
      object.set_mode(static_cast<uint32_t>(std::stoul(message.mode(), nullptr, 8)));
    }
    Emit("host:" + message.host(), object,
         {AddProvenance("folder:" + message.name(), folder.span, base::kForever)});
  }
}

}  // namespace postern::compile
