// core/view/import_view.h: what a run of an import took, for people and for programs. Any thread.
#pragma once
#include <ostream>
#include <string>
#include <vector>

#include "core/jobs/quarantine.h"
#include "core/jobs/release.h"

namespace postern::view {

// A line a file, its reasons below; a held one with the plan that it would be.
std::string RenderImport(const std::string& import, const std::vector<jobs::FileOutcome>& files);
// `waiting`: what isn't complete yet, a line each.
void WriteImportJson(const std::string& import, const std::vector<jobs::FileOutcome>& files,
                     const std::vector<std::string>& waiting, std::ostream& out);
// Of a held run: the text that a releaser signs, to the byte.
void WriteReleaseJson(const jobs::HeldRun& run, const std::string& reason, std::ostream& out);

}  // namespace postern::view
