#include "cmd/postern/job_found.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/diag/codes.h"
#include "core/jobs/files.h"
#include "core/jobs/spec.h"

namespace postern::cmd {
namespace {

std::string DefaultSpec(const std::string& name) {
  return jobs::SpecPathOf(decl::Runner(), name);
}

void UseOperatorFileOf(Shell& shell, const decl::Runner& runner) {
  std::string& file = shell.globals.operator_file;
  std::error_code failed;
  if (file == Globals().operator_file && !std::filesystem::exists(file, failed)) {
    file = jobs::OperatorFileOf(runner);
  }
}

}  // namespace

Arguments JobArgumentsOf(JobArguments* given) {
  return {{.name = "NAME",
           .help = "the job, such as export.users",
           .text = &given->name,
           .required = true},
          {.name = "--spec",
           .value = "FILE",
           .help = "its sealed specification; default where a runner keeps it",
           .text = &given->spec},
          {.name = "--digest",
           .value = "SHA256",
           .help = "the specification must have this digest",
           .text = &given->digest}};
}

int FindJob(Shell& shell, const JobArguments& arguments, FoundJob* found) {
  const std::string path = arguments.spec.empty() ? DefaultSpec(arguments.name) : arguments.spec;
  const auto bytes = jobs::ReadSmallFile(path);
  if (!bytes) {
    std::vector<std::string> notes = {
        "--spec names its specification; `postern apply` installs it"};
    if (arguments.name.find('.') == std::string::npos) {
      notes = {fmt::format("write export.{0} or import.{0}", arguments.name)};
    }
    return shell.Fail({.code = diag::code::kUnknownName,
                       .summary = fmt::format("no job {} here", arguments.name),
                       .label = bytes.error().message,
                       .notes = std::move(notes)});
  }
  found->digest = jobs::DigestOf(*bytes);
  auto spec =
      arguments.digest.empty() ? jobs::ParseSpec(*bytes) : jobs::ReadSpec(*bytes, arguments.digest);
  if (!spec) return shell.Fail(diag::code::kEvidence, spec.error(), path);
  if (spec->name() != arguments.name) {
    return shell.Fail({.code = diag::code::kUnknownName,
                       .summary = fmt::format("{} is the specification of {}", path, spec->name()),
                       .notes = {"name the job as it is declared, such as export.users"}});
  }
  found->spec = *std::move(spec);
  found->folder = jobs::FolderOf(found->spec.runner(), found->spec.name());
  if (found->spec.has_import()) UseOperatorFileOf(shell, found->spec.runner());
  return kOk;
}

}  // namespace postern::cmd
