// postern init: a commented first tree.
#include <filesystem>

#include "cmd/postern/command.h"
#include "cmd/postern/files.h"
#include "core/config/starter.h"
#include "core/diag/codes.h"
#include "core/view/json_writer.h"

namespace postern::cmd {
namespace {

namespace fs = std::filesystem;

int Init(Shell& shell, const fs::path& folder) {
  const auto files = config::StarterFiles();
  std::error_code error;
  for (const config::StarterFile& file : files) {
    if (fs::exists(folder / file.path, error)) {
      return shell.Fail({.code = diag::code::kNotAllowed,
                         .summary = (folder / file.path).string() + " is there already",
                         .notes = {"nothing was written; name another folder: postern init DIR"}});
    }
  }
  std::vector<std::string> written;
  for (const config::StarterFile& file : files) {
    const fs::path path = folder / file.path;
    fs::create_directories(path.parent_path(), error);
    if (error) {
      return shell.Fail({.code = diag::code::kFileUnreadable,
                         .summary = path.parent_path().string() + ": " + error.message()});
    }
    if (auto wrote = WriteFile(path.string(), file.text); !wrote) {
      return shell.Fail(diag::code::kFileUnreadable, wrote.error());
    }
    written.push_back(path.string());
  }
  if (shell.json()) {
    view::JsonWriter json(shell.out());
    json.Object().Strings("written", written).End();
    return kOk;
  }
  for (const std::string& path : written)
    shell.Say("wrote " + view::Safe(path, shell.style()) + "\n");
  shell.Say("Next: say in operator/postern.toml which servers these are, then postern validate.\n");
  return kOk;
}

}  // namespace

Run DefineInit(Arguments& arguments) {
  auto folder = std::make_shared<std::string>(".");
  arguments = {{.name = "DIR", .help = "default: here", .text = folder.get()}};
  return [folder](Shell& shell) { return Init(shell, *folder); };
}

}  // namespace postern::cmd
