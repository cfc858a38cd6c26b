// The IAM provider's SCIM side over servers that nobody here wrote: a lax one, the same behind a
// proxy that adds versions, a process that is killed between its writes, and a strict one.
#include "tests/conformance/scim_world.h"

namespace postern::conformance {
namespace {

using Server = support::ScimServer::Kind;

const std::vector<Kind> kEntries = {Kind::kIamUser, Kind::kIamGroup};
const std::vector<Kind> kAll = {Kind::kIamUser, Kind::kIamGroup, Kind::kIamMembership};

// A bystander with an unreadable field only where a field can be spoilt.
std::vector<Param> Of(const std::string& name, const std::vector<Kind>& kinds,
                      const ScimWorld::Setup& setup) {
  std::vector<Param> params =
      Params(name, kinds, [=] { return std::make_unique<ScimWorld>(setup); });
  std::erase_if(params, [&](const Param& param) { return param.unreadable != (name == "spoilt"); });
  return params;
}

INSTANTIATE_TEST_SUITE_P(Scimmy, Conformance,
                         testing::ValuesIn(Of("scimmy", kEntries,
                                              {.kind = Server::kScimmy, .many = 1000})),
                         ParamName);
// A group of hundreds takes scimmy as many milliseconds a member.
INSTANTIATE_TEST_SUITE_P(ScimmyMembers, Conformance,
                         testing::ValuesIn(Of("scimmy", {Kind::kIamMembership},
                                              {.kind = Server::kScimmy, .many = 250})),
                         ParamName);
INSTANTIATE_TEST_SUITE_P(Spoilt, Conformance,
                         testing::ValuesIn(Of("spoilt", {Kind::kIamUser},
                                              {.kind = Server::kScimmy, .many = 100})),
                         ParamName);
INSTANTIATE_TEST_SUITE_P(
    Versions, Conformance,
    testing::ValuesIn(Of("versions", {Kind::kIamUser, Kind::kIamMembership},
                         {.kind = Server::kScimmy, .many = 100, .etags = true})),
    ParamName);
INSTANTIATE_TEST_SUITE_P(
    Process, Conformance,
    testing::ValuesIn(Of("scimmy_process", kAll,
                         {.kind = Server::kScimmy, .many = 30, .process = true})),
    ParamName);
INSTANTIATE_TEST_SUITE_P(BetterAuth, Conformance,
                         testing::ValuesIn(Of("better_auth", kAll,
                                              {.kind = Server::kBetterAuth, .many = 100})),
                         ParamName);

}  // namespace
}  // namespace postern::conformance
