// Answers of one server; how it is read from the configuration is in read_server.cc.
#include "providers/filetransfer/proftpd/server_model.h"

#include <algorithm>

namespace postern::proftpd {
namespace {

using access::Right;
using Rest = ObjectPath::Rest;

// Rights whose object's name is the client's choice, or changed by it.
bool ByName(Right right) {
  return right != Right::kList && right != Right::kRead;
}

Cell ChildOf(const Cell& cell) {
  return {cell.path, cell.rest == Rest::kNone ? Rest::kEntry : Rest::kDeeper};
}

std::optional<bool> Nearest(const std::vector<const RuleSection*>& chain,
                            std::optional<bool> RuleSection::*value, size_t depth) {
  for (size_t i = 0; i < depth; ++i) {
    if ((chain[i]->*value).has_value()) return chain[i]->*value;
  }
  return std::nullopt;
}

}  // namespace

// Source: 1.3.8, observed: mod_sftp knows an account by its key before it looks at aliases.
bool ServerModel::HasAliases() const {
  return !sftp_ || !context_.rules.sftp_has_no_aliases;
}

// Source: 1.3.8, observed: blocks take AuthAliasOnly over. Then a login must be the name of an
// alias, and nevertheless acts as the account of that very name.
bool ServerModel::AliasesLostToBlocks() const {
  return alias_only_ && !blocks_.empty() && HasAliases() && context_.rules.alias_only &&
         context_.rules.alias_only_breaks_on_blocks;
}

bool ServerModel::AccountOf(std::string_view login, uint32_t* account) const {
  if (HasAliases() && !AliasesLostToBlocks()) {
    for (const std::string_view name : {login, std::string_view("*")}) {
      const auto alias = aliases_.find(name);
      if (alias == aliases_.end()) continue;
      *account = alias->second;
      return true;
    }
  }
  const auto found = context_.names->accounts.find(login);
  if (found == context_.names->accounts.end() || !RealNames().Has(found->second)) return false;
  *account = found->second;
  return true;
}

AccountSet ServerModel::RealNames() const {
  if (!HasAliases() || !alias_only_ || !context_.rules.alias_only) return AccountSet::All();
  AccountSet in;
  if (!AliasesLostToBlocks()) return in;
  if (aliases_.contains("*")) return AccountSet::All();
  for (const auto& [name, account] : aliases_) {
    const auto same = context_.names->accounts.find(name);
    if (same != context_.names->accounts.end()) in |= AccountSet::Of({same->second});
  }
  return in;
}

Answer ServerModel::Ask(const Cell& cell, Right right) const {
  if (unknown_ != 0) return Answer::Unknown(unknown_);
  for (const auto& [folder, reason] : ftpaccess_) {
    if (access::IsWithin(cell.path, folder)) return Answer::Unknown(reason);
  }
  Answer all;
  for (const Session& session : sessions_) {
    all = all | (AskSession(session, cell, right) & session.login).Only(session.who);
  }
  if (roots_unknown_ != 0 && context_.rules.root_confines) {
    all = (all & Answer{{}, rooted_, roots_unknown_}) | all.Only(~rooted_);
  }
  return all.Only(Confined(cell.path));
}

Answer ServerModel::AskAll(const Cell& cell, Right right) const {
  Answer all = Ask(cell, right).Only(RealNames());
  for (const auto& [alias, session] : alias_sessions_) {
    const AccountSet who = AccountSet::Of({aliases_.at(alias)});
    all = all | AskLogin(alias, cell, right).Only(who);
  }
  return all;
}

ReasonId ServerModel::unknown() const {
  if (unknown_ != 0 || sessions_.empty()) return unknown_;
  return sessions_.front().base.back()->unknown.all;
}

Answer ServerModel::AskLogin(std::string_view login, const Cell& cell, Right right) const {
  const auto found = alias_sessions_.find(login);
  const bool alias = found != alias_sessions_.end() && HasAliases() && !AliasesLostToBlocks();
  if (!alias || unknown_ != 0) return Ask(cell, right);
  const Session& session = sessions_[found->second];
  const bool inside = !context_.rules.root_confines || access::IsWithin(cell.path, session.root);
  return inside ? AskSession(session, cell, right) & session.login : Answer::Nobody();
}

// The accounts that reach the path from where they are confined.
AccountSet ServerModel::Confined(const std::string& path) const {
  if (roots_.empty() || !context_.rules.root_confines) return AccountSet::All();
  AccountSet who = ~rooted_;
  for (std::string_view up = path; !up.empty(); up = access::ParentOf(up)) {
    const auto found = roots_.find(std::string(up));
    if (found != roots_.end()) who |= found->second;
  }
  return who;
}

void ServerModel::AddViews(std::map<std::string, AccountSet>* views) const {
  if (!context_.rules.root_confines) {
    (*views)["/"] = AccountSet::All();
    return;
  }
  (*views)["/"] |= ~rooted_;
  for (const auto& [root, who] : roots_) (*views)[root] |= who;
}

Answer ServerModel::AskSession(const Session& session, const Cell& cell, Right right) const {
  const std::vector<int32_t> objects = session.tree->Governing(cell);
  std::vector<int32_t> children = {kNoBlock};
  if (right == Right::kList) children = session.tree->Governing(ChildOf(cell));
  std::optional<Answer> only;
  for (const int32_t object : objects) {
    for (const int32_t child : children) {
      const bool lists = right == Right::kList;
      const Passing passing =
          PassFilters(ChainOf(session, lists ? child : object), lists ? ChildOf(cell) : cell, right,
                      !roots_.empty() || !session.root.empty(), session.filters, context_.rules);
      Answer answer = AskBlocks(session, object, child, right, passing);
      if (only.has_value() && !(*only == answer)) {
        // A pattern block decides it for some names only.
        const int32_t block = std::max(objects.back(), children.back());
        return Answer::Unknown(session.tree->block(block).section->unknown_pattern);
      }
      only = std::move(answer);
    }
  }
  return std::move(*only);
}

Answer ServerModel::AskBlocks(const Session& session, int32_t object, int32_t child, Right right,
                              const Passing& passing) const {
  const Key key(static_cast<size_t>(&session - sessions_.data()), object, child,
                static_cast<int>(right), static_cast<int>(passing.how), passing.reason);
  {
    const std::lock_guard<std::mutex> lock(*mutex_);
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
  }
  const Chain object_chain = ChainOf(session, object), child_chain = ChainOf(session, child);
  Answer answer;
  const Way way = sftp_ ? Way::kSftp : Way::kFtp;
  for (const Alternative& alternative : AlternativesOf(right, way, context_.rules)) {
    const bool filtered = AsksFilters(alternative, context_.rules);
    if (filtered && passing.how == Passing::How::kStopped) continue;
    Answer one = AskAlternative(session, alternative, object_chain, child_chain);
    if (filtered && passing.how == Passing::How::kUnknown) {
      one = one & Answer::Unknown(passing.reason);
    }
    answer = answer | one;
  }
  for (const RuleSection* section : right == Right::kList ? child_chain : object_chain) {
    ReasonId reason = ByName(right) ? section->unknown.names : 0;
    if (right == Right::kList) reason = section->unknown.listing;
    if (right == Right::kList && reason == 0 && sftp_) reason = section->unknown.sftp_listing;
    if (reason != 0) answer = answer & Answer::Unknown(reason);
  }
  const std::lock_guard<std::mutex> lock(*mutex_);
  known_.emplace(key, answer);
  return answer;
}

Answer ServerModel::AskAlternative(const Session& session, const Alternative& alternative,
                                   const Chain& object, const Chain& child) const {
  const RaiseRules& rules = context_.rules;
  const size_t depth = rules.overwrite_inherits ? object.size() : 1;
  if (alternative.needs == Switch::kOverwrite) {
    std::optional<bool> on = Nearest(object, &RuleSection::overwrite, depth);
    if (rules.session_overwrite_wins && session.overwrite.has_value()) on = session.overwrite;
    if (!on.value_or(false)) return Answer::Nobody();
  }
  if (alternative.needs == Switch::kStoreRestart) {
    std::optional<bool> on = Nearest(object, &RuleSection::store_restart, object.size());
    if (session.store_restart.has_value()) on = session.store_restart;
    if (!rules.restart_appends || !on.value_or(false)) return Answer::Nobody();
  }
  Answer answer = Answer::Everybody();
  for (const Check& check : alternative.checks) {
    const bool entry = check.on == Check::On::kChild;
    if (entry && !rules.entries_hide) continue;
    answer = answer & AskChain(entry ? child : object, check, rules);
  }
  return answer;
}

void ServerModel::KeepFilters() {
  for (Session& session : sessions_) {
    std::set<PathFilters> all = {PathFiltersOf(session.base, context_.rules)};
    for (size_t i = 0; i < session.tree->size(); ++i) {
      const auto block = static_cast<int32_t>(i);
      const RuleSection& section = *session.tree->block(block).section;
      if (!section.path_allow.has_value() && !section.path_deny.has_value()) continue;
      all.insert(PathFiltersOf(ChainOf(session, block), context_.rules));
    }
    session.filters.assign(all.begin(), all.end());
  }
}

ServerModel::Chain ServerModel::ChainOf(const Session& session, int32_t block) const {
  Chain chain;
  for (int32_t i = block; i != kNoBlock; i = session.tree->block(i).parent) {
    chain.push_back(session.tree->block(i).section);
  }
  chain.insert(chain.end(), session.base.begin(), session.base.end());
  return chain;
}

}  // namespace postern::proftpd
