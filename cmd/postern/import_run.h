// cmd/postern/import_run.h: one run of an import, as `postern job run` makes it. Main thread.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cmd/postern/shell.h"
#include "core/base/time.h"
#include "core/config/declarations.h"
#include "core/jobs/job_lock.h"
#include "core/jobs/place.h"

namespace postern::cmd {

// A connection to the endpoint that the import fetches from.
struct Origin {
  std::unique_ptr<jobs::Place> place;
  std::string credential;  // fingerprint, or name, of what opened it
};
using OpenOrigin = std::function<Result<Origin>(const config::Declarations& declarations,
                                                const decl::Import& import)>;

// `lock` is the job's. Exit codes: kOk also when there was nothing to do, kRefused a file is held,
// refused or newly found too old, kPartly one is accepted and not applied as a whole.
int RunImportJob(Shell& shell, const std::string& name, base::Instant now,
                 const jobs::JobLock& lock, const OpenOrigin& open);

// By "import.NAME" or NAME; null: none is declared.
const decl::Import* ImportNamed(const config::Declarations& all, std::string_view name);
// STATE/jobs/import.NAME; empty: its runner isn't declared, and the loader has said so.
std::string FolderOfImport(const config::Declarations& all, const decl::Import& import);
int NoSuchImport(Shell& shell, const std::string& name);

}  // namespace postern::cmd
