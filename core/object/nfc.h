// core/object/nfc.h: Unicode's normal form C. Pure; any thread. Source: UAX #15.
#pragma once
#include <string_view>

namespace postern::object {

// Of what looks the same there is one spelling in that form. What isn't UTF-8 isn't in it.
bool IsNfc(std::string_view text);

}  // namespace postern::object
