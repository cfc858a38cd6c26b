// core/jobs/credentials.h: what may open a job's place, with values, in the order of trying.
//
// Pure but for `secret`. While a service account's credential is changed it has two: one whose
// secret isn't on the runner yet (or not any more) is left out, as long as the other one is there.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/object/place.h"
#include "schemas/job.pb.h"

namespace postern::jobs {

struct Credentials {
  std::vector<object::PlaceCredential> all;
  std::vector<std::string> left_out;  // "next isn't used: secret:feed: ...", for people
};

// `secret`: by its name without "secret:". Errors: that of a secret, when none is left.
Result<Credentials> CredentialsOf(
    const job::JobSpec& spec, const std::function<Result<std::string>(const std::string&)>& secret);

}  // namespace postern::jobs
