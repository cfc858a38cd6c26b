// postern version.
#include <fmt/format.h>

#include "cmd/postern/command.h"
#include "core/object/wire.h"
#include "core/view/json_writer.h"
#include "core/view/plan_json.h"

namespace postern::cmd {
namespace {

int Version(Shell& shell) {
  if (shell.json()) {
    view::JsonWriter json(shell.out());
    json.Object().Field("version", POSTERN_VERSION).Field("plan_format", view::kPlanFormat);
    json.Field("provider_protocol", object::kProtocol).End();
  } else {
    shell.Say(fmt::format("postern {} (plan format {}, provider protocol {})\n", POSTERN_VERSION,
                          view::kPlanFormat, object::kProtocol));
  }
  return kOk;
}

}  // namespace

Run DefineVersion(Arguments&) {
  return [](Shell& shell) { return Version(shell); };
}

}  // namespace postern::cmd
