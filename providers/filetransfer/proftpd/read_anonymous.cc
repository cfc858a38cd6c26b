// How the <Anonymous> sections of one server become sessions.
//
// Source: 1.3.8, observed: such a session asks the section's own blocks, the section, then the
// server's Limits; the server's blocks don't count. It is confined to the section's folder. The
// login of the section's User leads there, and so does each alias in it, whichever account it
// stands for. mod_sftp knows none of it.
#include <algorithm>

#include "core/access/rights.h"
#include "providers/filetransfer/proftpd/block_name.h"
#include "providers/filetransfer/proftpd/server_model.h"

namespace postern::proftpd {
namespace {

const std::string& FirstArgument(const ConfigNode& line) {
  static const std::string none;
  return line.args.empty() ? none : line.args[0];
}

// Source: 1.3.8, observed: the lines of <Directory *> are moved one by one to the front of the
// section's own.
ConfigNode StarTurned(ConfigNode star) {
  std::reverse(star.children.begin(), star.children.end());
  return star;
}

}  // namespace

void ServerModel::ReadAnonymous(const ConfigNode& node) {
  if (sftp_ && context_.rules.anonymous_is_ftp_only) return;
  const auto& accounts = context_.names->accounts;
  auto user = accounts.end();
  for (const ConfigNode& line : node.children) {
    if (line.word == "user") user = accounts.find(FirstArgument(line));
  }
  const auto add = [&](uint32_t account) -> std::optional<size_t> {
    const RaiseAccount& person = (*context_.accounts)[account];
    const std::string root =
        Personal(BlockName(FirstArgument(node)), person, *context_.accounts, *context_.names);
    if (root.starts_with('/')) return MakeAnonymousSession(node, account, root);
    if (unknown_ == 0) unknown_ = context_.note(node, "the folder of anonymous logins isn't read");
    return std::nullopt;
  };
  if (user != accounts.end()) {
    const std::optional<size_t> session = add(user->second);
    if (!session.has_value()) return;
    const AccountSet who = AccountSet::Of({user->second});
    for (Session& other : sessions_) other.who -= who;
    sessions_[*session].who = who;
    if (sessions_[*session].base.front()->unknown.all == 0) anonymous_ |= who;
    Confine(user->second, sessions_[*session].root);
  }
  for (const ConfigNode& line : node.children) {
    if (line.word != "useralias" || line.args.size() != 2) continue;
    const auto account = accounts.find(line.args[1]);
    if (account == accounts.end()) continue;
    if (!aliases_.emplace(line.args[0], account->second).second || account == user) continue;
    const std::optional<size_t> session = add(account->second);
    if (!session.has_value()) continue;
    alias_sessions_.emplace(line.args[0], *session);
    anonymous_ |= AccountSet::Of({account->second});
  }
}

void ServerModel::Confine(uint32_t account, const std::string& root) {
  const AccountSet who = AccountSet::Of({account});
  for (auto& [other, accounts] : roots_) accounts -= who;
  roots_[root] |= who;
  rooted_ |= who;
}

// The account's own session: there is one for each, but for nobody's.
const ServerModel::Session* ServerModel::SessionOf(uint32_t account) const {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(), [&](const Session& session) {
    return !session.base.empty() && session.who.Has(account);
  });
  return found == sessions_.end() ? nullptr : &*found;
}

void ServerModel::AddAnonymousBlocks(const ConfigNode& node, const std::string& root,
                                     const std::set<std::string>& replaced, BlockTree* tree) {
  for (auto line = node.children.rbegin(); line != node.children.rend(); ++line) {
    const std::string given = BlockName(FirstArgument(*line));
    if (line->word != "directory" || given == "*" || replaced.contains(given)) continue;
    const bool relative = !given.starts_with('/');
    const bool alone = relative && context_.rules.anonymous_relative_alone;
    tree->Append(relative ? root + "/" + given : given, Compile(*line, true), false,
                 alone ? given : "");
  }
  if (!context_.rules.anonymous_own_blocks) {
    for (const BlockSource& block : blocks_) tree->Append(block.name, block.section);
  }
  tree->Order();
  tree->Finish();
}

size_t ServerModel::MakeAnonymousSession(const ConfigNode& node, uint32_t account,
                                         const std::string& root) {
  const RaiseRules& rules = context_.rules;
  const Session* own = rules.anonymous_session_rules ? SessionOf(account) : nullptr;
  if (own == nullptr && !sessions_.empty()) own = &sessions_.front();
  Session session{.tree = std::make_unique<BlockTree>(rules), .root = root};
  RuleSection& section = sections_.emplace_back();
  const auto add = [&](const ConfigNode& from) {
    AddLines(from, *context_.names, rules, context_.note, true, &section);
  };
  if (!rules.anonymous_star_first) add(node);
  for (const ConfigNode& line : node.children) {
    const bool star = line.word == "directory" && FirstArgument(line) == "*";
    if (star) add(rules.anonymous_star_first ? StarTurned(line) : line);
  }
  if (rules.anonymous_star_first) add(node);
  AddAnonymousBlocks(node, root, own == nullptr ? std::set<std::string>() : own->some_blocks,
                     session.tree.get());
  session.base = {&section};
  const Answer inside = LoginOf(session.base);
  AccountSet invited;
  for (const Limit& limit : section.limits) {
    if ((limit.words & MaskOf(Word::kLogin)) != 0) invited |= limit.allow;
  }
  session.login = inside;
  if (own != nullptr) {
    session.login = inside & (own->server_login | Answer{invited, {}, 0});
    session.overwrite = own->overwrite;
    session.store_restart = own->store_restart;
    if (rules.anonymous_server_limits) session.base.push_back(own->base.back());
  }
  sessions_.push_back(std::move(session));
  return sessions_.size() - 1;
}

}  // namespace postern::proftpd
