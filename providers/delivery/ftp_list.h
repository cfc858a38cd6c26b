// providers/delivery/ftp_list.h: listings of FTP servers as files. Pure; any thread.
//
// Sources: RFC 3659 section 7 (MLSD); the format of `ls -l`, which LIST has nearly everywhere and
// which no standard fixes (times in it have no zone and often no year: they aren't read).
#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "core/object/place.h"

namespace postern::delivery {

// "type=file;size=12;modify=20270101000000; name". Nothing: the folder itself, its parent, or not
// such a line.
std::optional<object::PlaceFile> ReadFacts(std::string_view line);
// "-rw-r--r-- 1 owner group 12 Jan  1 00:00 name"
std::optional<object::PlaceFile> ReadLong(std::string_view line);
// A whole answer, by name. False in `*all` when a line wasn't understood.
std::vector<object::PlaceFile> ReadListing(std::string_view text, bool facts, bool* all);

}  // namespace postern::delivery
