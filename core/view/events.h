// core/view/events.h: the ledger's events, for people and as JSON
// (schemas/json/events.schema.json). Pure.
#pragma once
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "core/ledger/ledger.h"
#include "core/ledger/payload.h"
#include "core/view/style.h"

namespace postern::view {

// An event with what its payload says.
struct ReadEvent {
  ledger::Event event;
  ledger::Parsed parsed;
};

// The apply that an event belongs to; nothing for those that belong to none.
std::optional<uint64_t> ApplyOf(const ledger::Parsed& parsed);

std::string RenderEvents(const std::vector<ReadEvent>& events, bool detail, const Style& style);
void WriteApplyJson(const ledger::ApplyRow& apply, const std::vector<ReadEvent>& events,
                    std::ostream& out);

}  // namespace postern::view
