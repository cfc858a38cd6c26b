// providers/filetransfer/server/probe_parts.h: what probes of all products have in common. Pure.
#pragma once
#include <chrono>
#include <string>

#include "core/access/product.h"
#include "core/object/target.h"

namespace postern::filetransfer {

// `problem` empty: it is well, and `good` was found.
object::Check MakeCheck(std::string name, const std::string& problem, const std::string& good);
// A row of a product's static table, for one server.
object::Capability FromProduct(const access::Capability& capability, const std::string& server);
// How far a host's clock, in milliseconds, is ahead of the middle between two of ours.
int64_t ClockSkew(const std::string& host_clock, std::chrono::system_clock::time_point began,
                  std::chrono::system_clock::time_point ended);

}  // namespace postern::filetransfer
