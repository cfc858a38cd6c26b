// core/jobs/place.h: places for jobs, and the local side of a transfer.
//
// The interface itself stands in core/object/place.h, because providers implement it too. Any
// thread; files are the caller's own.
#pragma once
#include <cstdint>
#include <string>

#include "core/jobs/format/encoding.h"
#include "core/object/place.h"

namespace postern::jobs {

using object::Place;
using object::PlaceFeatures;
using object::PlaceFile;
using object::PutOptions;

// "/in" and "users.csv": "/in/users.csv".
std::string JoinPath(const std::string& folder, const std::string& name);

// SHA-256 in hex of a file's first `limit` bytes; less when it is shorter. Cost: about 1 s a GiB.
Result<std::string> HashFile(const std::string& path, uint64_t limit = UINT64_MAX);
// Likewise of a file at a place; `bytes` gets how many there were.
Result<std::string> HashAt(Place& place, const std::string& path, uint64_t* bytes = nullptr);

}  // namespace postern::jobs
