// providers/iam/otds/writes.h: the next request of an operation on one object. Pure.
//
// An operation is carried out by reading, deciding here, writing, and reading again, until there is
// nothing left to write: so nothing is answered by what was merely sent, and a write whose answer
// was lost is decided like any other.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/iam/http/http_client.h"
#include "providers/iam/otds/guesses.h"
#include "providers/iam/otds/target.h"

namespace postern::iam::otds {

// What became of an operation so far.
struct Progress {
  bool written = false;  // a write of it was answered with success
  bool unsure = false;   // a write of it has no answer
  bool renamed = false;
  bool secret_set = false;  // or seen to be the stored one
};

struct Next {
  enum class Need : uint8_t { kNothing, kRefuse, kWrite } need = Need::kNothing;
  std::string why;            // of a refusal
  bool precondition = false;  // a refusal because it isn't as planned
  HttpRequest request;
  std::vector<Guess> guesses;  // that the write relies on
  bool only_guessed = false;   // nothing else is in it: a refusal refutes them
  bool renames = false, sets_secret = false;
};

struct WriteContext {
  const Names* names = nullptr;
  const Guesses* guesses = nullptr;
  const object::Secrets* secrets = nullptr;
  // Why nothing may be written in a partition; empty: it may.
  std::function<std::string(std::string_view)> why_not_written;
};

// `at`: the object under its key of now; `other`: of a rename, what stands under the new key.
Next NextWrite(const object::Operation& op, const Progress& progress, const Live& at,
               const Live* other, const WriteContext& context);

// The value of "secret:NAME"; null: it wasn't sent along.
const std::string* SecretValue(std::string_view reference, const object::Secrets& secrets);
// The reference to the secret that the operation sets; empty: none.
std::string SecretWanted(const object::Operation& op);

}  // namespace postern::iam::otds
