#include "providers/filetransfer/server/probe_parts.h"

#include <cstdlib>

namespace postern::filetransfer {

using object::Check;

namespace {

std::string SupportWord(access::Support support) {
  switch (support) {
    case access::Support::kNative:
      return "native";
    case access::Support::kWidens:
      return "widens";
    case access::Support::kCoarser:
      return "coarser";
    default:
      return "unsupported";
  }
}

}  // namespace

Check MakeCheck(std::string name, const std::string& problem, const std::string& good) {
  return {.name = std::move(name),
          .ok = problem.empty(),
          .found = problem.empty() ? good : problem,
          .lines_to_add = {},
          .where = ""};
}

object::Capability FromProduct(const access::Capability& capability, const std::string& server) {
  object::Capability out;
  out.kind = capability.kind;
  out.field = capability.field;
  out.server = server;
  out.support = SupportWord(capability.support);
  for (int i = 0; i < access::kRightCount; ++i) {
    const auto right = static_cast<access::Right>(i);
    if (capability.widens_to.Has(right)) out.widens_to.emplace_back(access::NameOf(right));
  }
  out.why = capability.why;
  out.alternatives = capability.alternatives;
  return out;
}

int64_t ClockSkew(const std::string& host_clock, std::chrono::system_clock::time_point began,
                  std::chrono::system_clock::time_point ended) {
  const auto middle = began.time_since_epoch() + (ended - began) / 2;
  return std::strtoll(host_clock.c_str(), nullptr, 10) -
         std::chrono::duration_cast<std::chrono::milliseconds>(middle).count();
}

}  // namespace postern::filetransfer
