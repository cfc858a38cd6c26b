// core/compile/role_drafts.h: the logins that roles would give, before they are accounts.
//
// Pure; any thread. A draft points into roles and declarations, which must outlive it.
#pragma once
#include <string>
#include <vector>

#include "core/compile/compiler.h"
#include "core/compile/known_accounts.h"
#include "core/diag/diagnostic.h"

namespace postern::compile {

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
  std::vector<RoleDraft> others;  // of further roles: the same login of the same person

  const std::string& role_name() const { return role->declared->message.name(); }
  const std::string& server_name() const { return server->message.name(); }
};

// What gives the login at the same time, now or to come; null: what is over is no contradiction.
const RoleDraft* AtOnce(const RoleDraft& there, const RoleDraft& draft, base::Instant now);
// The roles by which the account stands, and its times: those that hold now; where none does, those
// that ended last, or come first.
std::vector<const RoleDraft*> InForce(const RoleDraft& draft, base::Instant now, AccountInfo* info);

// Of one person's login, two folders; of one login, two people; of a role's, a declaration.
diag::Diagnostic TwoHomes(const RoleDraft& first, const RoleDraft& second);
diag::Diagnostic TwoPeople(const RoleDraft& first, const RoleDraft& second);
diag::Diagnostic LoginDeclared(const RoleDraft& draft, const diag::Span& declared);

}  // namespace postern::compile
