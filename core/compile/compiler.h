// core/compile/compiler.h: the working state of one compilation. Internal to core/compile.
//
// Strata, each in its own file: identities and accounts (accounts.cc), keys (keys.cc), groups
// (groups.cc), directory entries (directory.cc), objects of IAM systems (iam.cc), rows of access
// with projection and fitting (rows.cc).
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/compile/desired.h"
#include "core/compile/roles.h"

namespace google::protobuf {
class Message;
}
namespace postern::kinds {
class Account;
class SshKey;
}  // namespace postern::kinds
namespace postern::job {
class JobSpec;
}

namespace postern::compile {

// An interval of time, both ends inclusive.
struct Interval {
  base::Instant from = base::kAlways, until = base::kForever;
  Interval Meet(const Interval& other) const;
  bool Holds(base::Instant now) const { return from <= now && now <= until; }
  bool empty() const { return from > until; }
};
// Put together where they overlap or touch, in order; empty ones are none.
std::vector<Interval> Unite(std::vector<Interval> intervals);

struct AccountInfo {
  const config::Declared<decl::Account>* declared = nullptr;
  const config::Declared<decl::Server>* server = nullptr;
  std::string login, identity, home;
  Interval interval;            // account and contract
  std::vector<Interval> times;  // all of them, where roles give it more than once, with gaps
  bool enabled = false;
  SourceList roles;  // provenance of what roles give; empty: declared by itself
  const struct RoleInfo* role = nullptr;  // the first of them
};

// A role as it was evaluated.
struct RoleInfo {
  const config::Declared<decl::Role>* declared = nullptr;
  Interval interval;
  std::vector<RoleMember> members;
  std::vector<uint32_t> sources;  // provenance of each member
  std::vector<Interval> times;    // of each member: the role's, with the member's own end
};

// Accounts of a group's members at one server that share a login folder.
struct GroupLogins {
  const config::Declared<decl::Server>* server = nullptr;
  std::vector<size_t> accounts;  // positions, at least one
};

// Why one row is asked for.
struct Ask {
  uint32_t source = 0;  // index into Desired::provenance
  const config::Declared<decl::Grant>* grant = nullptr;
};

// What the grants ask of one server, before rows are put together: a row and its reason stand at
// the same position of both lists.
struct Asks {
  std::vector<access::GrantRow> rows;
  std::vector<Ask> reasons;
};

struct FolderInfo {
  const config::Declared<decl::Folder>* declared = nullptr;
  std::string path;  // normalised
};

access::Rights RightsOf(const decl::Strings& names);

// Who ends access on time: the server itself where a date of ours is written there, else nobody,
// and the next plan after it does.
inline constexpr char kClosedByNobody[] = "nobody";
inline constexpr char kClosedByServer[] = "server";

class Compiler {
 public:
  Compiler(const config::Declarations& declarations, const diag::Sources& sources,
           const Products& products, const Facts& facts);
  Desired Run();

 private:
  // accounts.cc
  void IndexNames();
  void CompileAccounts();
  void CompileAccount(const config::Declared<decl::Account>& account);
  void EmitAccount(const AccountInfo& info, kinds::Account* account, kinds::SshKey* key);
  bool ClosesAccount(const AccountInfo& info) const;
  void SetNumbers(const AccountInfo& info, kinds::Account* account);
  void RoundEnd(AccountInfo* info);
  void CheckHome(const AccountInfo& info);
  std::set<uint32_t>& TakenIds(const std::string& host);
  uint32_t UidFor(const std::string& server, const std::string& login, bool group,
                  const diag::Span& place);
  Interval ContractOf(std::string_view identity) const;
  void NoteUserEnd(const std::string& identity, const std::string& target, base::Instant until);
  std::string AddressOf(const config::Declared<decl::Account>& account) const;
  std::string AddressOfService(uint32_t service_account) const;
  std::string IdentityOf(std::string_view address) const;
  // "import:acme (user:acme.a17)" of whom an import declares.
  std::string OwnerOfPerson(const std::string& address, const std::string& identity) const;
  void CompileFolders();
  std::span<const uint32_t> AccountsOf(std::string_view identity) const;
  // keys.cc
  void EmitKeys(const AccountInfo& info, uint32_t source, kinds::SshKey* key);
  bool NarrowKey(const AccountInfo& info, const decl::Key& declared, int element,
                 kinds::SshKey* key);
  void EmitPrincipals(const AccountInfo& info, uint32_t source, kinds::SshKey* key);
  uint32_t SourceOfKey(const AccountInfo& info, int element);
  // role_members.cc
  void CompileRoles();
  void ReadFacts();
  void LinkDeclared(RoleEvaluator* evaluator);
  void NoteJoined(RoleEvaluator* evaluator);
  void EvaluateRole(const config::Declared<decl::Role>& role, RoleEvaluator* evaluator);
  Interval TimeOf(const RoleInfo& role, const RoleMember& member) const;
  Interval EndsOf(const std::string& identity, Interval time, std::optional<uint32_t> by) const;
  void NoteHeld(const RoleInfo& role, const RoleMembers& members);
  void NoteDepartures(const RoleInfo& role, RoleEvaluator* evaluator);
  void CompileRoleRows();
  void AskRole(const config::Declared<decl::Grant>& grant, const std::string& role,
               const FolderInfo& folder, access::Rights rights, uint32_t source);
  void AskRoleRow(const RoleInfo& role, const decl::RoleRow& row);
  void AskMembers(const config::Declared<decl::Grant>& grant, const RoleInfo& role,
                  const FolderInfo& folder, access::Rights rights,
                  const std::vector<uint32_t>& sources);
  std::span<const uint32_t> AccountsOf(const RoleMember& member) const;
  // role_accounts.cc
  friend class RoleAccounts;
  void CompileRoleAccounts();
  // groups.cc
  const std::set<std::string>& Flatten(const std::string& group);
  const std::vector<GroupLogins>& LoginsOf(const std::string& group);
  void ProjectGroup(const std::string& group, const std::string& server, uint32_t source);
  // directory.cc
  void CompileDirectory();
  void CompileUser(const config::Declared<decl::User>& user);
  void CompileGroupEntry(const config::Declared<decl::Group>& group);
  std::string DnOfUser(const config::Declared<decl::User>& user);
  // iam.cc
  struct IamSet;
  void CompileIam();
  void CompileIamUser(const config::Declared<decl::IamUser>& user);
  template <class Object, class M>
  void CompileIamSet(const config::Declared<M>& declared, const std::string& name,
                     std::string_view set_kind, Object* object);
  std::set<std::string> IamMembers(const IamSet& set);
  void CompileOauthClient(const config::Declared<decl::OauthClient>& client);
  // rows.cc
  void CompileGrants();
  void CompileGrant(const config::Declared<decl::Grant>& grant);
  void AskFor(const config::Declared<decl::Grant>& grant, const std::string& who, int element,
              const FolderInfo& folder, access::Rights rights);
  void AddGrantLine(const decl::Grant& grant, std::string identity, const FolderInfo& folder,
                    access::Rights rights, const Interval& interval, uint32_t source);
  bool AskAccount(const config::Declared<decl::Grant>& grant, const AccountInfo& account,
                  const FolderInfo& folder, access::Rights rights, uint32_t source,
                  const RoleInfo* role = nullptr, const Interval& member = {});
  uint32_t SourceUntil(uint32_t source, const AccountInfo& account, const Interval& interval);
  void AskGroup(const config::Declared<decl::Grant>& grant, const std::string& group,
                const FolderInfo& folder, access::Rights rights, uint32_t source);
  void AddAsk(const config::Declared<decl::Grant>& grant, const std::string& server,
              const FolderInfo& folder, access::Subject subject, access::Rights rights,
              const Interval& interval, uint32_t source, const RoleInfo* role = nullptr);
  bool ViaAllows(const config::Declared<decl::Grant>& grant, const AccountInfo& account) const;
  bool Reachable(const AccountInfo& account, const FolderInfo& folder,
                 const config::Declared<decl::Grant>& grant, bool complain);
  void FitServers();
  void EmitBaseline(const config::Declared<decl::Server>& server);
  void FitServer(const config::Declared<decl::Server>& server, const Asks& asks);
  void ReportRefusal(const access::Refusal& refusal, const Asks& asks,
                     const config::Declared<decl::Server>& server);
  void ReportWidening(const access::Widening& widening, const Asks& asks,
                      const config::Declared<decl::Server>& server);

  // jobs.cc
  void CompileJobs();
  template <class M>
  void CompileJob(const config::Declared<M>& declared, const std::string& endpoint, bool export_);
  bool FillSpec(const std::string& endpoint, const std::vector<std::string>& sources,
                const diag::Span& place, job::JobSpec* spec);
  void AddSource(const std::string& address, job::JobSpec* spec);
  void AddSourceWhole(const std::string& address, job::JobSpec* spec);
  bool PlaceSecrets(const diag::Span& place, job::JobSpec* spec);
  void SealJob(const std::string& target, job::JobSpec* spec);
  bool EmitJob(const std::string& target, const job::JobSpec& spec,
               const decl::JobSchedule& schedule, bool enabled, uint32_t source,
               const diag::Span& place);

  // compile.cc
  uint32_t AddProvenance(std::string owner, const diag::Span& span, base::Instant until,
                         std::string ticket = {}, std::string reason = {});
  uint32_t WithEnd(uint32_t source, base::Instant until);
  void Emit(const std::string& target, const google::protobuf::Message& message,
            SourceList sources);
  // Where now is outside of the object's interval. `role`: what it comes from, or null.
  void NoteOffTime(const std::string& target, object::ObjectKey key, const Interval& interval,
                   uint32_t source, const RoleInfo* role = nullptr);
  void SetAuthority(const std::string& target, object::Kind kind, std::string container,
                    Authority authority);
  DesiredTarget& TargetNamed(const std::string& name);
  const std::vector<std::string>& RootsOf(const std::string& host);
  const std::vector<object::Capability>& StaticCapabilities(const std::string& server) const;
  const object::Capability* FindCapability(const std::string& server, std::string_view kind,
                                           std::string_view field) const;
  bool TakesGroups(const std::string& server) const;
  bool Confines(const std::string& server);

  const config::Declarations& declarations_;
  const diag::Sources& sources_;
  const Products& products_;
  const Facts& facts_;
  Desired desired_;

  // Names stand in the declarations.
  template <class M>
  using ByName = absl::flat_hash_map<std::string_view, const config::Declared<M>*>;
  ByName<decl::Server> servers_;
  ByName<decl::Host> hosts_;
  ByName<decl::Directory> directories_;
  absl::flat_hash_map<std::string_view, FolderInfo> folders_;
  ByName<decl::Group> groups_;
  ByName<decl::User> users_;
  ByName<decl::Partner> partners_;
  ByName<decl::ServiceAccount> services_;
  ByName<decl::Person> persons_;
  ByName<decl::Iam> iams_;
  ByName<decl::IamUser> iam_users_;
  ByName<decl::IamGroup> iam_groups_;
  std::deque<AccountInfo> accounts_;
  // Identity -> positions in accounts_, where the names stand, too; use AccountsOf().
  using Positions = absl::InlinedVector<uint32_t, 2>;
  absl::flat_hash_map<std::string_view, Positions> accounts_of_;
  absl::flat_hash_map<std::string_view, size_t> account_named_;          // declaration name
  std::unordered_map<std::string, std::set<std::string>> flat_;          // group -> identities
  std::unordered_map<std::string, std::vector<GroupLogins>> logins_of_;  // group
  std::unordered_map<std::string, std::vector<std::string>> dns_of_;     // identity|directory -> DN
  // (identity, iam) -> user names there
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> iam_names_of_;
  // identity|target -> the last moment of its declared users there
  absl::flat_hash_map<std::string, base::Instant> user_ends_;
  std::map<std::pair<std::string, std::string>, bool> projected_;  // (server, group)
  std::map<std::string, std::set<uint32_t>> taken_ids_;            // by host; TakenIds()
  mutable std::map<std::string, std::vector<object::Capability>> static_capabilities_;
  std::unordered_map<std::string, bool> confined_;         // by server; Confines()
  std::map<std::string, std::vector<std::string>> roots_;  // by host
  std::map<std::string, Asks> asks_;                       // by server
  std::unique_ptr<People> people_;
  std::unique_ptr<RecordedRoles> recorded_roles_;
  std::vector<RoleInfo> roles_;
  absl::flat_hash_map<std::string_view, size_t> role_named_;
  std::deque<config::Declared<decl::Account>> role_accounts_;  // as if declared one by one
  std::deque<config::Declared<decl::Grant>> role_grants_;
  std::set<std::pair<std::string, std::string>> other_person_;  // (server, login): no old number
  std::unordered_map<std::string, size_t> target_index_;
};

// "uid" and a value as one escaped RDN of `parent` (RFC 4514).
std::string ChildDn(std::string_view type, std::string_view value, std::string_view parent);

}  // namespace postern::compile
