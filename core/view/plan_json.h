// core/view/plan_json.h: a plan for machines. schemas: README.md of this folder.
//
// Streamed: memory doesn't grow with the plan. Field names never change within format 1.
#pragma once
#include <ostream>

#include "core/diag/diagnostic.h"
#include "core/plan/plan.h"
#include "core/view/json_writer.h"

namespace postern::view {

inline constexpr char kPlanFormat[] = "1.0";

// `diagnostics` and `sources` may be null (a plan from a file).
void WritePlanJson(const plan::Plan& plan, const diag::Diagnostics* diagnostics,
                   const diag::Sources* sources, std::ostream& out);

// Pieces that other JSON outputs share.
void WriteDrift(JsonWriter& json, const plan::Plan& plan, const plan::Drift& drift);
void WriteAddress(JsonWriter& json, std::string_view target, object::Kind kind,
                  std::string_view key);
void WriteTarget(JsonWriter& json, const plan::TargetSummary& target);
void WriteDiagnostics(JsonWriter& json, const diag::Diagnostics& diagnostics,
                      const diag::Sources& sources);

}  // namespace postern::view
