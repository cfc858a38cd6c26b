// postern schema: JSON Schemas of the declarations, for editors, and of what --json prints.
#include "cmd/postern/command.h"
#include "core/config/json_schema.h"
#include "schemas/json_schemas.h"

namespace postern::cmd {

Run DefineSchema(Arguments& arguments) {
  auto what = std::make_shared<std::string>("tree");
  arguments = {
      {.name = "WHAT",
       .help = "tree (default) and operator: the TOML; plan and events: what --json prints",
       .text = what.get(),
       .choices = {"tree", "operator", "plan", "events"}}};
  return [what](Shell& shell) {
    if (*what == "plan" || *what == "events") {
      shell.out() << (*what == "plan" ? schemas::kPlanJson : schemas::kEventsJson) << std::flush;
    } else {
      shell.out() << config::JsonSchema(*what == "operator") << std::flush;
    }
    return static_cast<int>(kOk);
  };
}

}  // namespace postern::cmd
