// How one server is read from the configuration; what it answers is in server_model.cc.
#include <algorithm>

#include "providers/filetransfer/proftpd/block_name.h"
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

// Limits of a section merged later stand behind; its switches replace.
void MergeLast(const RuleSection& one, RuleSection* all) {
  all->limits.insert(all->limits.end(), one.limits.begin(), one.limits.end());
  if (one.overwrite.has_value()) all->overwrite = one.overwrite;
  if (one.store_restart.has_value()) all->store_restart = one.store_restart;
  for (std::optional<NameFilter> RuleSection::*filter :
       {&RuleSection::path_allow, &RuleSection::path_deny, &RuleSection::hide_files}) {
    if ((one.*filter).has_value()) all->*filter = one.*filter;
  }
  for (ReasonId Unknowns::*reason :
       {&Unknowns::all, &Unknowns::listing, &Unknowns::sftp_listing, &Unknowns::names}) {
    if (one.unknown.*reason != 0) all->unknown.*reason = one.unknown.*reason;
  }
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
  KeepFilters();
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
        roots_[Personal(root, accounts[id], accounts, *context_.names)] |= AccountSet::Of({id});
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
      const Client* client = context_.names->client;
      const bool by_class = node->word == "ifclass";
      if (by_class && (client == nullptr || !client->class_known)) {
        known = false;
      } else if (by_class || node->word == "ifuser" || node->word == "ifgroup") {
        const NameKind kind = by_class                 ? NameKind::kClass
                              : node->word == "ifuser" ? NameKind::kUser
                                                       : NameKind::kGroup;
        AccountSet who = WhomListNames(node->args, kind, ListOf::kSession, *context_.names,
                                       context_.rules, &known);
        if (known) for_some_.push_back({node, std::move(who)});
      }
      if (!known && unknown_ == 0) {
        unknown_ = context_.note(*node, "which sessions it holds for depends on the client");
      }
    }
  }
  const auto rank = [&](const ForSome& some) {
    if (some.node->word == "ifclass") return context_.rules.classes_last ? 2 : -1;
    return (some.node->word == "ifuser") == context_.rules.users_before_groups ? 0 : 1;
  };
  std::stable_sort(for_some_.begin(), for_some_.end(),
                   [&](const ForSome& a, const ForSome& b) { return rank(a) < rank(b); });
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
  const auto personal = [&](const std::string& name) {
    return Personal(name, person, *context_.accounts, *context_.names);
  };
  std::vector<int32_t> dormant;
  for (const BlockSource& block : blocks_) {
    const bool personal = IsPersonal(block.name);
    const int32_t index = tree.Append(block.name, block.section, personal);
    if (personal) dormant.push_back(index);
  }
  tree.Order();
  for (const int32_t index : dormant) {
    tree.Wake(index, personal(tree.block(index).pattern.name()));
  }
  if (!context_.rules.personal_blocks_stand_alone) tree.Order();
  RuleSection& server = sections_.emplace_back();
  RuleSection some, alone;
  const auto add = [&](const ConfigNode& node, bool backward, RuleSection* to) {
    AddLines(node, *context_.names, context_.rules, context_.note, backward, to);
  };
  // Source: 1.3.8, observed, with two sections of each kind in both orders: the class's sections
  // are merged in first, then the groups', then the users', of each kind the last in file first;
  // and each goes to the front. Within a section the first Limit in file counts.
  const bool backward = !context_.rules.session_limits_first_first;
  for (size_t i = 0; i < for_some_.size(); ++i) {
    if (!applies[i]) continue;
    RuleSection one;
    add(*for_some_[i].node, backward, &one);
    MergeLast(one, &some);
    if (for_some_[i].node->word == "ifclass") MergeLast(one, &alone);  // it holds before the login
  }
  for (size_t i = for_some_.size(); i-- > 0;) {
    if (applies[i]) MergeBlocks(*for_some_[i].node, person, &session);
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
  add(own, true, &alone);
  add(global, true, &alone);
  session.server_login = LoginOf({&alone});
  sessions_.push_back(std::move(session));
}

// Source: 1.3.8, observed: a block of one of these sections removes the block of that very name
// with all that is nested in it, and those in sections that come after; a name that is resolved at
// login removes none. The first in file ends up in front.
void ServerModel::MergeBlocks(const ConfigNode& some, const RaiseAccount& person,
                              Session* session) {
  std::vector<const ConfigNode*> blocks;
  for (const ConfigNode& line : some.children) {
    if (line.word == "directory") blocks.push_back(&line);
  }
  if (context_.rules.session_blocks_first_first) std::reverse(blocks.begin(), blocks.end());
  for (const ConfigNode* block : blocks) {
    const std::string given = BlockName(ArgumentOf(*block));
    const bool replaces = context_.rules.session_blocks_replace && !IsPersonal(given);
    if (replaces && !session->some_blocks.insert(given).second) continue;
    session->tree->Prepend(Personal(given, person, *context_.accounts, *context_.names),
                           Compile(*block, !context_.rules.session_limits_first_first), replaces);
  }
  // Sections of a class are merged in before the login, when nothing is nested anew.
  const bool nests = some.word != "ifclass" || !context_.rules.class_blocks_do_not_nest;
  if (nests) session->tree->Order();
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
