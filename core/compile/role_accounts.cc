// The accounts that roles give their members: login and home from templates.
//
// What facts say is hostile input: whoever can change his own name in an IAM system must not become
// another login, another folder or another person by it (design §3; IAM facts §3). What doesn't fit
// is refused and told, never mended.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/compile/compiler.h"
#include "core/config/values.h"
#include "core/diag/codes.h"
#include "core/diag/text.h"
#include "core/object/wire_fields.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {

namespace {

using object::Kind;

constexpr size_t kLongestValue = 255;  // NAME_MAX

// Names that systems and daemons have for themselves (Debian base-passwd, systemd, our servers).
constexpr std::string_view kReserved[] = {
    "_apt",   "adm",     "admin",    "administrator", "anonymous", "backup",     "bin",
    "daemon", "dialout", "ftp",      "games",         "gnats",     "halt",       "irc",
    "kmem",   "list",    "lp",       "mail",          "man",       "messagebus", "news",
    "nobody", "nogroup", "operator", "polkitd",       "postern",   "postmaster", "proftpd",
    "proxy",  "root",    "shadow",   "shutdown",      "sshd",      "sudo",       "sync",
    "sys",    "syslog",  "toor",     "tty",           "uucp",      "wheel",      "www-data"};

bool IsReserved(std::string_view login) {
  const std::string folded = FoldValue(login);
  return folded.starts_with("systemd-") ||
         std::find(std::begin(kReserved), std::end(kReserved), folded) != std::end(kReserved);
}

struct Placeholder {
  std::string_view name;
  Attribute attribute;
};
constexpr Placeholder kPlaceholders[] = {{"{userName}", Attribute::kUserName},
                                         {"{externalId}", Attribute::kExternalId},
                                         {"{employeeNumber}", Attribute::kEmployeeNumber},
                                         {"{department}", Attribute::kDepartment}};

// Why a value can't stand in a path or login; empty: it can.
std::string WhyNoPart(std::string_view value) {
  if (value.empty()) return "is empty";
  if (value.size() > kLongestValue) return "is longer than 255 bytes";
  if (value == "." || value == "..") return "is a way to another folder";
  if (value.find('/') != std::string_view::npos) return "has a slash";
  if (value.front() == ' ' || value.back() == ' ') return "has a blank at its end";
  if (diag::HasHidden(value)) return "has hidden characters";
  for (std::string_view rest = value; !rest.empty();) {
    if (diag::TakeCodePoint(&rest) < 0) return "isn't UTF-8";
  }
  if (value.find_first_of("*?[]{}\\\"'$`%~<>|&;") != std::string_view::npos) {
    return "has a character that servers read as a pattern or variable";
  }
  return "";
}

std::string Shown(std::string_view value) {
  return diag::Printable(value.substr(0, std::min<size_t>(value.size(), 64)));
}

// The template with the user's values; empty: `why` says what is wrong.
std::string Fill(std::string_view text, const FactUser* user, std::string* why) {
  std::string out(text);
  for (const Placeholder& place : kPlaceholders) {
    size_t at = out.find(place.name);
    if (at == std::string::npos) continue;
    const std::string_view name = place.name.substr(1, place.name.size() - 2);
    if (user == nullptr) {
      *why = fmt::format("no source that shows it says its {}", name);
      return "";
    }
    const std::string_view value = place.attribute == Attribute::kUserName
                                       ? user->name
                                       : user->text[static_cast<size_t>(place.attribute)];
    if (const std::string bad = WhyNoPart(value); !bad.empty()) {
      *why = value.empty() ? fmt::format("its {} is empty", name)
                           : fmt::format("its {} \"{}\" {}", name, Shown(value), bad);
      return "";
    }
    for (; at != std::string::npos; at = out.find(place.name, at + value.size())) {
      out.replace(at, place.name.size(), value);
    }
  }
  return out;
}

}  // namespace

// One login at one server, of one person, by one role or several.
struct RoleDraft {
  const RoleInfo* role = nullptr;  // the first that gives it
  const RoleMember* member = nullptr;
  const config::Declared<decl::Server>* server = nullptr;
  std::string login, home;
  SourceList sources;
  Interval interval;
  bool keys = false;
  bool refused = false;
};

class RoleAccounts {
 public:
  explicit RoleAccounts(Compiler* compiler) : c_(*compiler) {}
  void Go() {
    for (const RoleInfo& role : c_.roles_) {
      if (role.declared->message.has_account() && Sane(role)) DraftRole(role);
    }
    for (size_t i = 0; i < drafts_.size(); ++i) Emit(&drafts_[i]);
    for (const AccountInfo* info : emitted_) c_.EmitAccount(*info, &account_, &key_);
  }

 private:
  // The folder of the template up to its first placeholder must be ours: else nobody's is.
  bool Sane(const RoleInfo& role) {
    const std::string& home = role.declared->message.account().home();
    const std::string fixed = home.substr(0, home.find('{'));
    for (const std::string& name : role.declared->message.account().servers().values()) {
      const auto server = c_.servers_.find(name);
      if (server == c_.servers_.end()) continue;
      const auto& roots = c_.RootsOf(server->second->message.host());
      const bool inside = std::any_of(roots.begin(), roots.end(), [&](const std::string& root) {
        return access::IsWithin(fixed.substr(0, fixed.find_last_not_of('/') + 1), root);
      });
      if (inside) continue;
      c_.desired_.diagnostics.Add(
          {.code = diag::code::kHomeOutside,
           .summary = fmt::format("the login folders of role \"{}\" lie outside the managed roots",
                                  role.declared->message.name()),
           .span = role.declared->At(decl::Role::kAccountFieldNumber),
           .label = fmt::format("\"{}\" is not below a root of host \"{}\"", home,
                                server->second->message.host()),
           .notes = {"begin `home` with a managed root"}});
      return false;
    }
    return true;
  }

  void DraftRole(const RoleInfo& role) {
    for (size_t i = 0; i < role.members.size(); ++i) {
      for (const std::string& server : role.declared->message.account().servers().values()) {
        const auto declared = c_.servers_.find(server);
        if (declared != c_.servers_.end()) DraftOne(role, i, *declared->second);
      }
    }
  }

  void DraftOne(const RoleInfo& role, size_t index, const config::Declared<decl::Server>& server) {
    const RoleMember& member = role.members[index];
    RoleDraft draft;
    draft.role = &role;
    draft.member = &member;
    draft.server = &server;
    draft.sources = {role.sources[index]};
    draft.interval = role.interval;
    draft.keys = role.declared->message.account().has_keys_from();
    std::string why;
    if (!member.held.empty()) {
      if (!AsRecorded(role, &draft)) return;
    } else if (!FromFacts(role.declared->message.account(), &draft, &why)) {
      return Refuse(draft, why);
    }
    const std::string place =
        server.message.name() + object::kKeySeparator + FoldValue(draft.login);
    const auto [at, fresh] = by_login_.try_emplace(place, drafts_.size());
    if (!fresh) return Meet(&drafts_[at->second], draft);
    drafts_.push_back(std::move(draft));
  }

  // The same login once more: of the same person it is one account, of another nobody's.
  void Meet(RoleDraft* there, const RoleDraft& draft) {
    const std::string& role = draft.role->declared->message.name();
    const std::string& first = there->role->declared->message.name();
    if (there->member->identity == draft.member->identity) {
      if (there->home != draft.home) {
        c_.desired_.fact_errors.Add(
            {.code = diag::code::kSameLoginTwice,
             .summary = fmt::format("roles \"{}\" and \"{}\" give {} at {} two login folders",
                                    first, role, draft.login, draft.server->message.name()),
             .span = draft.role->declared->At(decl::Role::kAccountFieldNumber),
             .label = draft.home,
             .also = {{there->role->declared->At(decl::Role::kAccountFieldNumber), there->home}},
             .notes = {"the account keeps the first; give both roles one `home`"}});
      }
      for (const uint32_t source : draft.sources) there->sources.push_back(source);
      there->interval.from = std::min(there->interval.from, draft.interval.from);
      there->interval.until = std::max(there->interval.until, draft.interval.until);
      there->keys = there->keys || draft.keys;
      return;
    }
    const std::string why =
        fmt::format("{} and {} would both be {} at {}", there->member->identity,
                    draft.member->identity, draft.login, draft.server->message.name());
    c_.desired_.fact_errors.Add(
        {.code = diag::code::kSameLoginTwice,
         .summary =
             fmt::format("{} and {} have one login, {}, at {}", Shown(there->member->identity),
                         Shown(draft.member->identity), draft.login, draft.server->message.name()),
         .span = draft.role->declared->At(decl::Role::kAccountFieldNumber),
         .label = fmt::format("role \"{}\" for {}", role, LabelOf(draft.member->identity)),
         .also = {{there->role->declared->span,
                   fmt::format("role \"{}\" for {}", first, LabelOf(there->member->identity))}},
         .notes = {"neither gets it; who has it already keeps it as recorded",
                   "take another attribute for `login`, or change one of them at its source"}});
    Refuse(draft, why);
    if (there->refused) return;
    there->refused = true;
    Refuse(*there, why);
  }

  bool FromFacts(const decl::RoleAccount& account, RoleDraft* draft, std::string* why) const {
    const RoleMember& member = *draft->member;
    const FactUser* user = member.face ? &c_.people_->User(*member.face) : nullptr;
    draft->login = Fill(account.has_login() ? account.login() : "{userName}", user, why);
    if (!why->empty()) return false;
    if (config::CheckFormat(schema::LOGIN, draft->login)) {
      *why = fmt::format("\"{}\" is no login that servers take", Shown(draft->login));
      return false;
    }
    const bool number = draft->login.find_first_not_of("0123456789") == std::string::npos;
    if (IsReserved(draft->login) || number) {
      *why = fmt::format("the login {} is {}", draft->login,
                         number ? "a number, which servers take for an id" : "a system's own");
      return false;
    }
    draft->home = Fill(account.home(), user, why);
    if (!why->empty()) return false;
    if (config::CheckPath(draft->home)) {
      *why = fmt::format("\"{}\" is no plain path", Shown(draft->home));
      return false;
    }
    const auto& roots = c_.RootsOf(draft->server->message.host());
    if (std::none_of(roots.begin(), roots.end(), [&](const std::string& root) {
          return access::IsWithin(draft->home, root);
        })) {
      *why = fmt::format("{} lies outside the managed roots", Shown(draft->home));
      return false;
    }
    return Free(draft, why);
  }

  // Nobody else has the login: no declared account, no account by other hands, no break-glass one.
  bool Free(RoleDraft* draft, std::string* why) const {
    const std::string& server = draft->server->message.name();
    const auto& glass = c_.declarations_.operator_file.message.break_glass().values();
    if (std::find(glass.begin(), glass.end(), "account:" + server + "/" + draft->login) !=
        glass.end()) {
      *why = fmt::format("{} at {} is a break-glass account", draft->login, server);
      return false;
    }
    const auto declared = c_.desired_.identities.find(server);
    if (declared != c_.desired_.identities.end() && declared->second.contains(draft->login)) {
      *why = fmt::format("{} at {} is declared by itself", draft->login, server);
      ReportDeclared(*draft);
      return false;
    }
    const std::string key = object::MakeKey(Kind::kAccount, {server, draft->login});
    const std::string target = "host:" + draft->server->message.host();
    const ledger::Recorded* recorded = c_.FindRecorded(target, Kind::kAccount, key);
    const auto live = c_.facts_.live.find(target);
    const bool there =
        live != c_.facts_.live.end() && live->second->Find(Kind::kAccount, key) != nullptr;
    if (there && (recorded == nullptr || recorded->owner.empty())) {
      *why = fmt::format("{} is at {} already, by other hands", draft->login, server);
      return false;
    }
    return true;
  }

  void ReportDeclared(const RoleDraft& draft) const {
    for (const AccountInfo& account : c_.accounts_) {
      if (account.login != draft.login || account.server != draft.server) continue;
      c_.desired_.fact_errors.Add(
          {.code = diag::code::kLoginDeclared,
           .summary =
               fmt::format("{} in role \"{}\" would be {} at {}, which is declared",
                           Shown(draft.member->identity), draft.role->declared->message.name(),
                           draft.login, draft.server->message.name()),
           .span = draft.role->declared->At(decl::Role::kAccountFieldNumber),
           .label = fmt::format("the role's login for {}", LabelOf(draft.member->identity)),
           .also = {{account.declared->span, "declared here"}},
           .notes = {"the declaration stands; the role gives nothing to this member there"}});
      return;
    }
  }

  // The account as the ledger has it.
  bool AsRecorded(const RoleInfo& role, RoleDraft* draft) {
    if (recorded_.empty()) IndexRecorded();
    const auto [first, last] =
        recorded_.equal_range({draft->server->message.name(), draft->member->identity});
    for (auto at = first; at != last; ++at) {
      const auto roles = RolesInOwner(at->second->owner);
      if (std::find(roles.begin(), roles.end(), role.declared->message.name()) == roles.end()) {
        continue;
      }
      const auto account = object::DecodeAs<kinds::Account>(at->second->body);
      draft->login = object::SplitKey(at->second->key)[1];
      draft->home = account.home();
      return true;
    }
    return false;
  }

  void IndexRecorded() {
    recorded_.emplace(std::pair<std::string, std::string>(), nullptr);  // done
    if (c_.facts_.recorded == nullptr) return;
    for (const auto& [target, rows] : *c_.facts_.recorded) {
      for (const ledger::Recorded& row : rows) {
        if (row.kind != Kind::kAccount || row.retired_at != 0) continue;
        if (!row.owner.starts_with("role:")) continue;
        recorded_.emplace(std::pair(std::string(object::SplitKey(row.key)[0]),
                                    std::string(IdentityInOwner(row.owner))),
                          &row);
      }
    }
  }

  // What is refused of somebody who has it already stays as it is recorded.
  void Refuse(const RoleDraft& draft, const std::string& why) {
    c_.desired_.role_notes.push_back({draft.role->declared->message.name(), draft.member->identity,
                                      why, draft.role->declared->span, false});
  }

  void Emit(RoleDraft* draft) {
    if (draft->refused) return KeepRecorded(draft);
    Put(*draft);
  }

  // Of two who would have one login: who has it by the ledger.
  void KeepRecorded(RoleDraft* draft) {
    const std::string& server = draft->server->message.name();
    const std::string target = "host:" + draft->server->message.host();
    const std::string key = object::MakeKey(Kind::kAccount, {server, draft->login});
    const ledger::Recorded* row = c_.FindRecorded(target, Kind::kAccount, key);
    if (row == nullptr || row->retired_at != 0 || RolesInOwner(row->owner).empty()) return;
    const std::string identity(IdentityInOwner(row->owner));
    for (const RoleInfo& role : c_.roles_) {
      for (size_t i = 0; i < role.members.size(); ++i) {
        if (role.members[i].identity != identity) continue;
        RoleDraft kept = *draft;
        kept.role = &role;
        kept.member = &role.members[i];
        kept.interval = role.interval;
        Provenance held = c_.desired_.provenance[role.sources[i]];
        c_.desired_.by_facts.push_back({"", "two people would have this login", {}});
        held.by_fact = static_cast<uint32_t>(c_.desired_.by_facts.size());
        c_.desired_.provenance.push_back(std::move(held));
        kept.sources = {static_cast<uint32_t>(c_.desired_.provenance.size() - 1)};
        if (AsRecorded(role, &kept)) Put(kept);
        return;
      }
    }
  }

  void Put(const RoleDraft& draft) {
    const std::string& server = draft.server->message.name();
    auto& declared = c_.role_accounts_.emplace_back();
    declared.span = draft.role->declared->At(decl::Role::kAccountFieldNumber);
    declared.message.set_name(draft.login);
    declared.message.set_for_(draft.member->identity);
    declared.message.set_server(server);
    declared.message.set_home(draft.home);
    if (draft.keys) TakeKeys(draft, &declared.message);
    AccountInfo info;
    info.declared = &declared;
    info.server = draft.server;
    info.login = draft.login;
    info.identity = draft.member->identity;
    info.home = object::Normalise(object::Comparator::kPath, draft.home);
    info.interval = draft.interval;
    info.roles = draft.sources;
    c_.RoundEnd(&info);
    info.enabled = info.interval.Holds(c_.facts_.now);
    NoteInherited(draft);
    c_.desired_.identities[server][info.login] = info.identity;
    c_.accounts_.push_back(std::move(info));
    AccountInfo& kept = c_.accounts_.back();
    c_.accounts_of_[kept.identity].push_back(static_cast<uint32_t>(c_.accounts_.size() - 1));
    emitted_.push_back(&kept);
  }

  // The keys that the IAM system has of the user; those of a held one as they are recorded.
  void TakeKeys(const RoleDraft& draft, decl::Account* account) {
    account->mutable_keys();
    if (!c_.desired_.by_facts.empty()) {
      const ByFact* facts = c_.desired_.FactsBehind(c_.desired_.provenance[draft.sources.front()]);
      if (facts != nullptr && !facts->held.empty()) return KeepKeys(draft, account);
    }
    if (!draft.member->face || !c_.people_->SourceOf(*draft.member->face).is_iam()) {
      return Refuse(draft, "no IAM system has keys of it");
    }
    for (std::string_view line : object::Elements(c_.people_->User(*draft.member->face).ssh_keys)) {
      std::string why;
      if (diag::HasHidden(line) || !config::IsSshKey(line, &why)) {
        if (why.empty()) why = "it has hidden characters";
        Refuse(draft, fmt::format("a key of it is none: {}", why));
        continue;
      }
      account->mutable_keys()->add_values()->set_key(std::string(line));
    }
  }

  void KeepKeys(const RoleDraft& draft, decl::Account* account) {
    const auto rows = c_.facts_.recorded->find("host:" + draft.server->message.host());
    if (rows == c_.facts_.recorded->end()) return;
    const std::string prefix =
        object::MakeKey(Kind::kAccount, {draft.server->message.name(), draft.login}) +
        object::kKeySeparator;
    auto at = std::lower_bound(rows->second.begin(), rows->second.end(),
                               std::pair(Kind::kSshKey, std::string_view(prefix)),
                               [](const ledger::Recorded& row, const auto& wanted) {
                                 return std::pair(row.kind, std::string_view(row.key)) < wanted;
                               });
    for (; at != rows->second.end() && at->kind == Kind::kSshKey && at->key.starts_with(prefix);
         ++at) {
      const auto key = object::DecodeAs<kinds::SshKey>(at->body);
      account->mutable_keys()->add_values()->set_key(key.public_key());
    }
  }

  // A login that the ledger knows as somebody else's: its account is another one.
  void NoteInherited(const RoleDraft& draft) {
    const std::string& server = draft.server->message.name();
    const std::string target = "host:" + draft.server->message.host();
    const std::string key = object::MakeKey(Kind::kAccount, {server, draft.login});
    const ledger::Recorded* row = c_.FindRecorded(target, Kind::kAccount, key);
    if (row == nullptr) return;
    std::string_view had = IdentityInOwner(row->owner);
    if (had.empty()) had = row->owner;
    if (had == draft.member->identity || SamePerson(had, *draft.member)) return;
    c_.desired_.inherited[{target, key}] = had;
    c_.other_person_.insert({server, draft.login});
  }

  // Under another name, or declared only now: the source's own id tells.
  bool SamePerson(std::string_view identity, const RoleMember& member) const {
    const FactIdentityParts had = SplitFactIdentity(identity);
    if (had.target.empty()) return false;
    const FactIdentityParts has = SplitFactIdentity(member.identity);
    if (!has.target.empty()) return had.target == has.target && had.id == has.id;
    if (!member.face) return false;
    const FactUser& user = c_.people_->User(*member.face);
    const std::string now =
        FactIdentity(c_.people_->SourceOf(*member.face).target, user.name, user.id);
    const FactIdentityParts face = SplitFactIdentity(now);
    return had.target == face.target && had.id == face.id;
  }

  Compiler& c_;
  std::vector<RoleDraft> drafts_;
  std::unordered_map<std::string, size_t> by_login_;
  std::multimap<std::pair<std::string, std::string>, const ledger::Recorded*> recorded_;
  std::vector<const AccountInfo*> emitted_;
  kinds::Account account_;  // both used again for each
  kinds::SshKey key_;
};

const ledger::Recorded* Compiler::FindRecorded(const std::string& target, object::Kind kind,
                                               std::string_view key) const {
  if (facts_.recorded == nullptr) return nullptr;
  const auto rows = facts_.recorded->find(target);
  if (rows == facts_.recorded->end()) return nullptr;
  const auto at = std::lower_bound(rows->second.begin(), rows->second.end(), std::pair(kind, key),
                                   [](const ledger::Recorded& row, const auto& wanted) {
                                     return std::pair(row.kind, std::string_view(row.key)) < wanted;
                                   });
  return at != rows->second.end() && at->kind == kind && at->key == key ? &*at : nullptr;
}

void Compiler::CompileRoleAccounts() {
  RoleAccounts(this).Go();
}

}  // namespace postern::compile
