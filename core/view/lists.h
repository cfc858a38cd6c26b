// core/view/lists.h: the ledger, the providers and single objects, as tables and as JSON. Pure.
#pragma once
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "core/compile/desired.h"
#include "core/ledger/ledger.h"
#include "core/plan/plan.h"
#include "core/view/json_writer.h"
#include "core/view/style.h"

namespace postern::view {

std::string RenderApplies(const std::vector<ledger::ApplyRow>& applies, const Style& style);
std::string RenderApply(const ledger::ApplyRow& apply, const Style& style);
void WriteApply(JsonWriter& json, const ledger::ApplyRow& apply);
void WriteAppliesJson(const std::vector<ledger::ApplyRow>& applies, std::ostream& out);

// A declared target and what its provider says of it.
struct ProviderLine {
  std::string target, address, program;
  bool asked = false, reached = false;
  std::string error;
  object::Probe probe;
};
std::string RenderProviders(const std::vector<ProviderLine>& lines, const Style& style);
// Every check of every target, with the lines to add where one fails.
std::string RenderDoctor(const std::vector<ProviderLine>& lines, const Style& style);
void WriteProvidersJson(const std::vector<ProviderLine>& lines, std::ostream& out);

// All that is known of one object: `postern explain ADDRESS`.
struct Story {
  std::string target;
  object::Kind kind{};
  std::string key;
  const compile::DesiredObject* wanted = nullptr;
  std::vector<compile::Provenance> sources;
  std::vector<std::string> places;  // parallel to `sources`
  std::optional<ledger::Recorded> recorded;
  enum class Live : uint8_t { kNotAsked, kValue, kAbsent, kUnreadable } live = Live::kNotAsked;
  object::Object object;    // with kValue
  std::string live_reason;  // why it wasn't asked, or couldn't be read
  const plan::Change* change = nullptr;
};
std::string RenderStory(const Story& story, const Style& style);
void WriteStoryJson(JsonWriter& json, const Story& story);

}  // namespace postern::view
