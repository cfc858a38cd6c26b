// The accounts that roles give their members: who has which login where.
#include <fmt/format.h>

#include <algorithm>

#include "core/compile/compiler.h"
#include "core/compile/known_accounts.h"
#include "core/compile/role_drafts.h"
#include "core/compile/role_values.h"
#include "core/config/values.h"
#include "core/diag/codes.h"
#include "core/diag/text.h"
#include "core/object/wire_fields.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {

using object::Kind;

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
    draft.interval = role.times[index];
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
    const RoleDraft* other = AtOnce(*there, draft, c_.facts_.now);
    if (there->member->IsSame(*draft.member)) {
      if (other != nullptr && other->home != draft.home) {
        c_.desired_.fact_errors.Add(TwoHomes(*other, draft));
      }
      there->others.push_back(draft);
      return;
    }
    if (other == nullptr) {  // one after the other
      if (draft.interval.Holds(c_.facts_.now)) *there = draft;
      return;
    }
    if (there->member->held.empty() != draft.member->held.empty() && !there->refused) {
      return KeepHeld(there, draft);
    }
    const std::string why =
        fmt::format("{} and {} would both be {} at {}", there->member->identity,
                    draft.member->identity, draft.login, draft.server->message.name());
    c_.desired_.fact_errors.Add(TwoPeople(*there, draft));
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
    if (draft.interval.until < c_.facts_.now) return;  // the role is over
    for (const AccountInfo& account : c_.accounts_) {
      if (account.login != draft.login || account.server != draft.server) continue;
      c_.desired_.fact_errors.Add(LoginDeclared(draft, account.declared->span));
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
        kept.others.clear();
        kept.role = &role;
        kept.member = &role.members[i];
        kept.interval = role.times[i];
        kept.keys = role.declared->message.account().has_keys_from();
        Provenance held = c_.desired_.provenance[role.sources[i]];
        c_.desired_.by_facts.push_back({"", "two people would have this login", {}, {}});
        held.by_fact = static_cast<uint32_t>(c_.desired_.by_facts.size());
        c_.desired_.provenance.push_back(std::move(held));
        kept.sources = {static_cast<uint32_t>(c_.desired_.provenance.size() - 1)};
        if (AsRecorded(role, &kept)) Put(kept);
        return;
      }
    }
  }

  // By the roles that hold now; where none does, by those that ended last, or come first.
  void Put(const RoleDraft& draft) {
    const std::string& server = draft.server->message.name();
    AccountInfo info;
    const std::vector<const RoleDraft*> parts = InForce(draft, c_.facts_.now, &info);
    const RoleDraft& first = *parts.front();
    auto& declared = c_.role_accounts_.emplace_back();
    declared.span = first.role->declared->At(decl::Role::kAccountFieldNumber);
    declared.message.set_name(first.login);
    declared.message.set_for_(first.member->identity);
    declared.message.set_server(server);
    declared.message.set_home(first.home);
    const auto with_keys =
        std::find_if(parts.begin(), parts.end(), [](const RoleDraft* part) { return part->keys; });
    if (with_keys != parts.end()) TakeKeys(**with_keys, &declared.message);
    info.declared = &declared;
    info.server = first.server;
    info.login = first.login;
    info.identity = first.member->identity;
    info.home = object::Normalise(object::Comparator::kPath, first.home);
    info.role = first.role;
    c_.RoundEnd(&info);
    TakeSources(parts, &info);
    info.enabled = info.interval.Holds(c_.facts_.now);
    NoteInherited(draft);
    c_.desired_.identities[server][info.login] = info.identity;
    c_.accounts_.push_back(std::move(info));
    emitted_.push_back(&c_.accounts_.back());
    NoteNames(draft);
  }

  // Why the account stands, and the role that begins or ends it.
  void TakeSources(const std::vector<const RoleDraft*>& parts, AccountInfo* info) {
    const base::Instant until = info->interval.until;
    const bool over = c_.facts_.now > until;
    for (const RoleDraft* part : parts) {
      const uint32_t source = part->sources.front();
      const bool own = until != base::kForever ||  // who closes it is told beside
                       c_.desired_.provenance[source].until != until;
      info->roles.push_back(own ? c_.WithEnd(source, until) : source);
      const bool bound =
          over ? part->interval.until == until : part->interval.from == info->interval.from;
      if (bound) info->role = part->role;
    }
  }

  // Roles ask for it by each name that its person has in one of them.
  void NoteNames(const RoleDraft& draft) {
    const auto position = static_cast<uint32_t>(c_.accounts_.size() - 1);
    const auto note = [&](std::string_view name) {
      auto& accounts = c_.accounts_of_[name];
      if (accounts.empty() || accounts.back() != position) accounts.push_back(position);
    };
    note(c_.accounts_.back().identity);
    note(draft.member->identity);
    note(draft.member->known());
    for (const RoleDraft& other : draft.others) {
      note(other.member->identity);
      note(other.member->known());
    }
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
