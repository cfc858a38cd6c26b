// core/config/visit.h: the tables of Declarations one after the other, for code that treats all
// alike.
#pragma once
#include <array>
#include <string_view>

#include "core/config/declarations.h"

namespace postern::config {

// Calls visit(vector) for each table but the operator's top level, in the order of AllTables.
template <class D, class Visit>
void ForEachTable(D& declarations, Visit&& visit) {
  visit(declarations.hosts);
  visit(declarations.servers);
  visit(declarations.directories);
  visit(declarations.iams);
  visit(declarations.secrets);
  visit(declarations.partners);
  visit(declarations.persons);
  visit(declarations.accounts);
  visit(declarations.groups);
  visit(declarations.users);
  visit(declarations.ous);
  visit(declarations.folders);
  visit(declarations.grants);
  visit(declarations.iam_users);
  visit(declarations.iam_groups);
  visit(declarations.iam_roles);
  visit(declarations.iam_access_roles);
  visit(declarations.oauth_clients);
  visit(declarations.roles);
  visit(declarations.service_accounts);
  visit(declarations.runners);
  visit(declarations.endpoints);
  visit(declarations.exports);
  visit(declarations.imports);
  visit(declarations.releasers);
}

}  // namespace postern::config
