// core/config/service_accounts.h: what a service account stands for. Internal to core/config.
//
// [service_account.X] is one declaration of an identity, service:X, with an account at each of its
// servers, an entry in its directory and its rows. Here it is written out as those declarations, so
// that checks, compile, plan and access need to know no other form. Each keeps the place of what it
// comes from and says whose it is (Declared::service_account).
//
// Keys: both slots open an account while both are declared. A login has one password: that of
// `next`, where `next` has one, because whoever signs in tries `next` first.
#pragma once
#include "core/config/declarations.h"

namespace postern::config {

// Adds to accounts, users and grants; to be called once, after reading and before an Index is made.
// Of two service accounts of one name the first counts. Linear.
void WriteOutServiceAccounts(Declarations* declarations);

}  // namespace postern::config
