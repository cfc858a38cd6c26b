// core/diag/render.h: diagnostics as a person or a machine reads them.
//
// Pure; any thread. Everything printed goes through Printable(), so input can't steer a terminal.
// Cost: one line lookup a span.
#pragma once
#include <string>

#include "core/diag/diagnostic.h"

namespace postern::diag {

struct RenderOptions {
  bool colour = false;
  unsigned width = 100;  // columns; source lines are cut around the span to fit
};

// All of them in the given order (call Sort first), a blank line between two.
std::string Render(const Diagnostics& diagnostics, const Sources& sources,
                   const RenderOptions& options = {});
std::string RenderOne(const Diagnostic& diagnostic, const Sources& sources,
                      const RenderOptions& options = {});
// {"diagnostics":[{"severity","code","summary","file","line","column",...}]}, indented by two.
std::string RenderJson(const Diagnostics& diagnostics, const Sources& sources);
// "10 errors, 1 warning"; "no problems" when there are neither.
std::string Summary(const Diagnostics& diagnostics);

}  // namespace postern::diag
