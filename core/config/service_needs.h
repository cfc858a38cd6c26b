// core/config/service_needs.h: what a service account has and its jobs don't use.
//
// Told from the declarations alone: an export or import that runs as it and delivers to, or fetches
// from, a managed server uses the folders that it names there. Of a service account without jobs
// nothing is told: what uses it runs elsewhere. Pure; any thread; linear in rows times jobs of one
// account.
#pragma once
#include <string>
#include <vector>

#include "core/config/declarations.h"
#include "core/config/index.h"

namespace postern::config {

// Rights of one row that no job uses.
struct Unneeded {
  const Declared<decl::ServiceAccount>* service = nullptr;
  int row = 0;                      // position in its rows
  std::vector<std::string> rights;  // as written, in their order
  bool all = false;                 // the whole row
};

// Of all service accounts, in the order of the declarations.
std::vector<Unneeded> FindUnneeded(const Declarations& declarations, const Index& index);

}  // namespace postern::config
