// postern job schema: what the file of an export looks like, for whoever receives it.
#include <fmt/format.h>

#include <algorithm>

#include "cmd/postern/command.h"
#include "cmd/postern/plan_run.h"
#include "core/diag/codes.h"
#include "core/diag/suggest.h"
#include "core/jobs/census.h"
#include "core/jobs/format/xml_schema.h"
#include "core/jobs/mapping.h"
#include "core/view/json_writer.h"

namespace postern::cmd {
namespace {

constexpr std::string_view kSecret = "secret:";

// Hashes are text whatever their key is.
std::optional<jobs::Mapping> MappingOf(const decl::Export& declared,
                                       diag::Diagnostics* diagnostics) {
  object::Secrets any;
  for (const decl::ExportColumn& column : declared.columns().values()) {
    if (column.hash_key().starts_with(kSecret)) {
      any[column.hash_key().substr(kSecret.size())] = "any";
    }
  }
  const auto what = jobs::ParseWhat(declared.what());
  if (!what) return std::nullopt;
  const auto attributes = jobs::AttributesOf(*what, jobs::SourceTypeOf(declared));
  return jobs::Mapping::Make(declared, attributes, declared.what(), any,
                             "export." + declared.name(), diagnostics);
}

int NoSuchExport(Shell& shell, const World& world, const std::string& name) {
  std::vector<std::string_view> names;
  for (const auto& declared : world.loaded.declarations.exports) {
    names.push_back(declared.message.name());
  }
  const auto near = diag::Nearest(name, names);
  return shell.Fail(
      {.code = diag::code::kUnknownName,
       .summary = fmt::format("no export named \"{}\"", name),
       .subject = name,
       .notes = {near ? fmt::format("did you mean export.{}?", *near) : "postern job next"}});
}

int Print(Shell& shell, const std::string& asked) {
  constexpr std::string_view kExport = "export.";
  const std::string name = asked.starts_with(kExport) ? asked.substr(kExport.size()) : asked;
  World world(shell);
  if (!world.Load()) return world.PrintErrors();
  const auto& exports = world.loaded.declarations.exports;
  const auto declared = std::find_if(exports.begin(), exports.end(),
                                     [&](const auto& one) { return one.message.name() == name; });
  if (declared == exports.end()) return NoSuchExport(shell, world, name);
  const std::string& type = declared->message.format().type();
  if (type != "xml") {
    return shell.Fail({.code = diag::code::kJobFormat,
                       .summary = fmt::format("the file of export.{} is no XML", name),
                       .subject = "export." + name,
                       .notes = {fmt::format("its format is {}: its columns are those of the "
                                             "declaration, in their order",
                                             type.empty() ? "none" : type)}});
  }
  diag::Diagnostics said;
  const auto mapping = MappingOf(declared->message, &said);
  if (!mapping) return shell.Fail(said.all().front());
  const std::string text = jobs::XmlSchemaOf(mapping->shape());
  if (shell.json()) {
    view::JsonWriter(shell.out()).Object().Field("export", name).Field("schema", text).End();
  } else {
    shell.out() << text;
  }
  return kOk;
}

}  // namespace

Run DefineJobSchema(Arguments& arguments) {
  auto name = std::make_shared<std::string>();
  arguments = {{.name = "NAME", .help = "the export", .text = name.get(), .required = true}};
  return [name](Shell& shell) { return Print(shell, *name); };
}

}  // namespace postern::cmd
