// postern providers list | doctor: who serves which target, and what the targets still need.
#include "cmd/postern/command.h"
#include "cmd/postern/plan_run.h"
#include "core/provider/client.h"
#include "core/view/lists.h"

namespace postern::cmd {
namespace {

using view::ProviderLine;

std::string ProviderOf(const std::string& address, const char* otherwise) {
  return provider::ProviderProgram(address.starts_with("memory:") ? "memory" : otherwise);
}

std::vector<ProviderLine> Declared(const config::Declarations& declarations) {
  std::vector<ProviderLine> lines;
  for (const auto& directory : declarations.directories) {
    ProviderLine line;
    line.target = "directory:" + directory.message.name();
    line.address = directory.message.url();
    line.program = ProviderOf(line.address, "directory");
    lines.push_back(std::move(line));
  }
  for (const auto& iam : declarations.iams) {
    ProviderLine line;
    line.target = "iam:" + iam.message.name();
    line.address = iam.message.url();
    line.program = ProviderOf(line.address, "iam");
    lines.push_back(std::move(line));
  }
  for (const auto& host : declarations.hosts) {
    ProviderLine line;
    line.target = "host:" + host.message.name();
    line.address = host.message.address();
    line.program = ProviderOf(line.address, "filetransfer");
    lines.push_back(std::move(line));
  }
  for (const auto& runner : declarations.runners) {
    ProviderLine line;
    line.target = "runner:" + runner.message.name();
    for (const auto& host : declarations.hosts) {
      if (host.message.name() == runner.message.host()) line.address = host.message.address();
    }
    line.program = ProviderOf(line.address, "runner");
    lines.push_back(std::move(line));
  }
  return lines;
}

void Ask(observe::OpenTarget& open, ProviderLine* line) {
  line->asked = true;
  if (open.target == nullptr) {
    line->error = open.error.message;
    return;
  }
  auto probe = open.target->ProbeTarget();
  if (!probe) {
    line->error = probe.error().message;
    return;
  }
  line->reached = true;
  line->probe = *std::move(probe);
}

int List(Shell& shell) {
  World world(shell);
  if (!world.Load()) return world.PrintErrors();
  const std::vector<ProviderLine> lines = Declared(world.loaded.declarations);
  if (shell.json()) {
    view::WriteProvidersJson(lines, shell.out());
  } else {
    shell.Say(view::RenderProviders(lines, shell.style()));
  }
  return kOk;
}

int Doctor(Shell& shell) {
  World world(shell);
  if (!world.Load()) return world.PrintErrors();
  if (auto opened = world.OpenLedger(World::LedgerUse::kRead); !opened) {
    return shell.Fail(LedgerCode(opened.error()), opened.error());
  }
  world.Connect();
  std::vector<ProviderLine> lines = Declared(world.loaded.declarations);
  int code = kOk;
  for (ProviderLine& line : lines) {
    for (observe::OpenTarget& open : world.targets) {
      if (open.name == line.target) Ask(open, &line);
    }
    if (!line.reached) code = FirstOf({code, kIncomplete});
    for (const object::Check& check : line.probe.checks) {
      if (!check.ok) code = kError;
    }
  }
  if (shell.json()) {
    view::WriteProvidersJson(lines, shell.out());
  } else {
    shell.Say(view::RenderDoctor(lines, shell.style()));
  }
  return code;
}

}  // namespace

Run DefineProvidersList(Arguments&) {
  return [](Shell& shell) { return List(shell); };
}

Run DefineProvidersDoctor(Arguments&) {
  return [](Shell& shell) { return Doctor(shell); };
}

}  // namespace postern::cmd
