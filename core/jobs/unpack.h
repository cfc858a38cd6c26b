// core/jobs/unpack.h: the one file in a gzip or zip file that a sender packed.
//
// A little can hold a lot, and an archive may name any path: so one member, a plain file without
// a path, and a bound on what comes out. zlib and libarchive read. Any thread; memory of
// some 100 KiB. Source: IAM facts §6.2, RFC 1952, APPNOTE.TXT of zip.
#pragma once
#include <cstdint>
#include <string>

#include "core/base/result.h"

namespace postern::jobs {

// By the ending of the name, below one of a seal: "roster.csv.gz.gpg" is packed by gzip.
enum class Pack : uint8_t { kNone, kGzip, kZip };
Pack PackOf(const std::string& name);

// What is in `from`, into `to` (0600, whole or not at all). kInvalid: not what its name says,
// damaged, cut off, more than one member, bytes behind its end, a member that is encrypted, no
// plain file or named by a path. kIncomplete: more than `limit` bytes, or more than 200 times its
// own size (deflate does 1,032 at the most, text 20). Other errors are those of the disk.
Result<void> Unpack(Pack pack, const std::string& from, uint64_t limit, const std::string& to);

}  // namespace postern::jobs
