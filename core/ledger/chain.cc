#include "core/ledger/chain.h"

#include <fmt/format.h>

#include <iterator>

namespace postern::ledger {

// Five lines of text, each ended by a newline; no field but the payload can hold one, and the
// payload is JSON on one line. So the fields can't flow into each other.
base::Digest EventHash(const base::Digest& previous, uint64_t sequence, base::Instant at,
                       std::string_view type, std::string_view payload) {
  std::string text;
  text.reserve(payload.size() + type.size() + 112);
  text += base::Hex(previous);
  text += '\n';
  const fmt::format_int sequence_text(sequence), at_text(at);
  text.append(sequence_text.data(), sequence_text.size());
  text += '\n';
  text.append(at_text.data(), at_text.size());
  text += '\n';
  text += type;
  text += '\n';
  text += payload;
  text += '\n';
  return base::Sha256(text);
}

}  // namespace postern::ledger
