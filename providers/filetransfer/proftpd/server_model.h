// providers/filetransfer/proftpd/server_model.h: one server of the configuration (the main one or a
// <VirtualHost>) with what it takes from <Global>: its sessions, its logins, its answers. Pure.
//
// Accounts whose sessions follow the same sections (IfUser, IfGroup, block names with ~ or %u,
// Anonymous) share one `Session`; most servers have a single one.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "providers/filetransfer/proftpd/block_tree.h"
#include "providers/filetransfer/proftpd/path_filter.h"
#include "providers/filetransfer/proftpd/raise.h"

namespace postern::proftpd {

// What every server of a configuration shares.
struct RaiseContext {
  const std::vector<RaiseAccount>* accounts = nullptr;
  const AccountNames* names = nullptr;
  const std::vector<std::string>* ftpaccess_files = nullptr;
  RaiseRules rules;
  NoteReason note;
};

struct ServerLines {
  std::vector<const ConfigNode*> own, global;
  ReasonId unknown = 0;  // from outside: a module that isn't known
};

class ServerModel {
 public:
  ServerModel(const ServerLines& lines, RaiseContext context);

  bool Serves(Way way) const { return listens_ && (way == Way::kSftp) == sftp_; }
  // For accounts by their own names.
  Answer Ask(const Cell& cell, access::Right right) const;
  // For each account by its own name and by every alias.
  Answer AskAll(const Cell& cell, access::Right right) const;
  // For one login, whose account is AccountOf: an alias may lead to a session of another kind.
  Answer AskLogin(std::string_view login, const Cell& cell, access::Right right) const;
  // Why it may know logins that the files don't have; 0: it doesn't.
  ReasonId unknown() const;
  // The account that a login stands for; false: no account, or the login is refused.
  bool AccountOf(std::string_view login, uint32_t* account) const;
  // Logins by real name are let in.
  AccountSet RealNames() const;
  AccountSet Anonymous() const { return anonymous_; }
  // Accounts by the folder that their sessions see as "/".
  void AddViews(std::map<std::string, AccountSet>* views) const;
  void AddNamedPaths(std::vector<std::string>* paths) const;

 private:
  struct Session {
    AccountSet who;
    std::unique_ptr<BlockTree> tree;
    std::vector<const RuleSection*> base;          // asked after the blocks: Anonymous, the server
    std::optional<bool> overwrite, store_restart;  // stated for these sessions, over every block
    Answer login;
    // Of the server alone, and the names of blocks that IfUser and its kind bring.
    Answer server_login;
    std::set<std::string> some_blocks;
    std::string root;                  // of Anonymous
    std::vector<PathFilters> filters;  // of all its places, each once
  };
  struct BlockSource {
    std::string name;
    const RuleSection* section = nullptr;
  };
  struct ForSome {  // IfUser, IfGroup, IfClass
    const ConfigNode* node = nullptr;
    AccountSet who;
  };
  using Chain = std::vector<const RuleSection*>;

  void ReadSettings(const ServerLines& lines);
  void ReadSetting(const ConfigNode& line);
  void ReadBlocks(const ServerLines& lines);
  void ReadForSome(const ServerLines& lines);
  void ReadAnonymous(const ConfigNode& node);
  size_t MakeAnonymousSession(const ConfigNode& node, uint32_t account, const std::string& root);
  void AddAnonymousBlocks(const ConfigNode& node, const std::string& root,
                          const std::set<std::string>& replaced, BlockTree* tree);
  const Session* SessionOf(uint32_t account) const;
  void Confine(uint32_t account, const std::string& root);
  void ReadRoots(const std::vector<const ConfigNode*>& lines);
  void ReadFtpaccess();
  void MakeSessions(const ServerLines& lines);
  void MakeSession(AccountSet who, const std::vector<bool>& applies, const std::string& home,
                   const std::string& login, const ServerLines& lines);
  void MergeBlocks(const ConfigNode& some, const RaiseAccount& person, Session* session);
  const RuleSection* Compile(const ConfigNode& node, bool backward);
  Answer LoginOf(const Chain& base) const;

  bool HasAliases() const;
  bool AliasesLostToBlocks() const;
  Chain ChainOf(const Session& session, int32_t block) const;
  void KeepFilters();
  Answer AskSession(const Session& session, const Cell& cell, access::Right right) const;
  Answer AskBlocks(const Session& session, int32_t object, int32_t child, access::Right right,
                   const Passing& passing) const;
  Answer AskAlternative(const Session& session, const Alternative& alternative, const Chain& object,
                        const Chain& child) const;
  AccountSet Confined(const std::string& path) const;

  RaiseContext context_;
  AccountNames alias_names_;  // only where the rules mistake aliases for accounts
  std::deque<RuleSection> sections_;
  std::vector<BlockSource> blocks_;  // the daemon's list
  std::vector<ForSome> for_some_;
  std::vector<Session> sessions_;
  std::map<std::string, uint32_t, std::less<>> aliases_;
  std::map<std::string, size_t, std::less<>> alias_sessions_;  // not the account's own
  std::map<std::string, AccountSet> roots_;
  AccountSet rooted_;
  AccountSet anonymous_;                                     // let in without a credential
  std::vector<std::pair<std::string, ReasonId>> ftpaccess_;  // folder, why
  bool listens_ = true, sftp_ = false, alias_only_ = false, has_port_ = false;
  std::optional<bool> override_;
  ReasonId unknown_ = 0, roots_unknown_ = 0;

  // Answers of blocks, by session, blocks and right.
  using Key = std::tuple<size_t, int32_t, int32_t, int, int, ReasonId>;
  mutable std::unique_ptr<std::mutex> mutex_;
  mutable std::map<Key, Answer> known_;
};

// Asks the sections from the nearest to the server about one command: pass by pass, the first
// explicit answer ends it.
Answer AskChain(const std::vector<const RuleSection*>& chain, const Check& check,
                const RaiseRules& rules);

}  // namespace postern::proftpd
