// The memory provider's process. With arguments it is a tool for hand-made changes (edit.h).
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "providers/memory/edit.h"
#include "providers/memory/memory.h"
#include "providers/sdk/serve.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string verb = arguments.empty() ? "" : arguments[0];
  if (verb == "edit") {
    const auto done = postern::memory::Edit(std::span<const std::string>(arguments).subspan(1));
    if (!done) fmt::print(stderr, "{}\n", done.error().message);
    return done ? 0 : 1;
  }
  if (verb == "dump" && arguments.size() == 2) {
    const auto text = postern::memory::Dump(arguments[1]);
    fmt::print(text ? stdout : stderr, "{}", text ? *text : text.error().message + "\n");
    return text ? 0 : 1;
  }
  return postern::sdk::Serve("memory", postern::memory::OpenTarget);
}
