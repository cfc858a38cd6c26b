// The fixture itself: starts, gives tickets, lets them expire, tells what isn't documented.
#include "tests/support/otds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::support {
namespace {

std::string LogIn(const Otds& server) {
  const nlohmann::json body = {{"userName", Otds::kAdmin}, {"password", Otds::kPassword}};
  const HttpAnswer answer = Ask({.method = "POST",
                                 .url = server.url() + "/otdsws/rest/authentication/credentials",
                                 .headers = {"Content-Type: application/json"},
                                 .body = body.dump()});
  return "OTDSTicket: " + answer.Json().value("ticket", std::string());
}

TEST(OtdsFixture, StartsAndControls) {
  Otds server({.users = 7, .prefix = "/otdstenant/acme"});
  const std::string users = server.url() + "/otdsws/rest/users?where_partition_name=Corp";
  const std::string ticket = LogIn(server);
  EXPECT_EQ(Ask({.url = users, .headers = {ticket}}).Json()["users"].size(), 7U);
  server.ExpireTickets();
  EXPECT_EQ(Ask({.url = users, .headers = {ticket}}).Json()["status"], 1034);
  server.Set("expiry", "401");
  EXPECT_EQ(Ask({.url = users, .headers = {ticket}}).status, 401);
  server.Control("POST", "/users", {{"partition", "Corp"}, {"name", "new"}});
  server.Fault({{"kind", "cut-before"}});
  EXPECT_EQ(Ask({.url = users}).status, 0);
  EXPECT_EQ(Ask({.url = users, .headers = {LogIn(server)}}).Json()["users"].size(), 8U);
}

TEST(OtdsFixture, TellsWhatIsNotDocumented) {
  Otds server;
  const std::string ticket = LogIn(server);
  Ask({.url = server.url() + "/otdsws/rest/users?limit=1", .headers = {ticket}});
  EXPECT_THAT(server.CompareRequests().undocumented, testing::IsEmpty());
  Ask({.url = server.url() + "/otdsws/rest/users?nosuch=1", .headers = {ticket}});
  EXPECT_THAT(server.CompareRequests().undocumented,
              testing::ElementsAre(testing::HasSubstr("nosuch")));
  EXPECT_EQ(server.Requests().size(), 3U);
  // A world that begins again has asked nothing yet; what was compared stays compared.
  server.Reset();
  EXPECT_EQ(server.Requests().size(), 0U);
  EXPECT_EQ(server.CompareRequests().compared, 3U);
  EXPECT_EQ(server.CompareRequests().undocumented.size(), 1U);
}

}  // namespace
}  // namespace postern::support
