// providers/iam/otds/guesses.h: what is only guessed of OTDS, and what this server said to it.
// Pure.
//
// A guess that a read can settle is settled when we connect. One that only a write can settle is
// settled by the first such write: it goes alone, its effect is read back, and from then on the
// guess is confirmed in this process, or refuted: then every other such operation is denied with
// the reason, without a request. Until then probes say "unconfirmed on this server".
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::iam::otds {

enum class Guess : uint8_t {
  kMissing,           // 404 for what isn't there
  kProfiles,          // GET /identityproviderprofiles lists the synchronized partitions
  kDisable,           // PATCH accountDisabled
  kClear,             // an empty list of values takes an attribute away
  kOtherAttributes,   // LDAP's names of attributes that facts don't name
  kAccessRoleDelete,  // POST /accessroles/{name}/members/deletionset
  kAccessRolePut,     // PUT /accessroles/{name} of the whole
  kDeleteClient,      // DELETE /oauthclients/{id}
};
inline constexpr size_t kGuessCount = 8;

struct GuessInfo {
  std::string_view name;  // as probes print it
  std::string_view meaning;
  std::string_view kind, field;  // what depends on it; empty: everything
};
const GuessInfo& InfoOf(Guess guess);

class Guesses {
 public:
  enum class State : uint8_t { kUnconfirmed, kConfirmed, kRefuted };

  State state(Guess guess) const { return at(guess).state; }
  bool is_open(Guess guess) const { return state(guess) == State::kUnconfirmed; }
  bool is_refuted(Guess guess) const { return state(guess) == State::kRefuted; }
  const std::string& why(Guess guess) const { return at(guess).why; }

  void Confirm(Guess guess, std::string why) { Put(guess, State::kConfirmed, std::move(why)); }
  void Refute(Guess guess, std::string why) { Put(guess, State::kRefuted, std::move(why)); }
  // "unconfirmed on this server", "confirmed", "refuted".
  std::string_view StateText(Guess guess) const;

 private:
  struct One {
    State state = State::kUnconfirmed;
    std::string why;
  };
  const One& at(Guess guess) const { return all_[static_cast<size_t>(guess)]; }
  void Put(Guess guess, State state, std::string why) {
    all_[static_cast<size_t>(guess)] = {state, std::move(why)};
  }
  std::array<One, kGuessCount> all_;
};

}  // namespace postern::iam::otds
