// core/view/import_history.h: what an import has done, as a table and as JSON. Pure.
#pragma once
#include <ostream>
#include <string>
#include <vector>

#include "core/jobs/import_history.h"
#include "core/view/style.h"

namespace postern::view {

// Newest first; under each file who held, released, accepted and applied it, in their order. Runs
// that came to no file stand among them by their time.
struct ImportHistory {
  std::string job;
  std::vector<jobs::ImportRunRow> runs;  // newest first, signatures checked of those that are shown
  std::vector<jobs::Event> events;
};
std::string RenderImportHistory(const ImportHistory& history, size_t most, const Style& style);
void WriteImportHistoryJson(const ImportHistory& history, std::ostream& out);

}  // namespace postern::view
