// core/view/access_query.h: who may do what in a world, declared or live, as rows for a table.
//
// Looks things up; decides nothing: rights and coverage are core/access's. Pure; any thread. Cost:
// one pass over the accounts of a world, and their rows.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/access/effective.h"
#include "core/compile/desired.h"
#include "core/diag/diagnostic.h"
#include "core/object/object.h"
#include "core/observe/observe.h"

namespace postern::view {

struct AccessRow {
  std::string identity;
  access::Place place;
  std::string account;  // login, or DN in a directory
  std::string path;     // folder, or group DN; empty: the login itself
  access::Depth depth = access::Depth::kSubtree;
  access::Rights rights;
  std::string through;  // "group:ops", "everyone"; empty: the account's own row
  std::string closed;   // why nobody comes in by this account; empty: open
  base::Instant until = base::kForever;
  std::string closer, ticket, declared_at;  // declared_at empty: declared nowhere
};

class AccessQuery {
 public:
  AccessQuery(const access::World& world, const compile::Desired& desired,
              const diag::Sources& sources, const observe::Observed* observed = nullptr)
      : world_(world), desired_(desired), sources_(sources), observed_(observed) {}

  // Rows that reach the folder or something below it, by path, identity and account.
  std::vector<AccessRow> Who(std::string_view target, std::string_view path) const;
  // All rows of an identity: "person:li.wong", or just "li.wong"; "edge-ftp/tmpuser" for a login;
  // "iam:hr/ann" for a user whom nobody declared.
  std::vector<AccessRow> What(std::string_view identity) const;

 private:
  std::string IdentityOf(const access::Place& place, std::string_view account) const;
  std::vector<AccessRow> RowsOf(const access::Place& place, const access::ServerWorld& server,
                                std::string_view login) const;
  void AddEntry(const access::Place& place, const access::DirectoryWorld& directory,
                const std::string& dn, std::vector<AccessRow>* rows) const;
  void Cite(std::string_view target, object::Kind kind, std::string_view key, AccessRow* row) const;

  const access::World& world_;
  const compile::Desired& desired_;
  const diag::Sources& sources_;
  const observe::Observed* observed_;  // of a live world; null: declared
};

// A world raised from wanted objects, and one from observed ones.
access::World DeclaredWorld(const compile::Desired& desired);
access::World LiveWorld(const observe::Observed& observed);

}  // namespace postern::view
