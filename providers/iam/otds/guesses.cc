#include "providers/iam/otds/guesses.h"

namespace postern::iam::otds {
namespace {

constexpr GuessInfo kInfos[kGuessCount] = {
    {"missing objects", "404 is the answer for what isn't there", "", ""},
    {"synchronized partitions",
     "GET /identityproviderprofiles lists them, each by the name of its partition", "", ""},
    {"disable a user",
     "PATCH of accountDisabled, which alone is `active`; accountLockedOut keeps a user out as "
     "well, "
     "and so does standing in no access role",
     "iam_user", "active"},
    {"clear an attribute", "an empty list of values takes it away", "iam_user", ""},
    {"attributes of LDAP",
     "employeeNumber, departmentNumber, o and employeeType are kept under these names", "iam_user",
     ""},
    {"remove from an access role", "POST /accessroles/{name}/members/deletionset", "iam_membership",
     "set"},
    {"replace an access role", "PUT /accessroles/{name} of the whole", "iam_membership", "set"},
    {"delete an OAuth client", "DELETE /oauthclients/{id}", "oauth_client", ""},
};

}  // namespace

const GuessInfo& InfoOf(Guess guess) {
  return kInfos[static_cast<size_t>(guess)];
}

std::string_view Guesses::StateText(Guess guess) const {
  switch (state(guess)) {
    case State::kConfirmed:
      return "confirmed";
    case State::kRefuted:
      return "refuted";
    case State::kUnconfirmed:
      break;
  }
  return "unconfirmed on this server";
}

}  // namespace postern::iam::otds
