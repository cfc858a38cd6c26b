// providers/filetransfer/proftpd/names.h: which paths and names can stand in a ProFTPD rule. Pure.
//
// Source: block names are patterns (`*`, `?`, `[`), `%u` and a leading `~` are substituted at
// login, a quote or a newline ends the word; lists split at commas and blanks, `!` negates, AND, OR
// and regex are words of the language. All observed on 1.3.8.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace postern::proftpd {

// Why the path can't be named in a <Directory>; empty: it can.
std::string WhyPathUnfit(std::string_view path);
// Why an account or group name can't be named in AllowUser or AllowGroup; empty: it can.
std::string WhyNameUnfit(std::string_view name);

// "/srv/[x]" -> "/srv/[[]x]": a pattern that matches only that text.
std::string EscapePath(std::string_view path);
// The reverse; nothing when the text is a pattern that matches more than one path.
std::optional<std::string> UnescapePath(std::string_view pattern);

}  // namespace postern::proftpd
