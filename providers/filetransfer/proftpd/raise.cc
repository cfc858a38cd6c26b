#include "providers/filetransfer/proftpd/raise.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/proftpd/config_tree.h"
#include "providers/filetransfer/proftpd/directives.h"
#include "providers/filetransfer/proftpd/server_model.h"

namespace postern::proftpd {

using access::Right;

class Raiser::Impl {
 public:
  Impl(ConfigTree tree, RaiseQuestion question)
      : tree_(std::move(tree)), question_(std::move(question)), reasons_(1) {
    ReadNames();
    const ConfigNode* first = nullptr;
    clients_ = ClientsOf(tree_.root, &first);
    if (first != nullptr) by_address_ = Note(*first, std::string(kByAddress));
    for (const Client& client : clients_) {
      names_for_.push_back(names_);
      names_for_.back().client = &client;
      MakeServers(names_for_.back());
    }
    if (clients_.empty()) MakeServers(names_);
  }

  // Allowed wherever some client is; the reason then says that not every client is allowed.
  Ruling Decide(std::string_view login, const Cell& cell, Right right, Way way) const {
    Ruling best;
    for (size_t first = 0; first < server_count_; ++first) {
      bool all = true;
      Ruling here;
      for (size_t i = first; i < servers_.size(); i += server_count_) {
        const Ruling one = DecideHere(servers_[i], login, cell, right, way);
        all = all && one.verdict == Verdict::kAllowed;
        if (one.verdict == Verdict::kAllowed) here = {Verdict::kAllowed, nullptr};
        if (here.verdict == Verdict::kDenied) here = one;
      }
      if (here.verdict == Verdict::kAllowed && all) return here;
      if (here.verdict == Verdict::kAllowed) best = {Verdict::kAllowed, &reasons_[by_address_]};
      if (best.verdict == Verdict::kDenied) best = here;
    }
    return best;
  }

  CellAnswers AnswersFor(const Cell& cell, Way way) const {
    CellAnswers answers;
    for (const ServerModel& server : servers_) {
      if (!server.Serves(way)) continue;
      for (int i = 0; i < access::kRightCount; ++i) {
        answers[i] = answers[i] | server.AskAll(cell, static_cast<Right>(i));
      }
    }
    return answers;
  }

  std::vector<std::string> NamedPaths() const {
    std::vector<std::string> paths;
    for (const ServerModel& server : servers_) server.AddNamedPaths(&paths);
    std::sort(paths.begin(), paths.end());
    paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
    return paths;
  }

  std::map<std::string, AccountSet> Views() const {
    std::map<std::string, AccountSet> views;
    for (const ServerModel& server : servers_) {
      if (server.Serves(Way::kFtp) || server.Serves(Way::kSftp)) server.AddViews(&views);
    }
    return views;
  }

  AccountSet Anonymous() const {
    AccountSet who;
    for (const ServerModel& server : servers_) who |= server.Anonymous();
    return who;
  }

  const RaiseQuestion& question() const { return question_; }
  const Reason& reason(ReasonId id) const { return reasons_[id]; }

 private:
  Ruling DecideHere(const ServerModel& server, std::string_view login, const Cell& cell,
                    Right right, Way way) const {
    uint32_t account = 0;
    if (!server.Serves(way)) return {};
    if (!server.AccountOf(login, &account)) {
      // Where not all is read, the login may be known for all that.
      if (server.unknown() == 0) return {};
      return {Verdict::kNotComputable, &reasons_[server.unknown()]};
    }
    const Answer answer = server.AskLogin(login, cell, right);
    if (answer.yes.Has(account)) return {Verdict::kAllowed, nullptr};
    if (!answer.maybe.Has(account)) return {};
    return {Verdict::kNotComputable, &reasons_[answer.reason]};
  }

  void ReadNames() {
    std::map<std::string, std::vector<uint32_t>> members, first;
    for (uint32_t id = 0; id < question_.accounts.size(); ++id) {
      const RaiseAccount& account = question_.accounts[id];
      names_.accounts.emplace(account.name, id);
      for (size_t i = question_.rules.primary_group ? 0 : 1; i < account.groups.size(); ++i) {
        members[account.groups[i]].push_back(id);
      }
    }
    for (uint32_t id = 0; id < question_.accounts.size(); ++id) {
      const RaiseAccount& account = question_.accounts[id];
      if (!account.groups.empty()) first[account.groups[0]].push_back(id);
    }
    for (auto& [group, ids] : first) names_.primary[group] = AccountSet::Of(std::move(ids));
    for (auto& [group, ids] : members) names_.groups[group] = AccountSet::Of(std::move(ids));
  }

  ReasonId Note(const ConfigNode& node, std::string why) {
    reasons_.push_back({node.file < tree_.files.size() ? tree_.files[node.file] : "", node.line,
                        node.text, std::move(why)});
    return static_cast<ReasonId>(reasons_.size() - 1);
  }

  // For one kind of client, or for all where no rule asks.
  void MakeServers(const AccountNames& names) {
    RaiseContext context{.accounts = &question_.accounts,
                         .names = &names,
                         .ftpaccess_files = &question_.ftpaccess_files,
                         .rules = question_.rules,
                         .note = [this](const ConfigNode& node, std::string why) {
                           return Note(node, std::move(why));
                         }};
    std::vector<ServerLines> servers(1);
    std::vector<const ConfigNode*> global;
    ReasonId module = 0;
    for (const ConfigNode& node : tree_.root.children) {
      const bool section = node.kind == ConfigNode::Kind::kSection;
      if (section && node.word == "global") {
        for (const ConfigNode& line : node.children) global.push_back(&line);
      } else if (section && node.word == "virtualhost") {
        ServerLines& server = servers.emplace_back();
        for (const ConfigNode& line : node.children) server.own.push_back(&line);
      } else {
        servers[0].own.push_back(&node);
        const bool loads = node.word == "loadmodule" && !node.args.empty();
        if (loads && !IsKnownModule(node.args[0])) {
          module = Note(node, fmt::format("the module {} isn't known", node.args[0]));
        }
      }
    }
    server_count_ = servers.size();
    for (ServerLines& server : servers) {
      if (question_.rules.global_reaches_servers) server.global = global;
      server.unknown = module;
      servers_.emplace_back(server, context);
    }
  }

  ConfigTree tree_;
  RaiseQuestion question_;
  AccountNames names_;
  std::vector<Client> clients_;  // one for each kind of address that a rule tells apart
  std::deque<AccountNames> names_for_;
  ReasonId by_address_ = 0;
  size_t server_count_ = 0;
  std::deque<Reason> reasons_;       // 0 stands for no reason
  std::deque<ServerModel> servers_;  // all servers for the first client, then for the next
};

Result<Raiser> Raiser::Make(const FileSource& files, RaiseQuestion question) {
  Result<ConfigTree> tree = ReadTree(files, {question.main_file, question.defines}, question.rules);
  if (!tree) return tl::unexpected<Error>(tree.error());
  return Raiser(std::make_unique<Impl>(std::move(*tree), std::move(question)));
}

Raiser::Raiser(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Raiser::Raiser(Raiser&&) noexcept = default;
Raiser& Raiser::operator=(Raiser&&) noexcept = default;
Raiser::~Raiser() = default;

Ruling Raiser::Decide(std::string_view login, const Cell& cell, Right right, Way way) const {
  return impl_->Decide(login, cell, right, way);
}
CellAnswers Raiser::AnswersFor(const Cell& cell, Way way) const {
  return impl_->AnswersFor(cell, way);
}
std::vector<std::string> Raiser::NamedPaths() const {
  return impl_->NamedPaths();
}
std::map<std::string, AccountSet> Raiser::Views() const {
  return impl_->Views();
}
AccountSet Raiser::Anonymous() const {
  return impl_->Anonymous();
}
const std::vector<RaiseAccount>& Raiser::accounts() const {
  return impl_->question().accounts;
}
const Reason& Raiser::reason(ReasonId id) const {
  return impl_->reason(id);
}

std::span<const RaiseRule> AllRaiseRules() {
  static constexpr RaiseRule kRules[] = {
      {"conditions_decide", &RaiseRules::conditions_decide},
      {"conditions_negate", &RaiseRules::conditions_negate},
      {"includes_by_name", &RaiseRules::includes_by_name},
      {"empty_blocks_vanish", &RaiseRules::empty_blocks_vanish},
      {"global_reaches_servers", &RaiseRules::global_reaches_servers},
      {"global_comes_last", &RaiseRules::global_comes_last},
      {"last_block_first", &RaiseRules::last_block_first},
      {"blocks_nest", &RaiseRules::blocks_nest},
      {"nested_first_first", &RaiseRules::nested_first_first},
      {"namesake_nests_deepest", &RaiseRules::namesake_nests_deepest},
      {"star_crosses_slash", &RaiseRules::star_crosses_slash},
      {"content_pattern_spares_folder", &RaiseRules::content_pattern_spares_folder},
      {"position_beats_length", &RaiseRules::position_beats_length},
      {"last_limit_first", &RaiseRules::last_limit_first},
      {"command_before_block", &RaiseRules::command_before_block},
      {"group_pass", &RaiseRules::group_pass},
      {"all_pass", &RaiseRules::all_pass},
      {"blocks_inherit", &RaiseRules::blocks_inherit},
      {"order_allow_default", &RaiseRules::order_allow_default},
      {"deny_order_closes", &RaiseRules::deny_order_closes},
      {"allow_order_opens", &RaiseRules::allow_order_opens},
      {"group_lists_and", &RaiseRules::group_lists_and},
      {"user_lists_or", &RaiseRules::user_lists_or},
      {"and_is_a_name", &RaiseRules::and_is_a_name},
      {"negation", &RaiseRules::negation},
      {"primary_group", &RaiseRules::primary_group},
      {"x_commands", &RaiseRules::x_commands},
      {"all_spares_login", &RaiseRules::all_spares_login},
      {"every_login_limit", &RaiseRules::every_login_limit},
      {"group_regex_forgotten", &RaiseRules::group_regex_forgotten},
      {"classless_meet_nothing", &RaiseRules::classless_meet_nothing},
      {"negated_address_ends", &RaiseRules::negated_address_ends},
      {"deny_all_blocks", &RaiseRules::deny_all_blocks},
      {"deny_all_spares_new", &RaiseRules::deny_all_spares_new},
      {"deny_all_stays", &RaiseRules::deny_all_stays},
      {"overwrite_inherits", &RaiseRules::overwrite_inherits},
      {"restart_appends", &RaiseRules::restart_appends},
      {"entries_hide", &RaiseRules::entries_hide},
      {"sftp_rename_is_dirs", &RaiseRules::sftp_rename_is_dirs},
      {"sftp_listing_asks_list", &RaiseRules::sftp_listing_asks_list},
      {"sftp_write_is_stor", &RaiseRules::sftp_write_is_stor},
      {"ftp_reads_unfiltered", &RaiseRules::ftp_reads_unfiltered},
      {"sftp_sets_unfiltered", &RaiseRules::sftp_sets_unfiltered},
      {"filters_follow_history", &RaiseRules::filters_follow_history},
      {"filters_inherit", &RaiseRules::filters_inherit},
      {"hiding_is_listing", &RaiseRules::hiding_is_listing},
      {"hide_none_ends", &RaiseRules::hide_none_ends},
      {"session_rules_first", &RaiseRules::session_rules_first},
      {"session_overwrite_wins", &RaiseRules::session_overwrite_wins},
      {"alias_is_account", &RaiseRules::alias_is_account},
      {"alias_only", &RaiseRules::alias_only},
      {"alias_only_breaks_on_blocks", &RaiseRules::alias_only_breaks_on_blocks},
      {"root_takes_no_keyword", &RaiseRules::root_takes_no_keyword},
      {"personal_blocks_stand_alone", &RaiseRules::personal_blocks_stand_alone},
      {"session_limits_first_first", &RaiseRules::session_limits_first_first},
      {"sftp_has_no_aliases", &RaiseRules::sftp_has_no_aliases},
      {"users_before_groups", &RaiseRules::users_before_groups},
      {"classes_last", &RaiseRules::classes_last},
      {"class_blocks_do_not_nest", &RaiseRules::class_blocks_do_not_nest},
      {"session_blocks_replace", &RaiseRules::session_blocks_replace},
      {"session_blocks_first_first", &RaiseRules::session_blocks_first_first},
      {"anonymous_own_blocks", &RaiseRules::anonymous_own_blocks},
      {"anonymous_server_limits", &RaiseRules::anonymous_server_limits},
      {"anonymous_star_first", &RaiseRules::anonymous_star_first},
      {"anonymous_relative_alone", &RaiseRules::anonymous_relative_alone},
      {"anonymous_is_ftp_only", &RaiseRules::anonymous_is_ftp_only},
      {"anonymous_session_rules", &RaiseRules::anonymous_session_rules},
      {"root_confines", &RaiseRules::root_confines},
  };
  return kRules;
}

}  // namespace postern::proftpd
