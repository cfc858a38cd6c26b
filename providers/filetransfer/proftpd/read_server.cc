// How one server is read from the configuration; what it answers is in server_model.cc.
#include <algorithm>

#include "providers/filetransfer/proftpd/directives.h"
#include "providers/filetransfer/proftpd/raise_directives.h"
#include "providers/filetransfer/proftpd/server_model.h"
#include "providers/filetransfer/proftpd/statement.h"

namespace postern::proftpd {
namespace {

using Lines = std::vector<const ConfigNode*>;

ConfigNode Wrap(const Lines& lines) {
  ConfigNode node{.kind = ConfigNode::Kind::kSection};
  for (const ConfigNode* line : lines) node.children.push_back(*line);
  return node;
}

std::string ArgumentOf(const ConfigNode& node) {
  return node.args.empty() ? "" : node.args[0];
}

// Source: 1.3.8: `x` and `x/` are one block; `//` and `..` are resolved.
std::string BlockName(std::string name) {
  while (name.size() > 1 && name.ends_with('/')) name.pop_back();
  for (size_t at = name.find("//"); at != std::string::npos; at = name.find("//")) {
    name.erase(at, 1);
  }
  return name;
}

// Limits of a section merged later stand behind; its switches replace.
void MergeLast(const RuleSection& one, RuleSection* all) {
  all->limits.insert(all->limits.end(), one.limits.begin(), one.limits.end());
  if (one.overwrite.has_value()) all->overwrite = one.overwrite;
  if (one.store_restart.has_value()) all->store_restart = one.store_restart;
  for (ReasonId Unknowns::*reason : {&Unknowns::all, &Unknowns::listing, &Unknowns::names}) {
    if (one.unknown.*reason != 0) all->unknown.*reason = one.unknown.*reason;
  }
}

bool IsPersonal(std::string_view name) {
  return name.starts_with('~') || name.find("%u") != std::string_view::npos;
}

// "~/in", "~bea/in" and "/srv/%u" for one account. A name that stays personal matches nothing.
std::string Personal(std::string name, const RaiseAccount& account, const RaiseContext& context) {
  if (name.starts_with('~')) {
    const size_t end = std::min(name.find('/'), name.size());
    const auto other = context.names->accounts.find(name.substr(1, end - 1));
    if (end == 1) {
      name = account.home + name.substr(1);
    } else if (other != context.names->accounts.end()) {
      name = (*context.accounts)[other->second].home + name.substr(end);
    }
  }
  for (size_t at = name.find("%u"); at != std::string::npos; at = name.find("%u", at)) {
    name.replace(at, 2, account.name);
    at += account.name.size();
  }
  return BlockName(std::move(name));
}

}  // namespace

ServerModel::ServerModel(const ServerLines& lines, RaiseContext context)
    : context_(std::move(context)),
      unknown_(lines.unknown),
      mutex_(std::make_unique<std::mutex>()) {
  ReadSettings(lines);
  if (!context_.rules.alias_is_account) {
    alias_names_ = *context_.names;
    for (const auto& [name, account] : aliases_) alias_names_.accounts.emplace(name, account);
    context_.names = &alias_names_;
  }
  ReadBlocks(lines);
  ReadForSome(lines);
  MakeSessions(lines);
  for (const Lines* from : {&lines.own, &lines.global}) {
    for (const ConfigNode* node : *from) {
      if (node->word == "anonymous") ReadAnonymous(*node);
    }
  }
  ReadFtpaccess();
}

void ServerModel::ReadSettings(const ServerLines& lines) {
  for (const Lines* from : {&lines.own, &lines.global}) {
    for (const ConfigNode* line : *from) ReadSetting(*line);
    ReadRoots(*from);
  }
}

// Own lines come first, and the first counts.
void ServerModel::ReadSetting(const ConfigNode& line) {
  if (line.kind != ConfigNode::Kind::kDirective) return;
  const std::string value = ArgumentOf(line);
  if (line.word == "port" && !has_port_) {
    has_port_ = true;
    listens_ = value != "0";
  }
  if (line.word == "sftpengine") sftp_ = sftp_ || IsOn(line);
  if (line.word == "authaliasonly") alias_only_ = alias_only_ || IsOn(line);
  if (line.word == "allowoverride" && !override_.has_value()) override_ = !IsOff(line);
  if (line.word == "useralias" && line.args.size() == 2) {
    const auto found = context_.names->accounts.find(line.args[1]);
    if (found != context_.names->accounts.end()) aliases_.emplace(value, found->second);
  }
  if (line.word != "authorder" || unknown_ != 0) return;
  const bool files_only = std::all_of(line.args.begin(), line.args.end(), [](const auto& module) {
    return module.starts_with("mod_auth_file.c");
  });
  if (!files_only) unknown_ = context_.note(line, "accounts also come from other modules");
}

void ServerModel::ReadRoots(const Lines& lines) {
  for (const ConfigNode* line : lines) {
    if (line->word != "defaultroot" || line->args.empty()) continue;
    AccountSet who = AccountSet::All();
    bool known = true;
    if (line->args.size() > 1) {
      who = WhomListNames({line->args.begin() + 1, line->args.end()}, NameKind::kGroup,
                          ListOf::kRoot, *context_.names, context_.rules, &known);
    }
    who -= rooted_;
    rooted_ |= who;
    const std::string& root = line->args[0];
    if (!known || (!root.starts_with('/') && !IsPersonal(root))) {
      roots_unknown_ = context_.note(*line, "where sessions are confined isn't read");
    } else if (!IsPersonal(root)) {
      roots_[BlockName(root)] |= who;
    } else {
      const auto& accounts = *context_.accounts;
      for (const uint32_t id : who.Members(static_cast<uint32_t>(accounts.size()))) {
        roots_[Personal(root, accounts[id], context_)] |= AccountSet::Of({id});
      }
    }
  }
}

const RuleSection* ServerModel::Compile(const ConfigNode& node, bool backward) {
  RuleSection& section = sections_.emplace_back();
  AddLines(node, *context_.names, context_.rules, context_.note, backward, &section);
  section.unknown_pattern = context_.note(node, "its name covers some of these objects only");
  return &section;
}

void ServerModel::ReadBlocks(const ServerLines& lines) {
  // The same path in both is tried in the server's own block first: the other is dead.
  std::vector<BlockSource> groups[2];
  for (const bool global : {false, true}) {
    for (const ConfigNode* node : global ? lines.global : lines.own) {
      if (node->word != "directory" || node->kind != ConfigNode::Kind::kSection) continue;
      groups[global].push_back({BlockName(ArgumentOf(*node)), Compile(*node, true)});
    }
    if (context_.rules.last_block_first) std::reverse(groups[global].begin(), groups[global].end());
  }
  const bool last = context_.rules.global_comes_last;
  blocks_ = std::move(groups[last ? 0 : 1]);
  std::move(groups[last ? 1 : 0].begin(), groups[last ? 1 : 0].end(), std::back_inserter(blocks_));
}

void ServerModel::ReadForSome(const ServerLines& lines) {
  for (const Lines* from : {&lines.own, &lines.global}) {
    for (const ConfigNode* node : *from) {
      if (node->kind != ConfigNode::Kind::kSection) continue;
      bool known = true;
      if (node->word == "ifuser" || node->word == "ifgroup") {
        const NameKind kind = node->word == "ifuser" ? NameKind::kUser : NameKind::kGroup;
        AccountSet who = WhomListNames(node->args, kind, ListOf::kSession, *context_.names,
                                       context_.rules, &known);
        if (known) for_some_.push_back({node, std::move(who)});
      } else if (node->word == "ifclass") {
        known = false;
      }
      if (!known && unknown_ == 0) {
        unknown_ = context_.note(*node, "which sessions it holds for depends on the client");
      }
    }
  }
  const char* first = context_.rules.users_before_groups ? "ifuser" : "ifgroup";
  std::stable_partition(for_some_.begin(), for_some_.end(),
                        [&](const ForSome& some) { return some.node->word == first; });
}

// Accounts that differ in no section for some, and in no personal name, share a session.
void ServerModel::MakeSessions(const ServerLines& lines) {
  const auto& accounts = *context_.accounts;
  const auto count = static_cast<uint32_t>(accounts.size());
  bool homes = false, logins = false;
  const auto look = [&](const std::string& name) {
    homes = homes || name.starts_with('~');
    logins = logins || name.find("%u") != std::string::npos;
  };
  for (const BlockSource& block : blocks_) look(block.name);
  for (const ForSome& some : for_some_) {
    for (const ConfigNode& line : some.node->children) {
      if (line.word == "directory") look(ArgumentOf(line));
    }
  }
  using Kind = std::tuple<std::vector<bool>, std::string, std::string>;
  std::map<Kind, std::vector<uint32_t>> kinds;
  for (uint32_t id = 0; id < count; ++id) {
    std::vector<bool> applies;
    for (const ForSome& some : for_some_) applies.push_back(some.who.Has(id));
    kinds[{applies, homes ? accounts[id].home : "", logins ? accounts[id].name : ""}].push_back(id);
  }
  for (auto& [kind, ids] : kinds) {
    const bool everybody = ids.size() == count;
    MakeSession(everybody ? AccountSet::All() : AccountSet::Of(std::move(ids)), std::get<0>(kind),
                std::get<1>(kind), std::get<2>(kind), lines);
  }
}

void ServerModel::MakeSession(AccountSet who, const std::vector<bool>& applies,
                              const std::string& home, const std::string& login,
                              const ServerLines& lines) {
  const RaiseAccount person{login, {}, home};
  Session session{.who = std::move(who), .tree = std::make_unique<BlockTree>(context_.rules)};
  BlockTree& tree = *session.tree;
  std::vector<int32_t> dormant;
  for (const BlockSource& block : blocks_) {
    const bool personal = IsPersonal(block.name);
    const int32_t index = tree.Append(block.name, block.section, personal);
    if (personal) dormant.push_back(index);
  }
  tree.Order();
  for (const int32_t index : dormant) {
    tree.Wake(index, Personal(tree.block(index).pattern.name(), person, context_));
  }
  if (!context_.rules.personal_blocks_stand_alone) tree.Order();
  RuleSection& server = sections_.emplace_back();
  RuleSection some;
  const auto add = [&](const ConfigNode& node, bool backward, RuleSection* to) {
    AddLines(node, *context_.names, context_.rules, context_.note, backward, to);
  };
  // Source: 1.3.8, observed, with two sections of each kind in both orders: of Limits the users'
  // stand first, then the groups', each kind in file order; of blocks it is the other way round.
  // Within a section the first Limit in file counts.
  const bool backward = !context_.rules.session_limits_first_first;
  for (size_t i = 0; i < for_some_.size(); ++i) {
    if (!applies[i]) continue;
    RuleSection one;
    add(*for_some_[i].node, backward, &one);
    MergeLast(one, &some);
    for (const ConfigNode& line : for_some_[i].node->children) {
      if (line.word != "directory") continue;
      tree.Prepend(Personal(ArgumentOf(line), person, context_), Compile(line, backward));
    }
    tree.Order();
  }
  tree.Finish();
  session.overwrite = some.overwrite;
  session.store_restart = some.store_restart;
  const ConfigNode own = Wrap(lines.own), global = Wrap(lines.global);
  if (context_.rules.session_rules_first) server = some;
  add(context_.rules.global_comes_last ? own : global, true, &server);
  add(context_.rules.global_comes_last ? global : own, true, &server);
  if (!context_.rules.session_rules_first) {
    server.limits.insert(server.limits.end(), some.limits.begin(), some.limits.end());
  }
  session.base = {&server};
  session.login = LoginOf(session.base);
  sessions_.push_back(std::move(session));
}

// Source: 1.3.8, observed: an anonymous session asks its own blocks, the section, then the server's
// Limits; the server's blocks don't count. It is confined to the section's folder.
void ServerModel::ReadAnonymous(const ConfigNode& node) {
  std::optional<uint32_t> account;
  std::vector<std::string> names;
  for (const ConfigNode& line : node.children) {
    if (line.word == "user") {
      const auto found = context_.names->accounts.find(ArgumentOf(line));
      if (found != context_.names->accounts.end()) account = found->second;
    }
    if (line.word == "useralias" && line.args.size() == 2) names.push_back(line.args[0]);
  }
  const std::string root = BlockName(ArgumentOf(node));
  const bool merged = account.has_value() &&
                      std::any_of(for_some_.begin(), for_some_.end(),
                                  [&](const ForSome& some) { return some.who.Has(*account); });
  // Over SFTP, and with sections for some sessions, this wasn't tried.
  if (!account.has_value() || !root.starts_with('/') || sftp_ || merged) {
    if (unknown_ == 0) unknown_ = context_.note(node, "who logs in anonymously isn't read");
    return;
  }
  for (const std::string& name : names) aliases_.emplace(name, *account);
  Confine(*account, root);
  MakeAnonymousSession(node, *account, root);
}

void ServerModel::Confine(uint32_t account, const std::string& root) {
  const AccountSet who = AccountSet::Of({account});
  for (auto& [other, accounts] : roots_) accounts -= who;
  roots_[root] |= who;
  rooted_ |= who;
}

void ServerModel::MakeAnonymousSession(const ConfigNode& node, uint32_t account,
                                       const std::string& root) {
  const AccountSet who = AccountSet::Of({account});
  const bool own_blocks_only = context_.rules.anonymous_own_blocks;
  Session session{.who = who, .tree = std::make_unique<BlockTree>(context_.rules)};
  RuleSection& section = sections_.emplace_back();
  const auto add = [&](const ConfigNode& from) {
    AddLines(from, *context_.names, context_.rules, context_.note, true, &section);
  };
  add(node);
  for (auto line = node.children.rbegin(); line != node.children.rend(); ++line) {
    if (line->word != "directory") continue;
    std::string name = BlockName(ArgumentOf(*line));
    if (name == "*") {
      add(*line);  // it is melted into the section
      continue;
    }
    if (!name.starts_with('/')) name.insert(0, root + "/");
    session.tree->Append(std::move(name), Compile(*line, true));
  }
  for (const BlockSource& block : blocks_) {
    if (!own_blocks_only) session.tree->Append(block.name, block.section);
  }
  session.tree->Order();
  session.tree->Finish();
  const RuleSection* server = sessions_.empty() ? nullptr : sessions_.front().base.back();
  session.base = {&section};
  const Answer inside = LoginOf(session.base);
  AccountSet invited;
  for (const Limit& limit : section.limits) {
    if ((limit.words & MaskOf(Word::kLogin)) != 0) invited |= limit.allow;
  }
  if (section.unknown.all == 0) anonymous_ |= who;
  const Answer outside = server == nullptr ? Answer::Everybody() : LoginOf({server});
  session.login = inside & (outside | Answer{invited, {}, 0});
  if (server != nullptr && context_.rules.anonymous_server_limits) session.base.push_back(server);
  for (Session& other : sessions_) other.who -= who;
  sessions_.push_back(std::move(session));
}

// Source: 1.3.8, observed: ALL doesn't cover LOGIN; every Limit that names it has to let in.
Answer ServerModel::LoginOf(const Chain& base) const {
  const RaiseRules& rules = context_.rules;
  Answer all = Answer::Everybody();
  const WordMask words = MaskOf(Word::kLogin) | (rules.all_spares_login ? 0 : MaskOf(Word::kAll));
  AccountSet open = AccountSet::All();
  for (const RuleSection* section : base) {
    for (const Limit& limit : section->limits) {
      if ((limit.words & words) == 0) continue;
      const AccountSet in = ~(limit.deny | limit.maybe);
      if (rules.every_login_limit) {
        all = all & Answer{in, limit.maybe, limit.reason};
      } else {
        all = all & Answer{in | ~open, limit.maybe & open, limit.reason};
        open -= limit.allow | limit.deny | limit.maybe;
      }
    }
  }
  return all;
}

void ServerModel::ReadFtpaccess() {
  if (override_ == std::optional(false)) return;
  for (const std::string& file : *context_.ftpaccess_files) {
    ConfigNode line{.text = file, .file = UINT32_MAX};
    ftpaccess_.emplace_back(
        std::string(access::ParentOf(file)),
        context_.note(line, "rules in the folder itself, unless AllowOverride is off"));
  }
}

void ServerModel::AddNamedPaths(std::vector<std::string>* paths) const {
  for (const Session& session : sessions_) {
    for (size_t i = 0; i < session.tree->size(); ++i) {
      const BlockPattern& pattern = session.tree->block(static_cast<int32_t>(i)).pattern;
      if (pattern.literal()) paths->push_back(pattern.name());
    }
  }
  for (const auto& [root, who] : roots_) paths->push_back(root);
  for (const auto& [folder, reason] : ftpaccess_) paths->push_back(folder);
}

}  // namespace postern::proftpd
