#include "providers/filetransfer/server/way_rules.h"

#include <fmt/format.h>

#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

// Whoever may write in a root can make any number of links: they don't drown what else is told.
constexpr size_t kMostRules = 300;

std::string TextOf(const SecondWay& way) {
  return way.by == SecondWay::By::kLink ? "link to " + way.target : "another mount of " + way.real;
}

std::string EffectOf(const SecondWay& way) {
  if (way.path == way.real) return "it leads to nothing but, from a chroot, to what lies in that";
  return way.leads_out ? "what lies behind it isn't managed"
                       : "what lies there has this path as well";
}

}  // namespace

std::vector<object::Object> WayRules(const std::string& server,
                                     const std::vector<std::string>& roots, const SecondWays& ways,
                                     const GivenBehind& given) {
  std::vector<object::Object> out;
  size_t left_out = ways.links_left_out;
  for (const SecondWay& way : ways.ways) {
    if (out.size() == kMostRules) {
      ++left_out;
      continue;
    }
    kinds::NativeRule rule;
    rule.set_server(server);
    rule.set_file(way.path);
    rule.set_line(0);
    rule.set_text(TextOf(way));
    rule.set_path(way.real);
    rule.set_effect(EffectOf(way));
    rule.set_by(way.by == SecondWay::By::kLink ? "link" : "mount");
    if (const auto behind = given.find(way.real); behind != given.end()) {
      auto* values = rule.mutable_given();
      for (const auto& [login, rights] : behind->second) {
        if (!rights.empty()) values->add_values(fmt::format("{} {}", rights.bits(), login));
      }
    }
    out.push_back(object::Encode(rule));
  }
  if (left_out == 0 || roots.empty()) return out;
  kinds::NativeRule rest;
  rest.set_server(server);
  rest.set_file(roots.front());
  rest.set_line(0);
  rest.set_text(fmt::format("{} more links in the managed roots", left_out));
  rest.set_path(roots.size() == 1 ? roots.front() : "/");
  rest.set_effect("there are too many links to look at each of them");
  out.push_back(object::Encode(rest));
  return out;
}

}  // namespace postern::filetransfer
