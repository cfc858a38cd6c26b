// core/diag/suggest.h: "did you mean ...?". Pure; any thread.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace postern::diag {

// Edits (insert, delete, replace, swap of neighbours) from one text to the other, in bytes,
// case-blind; gives up above `limit` and returns limit + 1. Cost: O(length x length), with an early
// end. Source: Damerau-Levenshtein in its restricted (optimal string alignment) form.
int EditDistance(std::string_view a, std::string_view b, int limit);

// How many edits are still a slip of the finger for a word of this length.
int SlipLimit(size_t length);

// The nearest candidate within the limit, the first of equals; nothing when none is near.
std::optional<std::string_view> Nearest(std::string_view word,
                                        std::span<const std::string_view> candidates);

}  // namespace postern::diag
