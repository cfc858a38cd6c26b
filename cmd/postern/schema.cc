// postern schema: JSON Schema of the declarations, for editors.
#include "cmd/postern/command.h"
#include "core/config/json_schema.h"

namespace postern::cmd {

Run DefineSchema(Arguments& arguments) {
  auto operator_file = std::make_shared<bool>(false);
  arguments = {{.name = "--operator",
                .help = "of the operator's file; default: of the reviewed tree",
                .flag = operator_file.get()}};
  return [operator_file](Shell& shell) {
    shell.out() << config::JsonSchema(*operator_file) << std::flush;
    return static_cast<int>(kOk);
  };
}

}  // namespace postern::cmd
