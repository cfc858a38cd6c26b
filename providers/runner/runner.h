// providers/runner/runner.h: a machine where jobs run, as core/object/target.h wants it.
//
// A job is its sealed specification (STATE/jobs/NAME/spec.json, 0600, of the runner's user) and
// what wakes it: a timer and a service of systemd, or a file for cron. Its runs are processes of
// the runner's user that hold STATE/jobs/NAME/lock. What runs made (files, history) is never
// touched.
#pragma once
#include <memory>

#include "core/object/target.h"

namespace postern::provider::v1 {
class TargetConfig;
}

namespace postern::runner {

// Checks the configuration and connects to nothing yet. kInvalid, naming the field, when it can't
// be right.
Result<std::unique_ptr<object::Target>> MakeTarget(const provider::v1::TargetConfig& config,
                                                   const object::Secrets& secrets);

}  // namespace postern::runner
