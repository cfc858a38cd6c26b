// core/diag/text.h: text from outside, made fit for a terminal.
//
// Whatever a person, a file or a server wrote may carry escape sequences, bidi overrides or broken
// UTF-8; none of these may reach a terminal or a log as they are. Pure; any thread.
// Source of the bidi list: Unicode UAX #9 (explicit formatting characters) and CVE-2021-42574.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::diag {

// Takes one code point off the front of `text`. Broken UTF-8 gives -1 and takes one byte.
int32_t TakeCodePoint(std::string_view* text);

// Control characters (C0, C1, DEL), line and paragraph separators, bidi formatting, zero-width and
// byte-order marks: what a reader can't see or what moves other characters about.
bool IsHidden(int32_t code_point);
// Fast when all is plain ASCII. False for broken UTF-8, which isn't hidden but wrong.
bool HasHidden(std::string_view text);

// `text` with hidden characters as \u{202E} and broken bytes as \x{FF}; all else as it stands.
std::string Printable(std::string_view text);

// Columns on a terminal of a code point, or of text that is Printable already.
int WidthOf(int32_t code_point);
int WidthOf(std::string_view text);

}  // namespace postern::diag
