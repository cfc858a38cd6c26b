// The accounts that roles give their members: who has which login where.
#include <fmt/format.h>

#include <algorithm>

#include "core/compile/compiler.h"
#include "core/compile/known_accounts.h"
#include "core/compile/role_values.h"
#include "core/config/values.h"
#include "core/diag/codes.h"
#include "core/diag/text.h"
#include "core/object/wire_fields.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {

using object::Kind;

// One login at one server, of one person, by one role or several.
struct RoleDraft {
  const RoleInfo* role = nullptr;  // the first that gives it
  const RoleMember* member = nullptr;
  const config::Declared<decl::Server>* server = nullptr;
  std::string login, home;
  KnownAccounts::Account known;  // the account of this login
  SourceList sources;
  Interval interval;
  bool keys = false;
  bool refused = false;
};

class RoleAccounts {
 public:
  explicit RoleAccounts(Compiler* compiler)
      : c_(*compiler),
        known_(compiler->facts_),
        glass_(compiler->declarations_.operator_file.message.break_glass().values()) {}
  void Go() {
    size_t members = 0;
    for (const RoleInfo& role : c_.roles_) members += role.members.size();
    drafts_.reserve(members);
    by_login_.reserve(members);
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
      if (!Keep(role, &draft)) return;
    } else if (!FromFacts(role.declared->message.account(), &draft, &why)) {
      // What is refused of somebody who has it already stays as it is recorded.
      const bool kept = Keep(role, &draft);
      Note(draft, why, kept);
      if (!kept) return;
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
    if (there->member->IsSame(*draft.member)) {
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
    if (there->member->held.empty() != draft.member->held.empty() && !there->refused) {
      return KeepHeld(there, draft);
    }
    const std::string why =
        fmt::format("{} and {} would both be {} at {}", there->member->identity,
                    draft.member->identity, draft.login, draft.server->message.name());
    c_.desired_.fact_errors.Add(
        {.code = diag::code::kSameLoginTwice,
         .summary = fmt::format(
             "{} and {} have one login, {}, at {}", ShownValue(there->member->identity),
             ShownValue(draft.member->identity), draft.login, draft.server->message.name()),
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

  // One of them is known by the ledger alone now. It keeps the login, whoever the other is.
  void KeepHeld(RoleDraft* there, RoleDraft draft) {
    if (there->member->held.empty()) std::swap(*there, draft);
    Refuse(draft, fmt::format("{} is {} at {} as recorded: {}", LabelOf(there->member->identity),
                              draft.login, draft.server->message.name(), there->member->held));
  }

  bool FromFacts(const decl::RoleAccount& account, RoleDraft* draft, std::string* why) const {
    const RoleMember& member = *draft->member;
    const FactUser* user = member.face ? &c_.people_->User(*member.face) : nullptr;
    draft->login = FillTemplate(account.has_login() ? account.login() : "{userName}", user, why);
    if (why->empty()) *why = WhyNoLogin(draft->login);
    if (!why->empty()) return false;
    draft->home = FillTemplate(account.home(), user, why);
    if (why->empty()) *why = WhyNoHome(draft->home);
    if (!why->empty()) return false;
    if (!Inside(*draft)) {
      *why = fmt::format("{} lies outside the managed roots", ShownValue(draft->home));
      return false;
    }
    return Free(draft, why);
  }

  bool Inside(const RoleDraft& draft) const {
    const auto& roots = c_.RootsOf(draft.server->message.host());
    return std::any_of(roots.begin(), roots.end(),
                       [&](const std::string& root) { return access::IsWithin(draft.home, root); });
  }

  static std::string TargetOf(const RoleDraft& draft) {
    return "host:" + draft.server->message.host();
  }
  static std::string KeyOf(const RoleDraft& draft) {
    return object::MakeKey(Kind::kAccount, {draft.server->message.name(), draft.login});
  }
  void Look(RoleDraft* draft) const { draft->known = known_.Find(TargetOf(*draft), KeyOf(*draft)); }

  // Nobody else has the login: no declared account, no account by other hands, no break-glass one.
  bool Free(RoleDraft* draft, std::string* why) const {
    const std::string& server = draft->server->message.name();
    if (IsBreakGlass(*draft)) {
      *why = fmt::format("{} at {} is a break-glass account", draft->login, server);
      return false;
    }
    if (IsDeclared(*draft)) {
      *why = fmt::format("{} at {} is declared by itself", draft->login, server);
      ReportDeclared(*draft);
      return false;
    }
    Look(draft);
    const ledger::Recorded* recorded = draft->known.recorded;
    const bool ours = (recorded != nullptr && !recorded->owner.empty()) || IsBegun(*draft);
    if (draft->known.live && !ours) {
      *why = fmt::format("{} is at {} already, by other hands", draft->login, server);
      return false;
    }
    return true;
  }

  bool IsBreakGlass(const RoleDraft& draft) const {
    return !glass_.empty() &&
           std::find(glass_.begin(), glass_.end(),
                     "account:" + draft.server->message.name() + "/" + draft.login) != glass_.end();
  }

  bool IsDeclared(const RoleDraft& draft) const {
    const auto declared = c_.desired_.identities.find(draft.server->message.name());
    return declared != c_.desired_.identities.end() && declared->second.contains(draft.login);
  }

  // A killed apply was making it.
  bool IsBegun(const RoleDraft& draft) const {
    return c_.facts_.begun.contains({TargetOf(draft), KeyOf(draft)});
  }

  void ReportDeclared(const RoleDraft& draft) const {
    for (const AccountInfo& account : c_.accounts_) {
      if (account.login != draft.login || account.server != draft.server) continue;
      c_.desired_.fact_errors.Add(
          {.code = diag::code::kLoginDeclared,
           .summary = fmt::format("{} in role \"{}\" would be {} at {}, which is declared",
                                  ShownValue(LabelOf(draft.member->identity)),
                                  draft.role->declared->message.name(), draft.login,
                                  draft.server->message.name()),
           .span = draft.role->declared->At(decl::Role::kAccountFieldNumber),
           .label = fmt::format("the role's login for {}", LabelOf(draft.member->identity)),
           .also = {{account.declared->span, "declared here"}},
           .notes = {"the declaration stands; the role gives nothing to this member there"}});
      return;
    }
  }

  // The account as the ledger has it, as far as declarations leave it to roles.
  bool Keep(const RoleInfo& role, RoleDraft* draft) {
    return AsRecorded(role, draft) && Inside(*draft) && !IsBreakGlass(*draft) &&
           !IsDeclared(*draft);
  }

  bool AsRecorded(const RoleInfo& role, RoleDraft* draft) {
    const ledger::Recorded* given =
        known_.Given(draft->server->message.name(), std::string(draft->member->known()),
                     role.declared->message.name());
    if (given == nullptr) return false;
    draft->login = object::SplitKey(given->key)[1];
    draft->home = object::DecodeAs<kinds::Account>(given->body).home();
    Look(draft);
    return true;
  }

  void Refuse(const RoleDraft& draft, const std::string& why) { Note(draft, why, false); }
  void Note(const RoleDraft& draft, const std::string& why, bool kept) {
    c_.desired_.role_notes.push_back({draft.role->declared->message.name(), draft.member->identity,
                                      why, draft.role->declared->span, kept});
  }

  void Emit(RoleDraft* draft) {
    if (draft->refused) return KeepRecorded(draft);
    Put(*draft);
  }

  // Of two who would have one login: who has it by the ledger.
  void KeepRecorded(RoleDraft* draft) {
    const ledger::Recorded* row = draft->known.recorded;
    if (row == nullptr || row->retired_at != 0 || RolesInOwner(row->owner).empty()) return;
    const std::string identity(IdentityInOwner(row->owner));
    for (const RoleInfo& role : c_.roles_) {
      for (size_t i = 0; i < role.members.size(); ++i) {
        if (role.members[i].known() != identity) continue;
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
    info.role = draft.role;
    c_.RoundEnd(&info);
    info.enabled = info.interval.Holds(c_.facts_.now);
    NoteInherited(draft);
    c_.desired_.identities[server][info.login] = info.identity;
    c_.accounts_.push_back(std::move(info));
    AccountInfo& kept = c_.accounts_.back();
    const auto position = static_cast<uint32_t>(c_.accounts_.size() - 1);
    c_.accounts_of_[kept.identity].push_back(position);
    const std::string_view known = draft.member->known();
    if (known != kept.identity) c_.accounts_of_[known].push_back(position);
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
    const FactUser& user = c_.people_->User(*draft.member->face);
    if (!user.keys_known) {
      Note(draft,
           fmt::format("its keys couldn't be read in {}",
                       c_.people_->SourceOf(*draft.member->face).name()),
           draft.known.recorded != nullptr);
      return KeepKeys(draft, account);
    }
    for (std::string_view line : object::Elements(user.ssh_keys)) {
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
    if (HadBy(draft)) return;  // another's keys
    for (const ledger::Recorded* row : known_.KeysOf(TargetOf(draft), KeyOf(draft))) {
      const auto key = object::DecodeAs<kinds::SshKey>(row->body);
      account->mutable_keys()->add_values()->set_key(key.public_key());
    }
  }

  // Somebody else whose login it is by the ledger.
  std::optional<std::string_view> HadBy(const RoleDraft& draft) const {
    const ledger::Recorded* row = draft.known.recorded;
    if (row == nullptr) return std::nullopt;
    std::string_view had = IdentityInOwner(row->owner);
    if (had.empty()) had = row->owner;
    if (draft.member->Was(had, *c_.people_)) return std::nullopt;
    return had;
  }

  // Its account is another one then.
  void NoteInherited(const RoleDraft& draft) {
    const auto had = HadBy(draft);
    if (!had) return;
    c_.desired_.inherited[{TargetOf(draft), KeyOf(draft)}] = *had;
    c_.other_person_.insert({draft.server->message.name(), draft.login});
  }

  Compiler& c_;
  KnownAccounts known_;
  const google::protobuf::RepeatedPtrField<std::string>& glass_;
  std::vector<RoleDraft> drafts_;
  std::unordered_map<std::string, size_t> by_login_;
  std::vector<const AccountInfo*> emitted_;
  kinds::Account account_;  // both used again for each
  kinds::SshKey key_;
};

void Compiler::CompileRoleAccounts() {
  RoleAccounts(this).Go();
}

}  // namespace postern::compile
