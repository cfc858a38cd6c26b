// Targets that answer wrongly or not at all, on real servers: one clear diagnostic each with the
// place in the operator's file, nothing decided about them, and the others are planned.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cmd/postern/exit_code.h"
#include "tests/support/process.h"
#include "tests/support/slapd.h"
#include "tests/support/sshd.h"
#include "tests/unit/cmd/world.h"

namespace postern::cmd {
namespace {

using support::Slapd;
using support::Sshd;
using testing::HasSubstr;
using testing::Not;

// Adds blocks to the operator's file; what is there already is the memory world.
void AddTargets(const TestWorld& world, const std::string& blocks) {
  std::ofstream(world.File("operator/postern.toml"), std::ios::app) << "\n" << blocks;
}

std::string SshHost(const std::string& name, const Sshd& sshd, const std::string& known_host) {
  return fmt::format(
      "[host.{0}]\naddress = \"{1}\"\nknown_host = \"{2}\"\nidentity = \"{3}\"\n"
      "manage = {{ roots = [\"/srv/{0}\"], accounts = \"all\" }}\n\n"
      "[server.{0}-ftp]\nhost = \"{0}\"\nproduct = \"proftpd\"\n"
      "config = \"/etc/proftpd/proftpd.conf\"\nuids = {{ from = 40000, to = 40999, gid = 40000 }}\n"
      "control = {{ unit = \"proftpd.service\" }}\n",
      name, sshd.address(), known_host, sshd.identity());
}

std::string Directory(const std::string& name, const std::string& url) {
  return fmt::format(
      "[directory.{}]\nurl = \"{}\"\ntls = {{ start = false }}\n"
      "bind = {{ dn = \"{}\", password = \"secret:bind\" }}\nmanage = {{ bases = [\"{}\"] }}\n",
      name, url, Slapd::kBindDn, Slapd::kSuffix);
}

std::string Secret(const TestWorld& world, const std::string& value) {
  std::ofstream(world.File("bind")) << value;
  return fmt::format("\n[secret.bind]\nfrom = \"file:{}\"\n", world.File("bind"));
}

// The plan goes on with what answers: the memory world gains its people.
void ExpectOthersPlanned(const support::RunResult& plan) {
  EXPECT_EQ(plan.exit, kIncomplete) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("list, create on /srv/exchange/acme/in"));
  EXPECT_THAT(plan.out, HasSubstr("not observed"));
}

TEST(BadDays, WrongHostKey) {
  const support::Scratch scratch, other;
  Sshd sshd(scratch);
  ASSERT_TRUE(sshd.Start());
  support::MakeSshKey("ed25519", other.File("key"));
  const TestWorld world;
  AddTargets(world, SshHost("dmz", sshd, support::PublicKeyOf(other.File("key.pub"))));
  const support::RunResult plan = world.Postern({"plan"});
  ExpectOthersPlanned(plan);
  EXPECT_THAT(plan.err, HasSubstr("error[E0502]: host:dmz was not observed"));
  EXPECT_THAT(plan.err, HasSubstr("operator/postern.toml:"));
  EXPECT_THAT(plan.err, HasSubstr("host key"));
  EXPECT_THAT(plan.err, HasSubstr("^^^"));
  EXPECT_EQ(sshd.Authentications(), 0u);  // nothing was sent to the stranger
}

TEST(BadDays, WrongPassword) {
  Slapd slapd;
  const TestWorld world;
  AddTargets(world, Directory("lab", slapd.url()) + Secret(world, "not-the-password"));
  const support::RunResult plan = world.Postern({"plan"});
  ExpectOthersPlanned(plan);
  EXPECT_THAT(plan.err, HasSubstr("error[E0503]: directory:lab was not observed"));
  EXPECT_THAT(plan.err, HasSubstr("operator/postern.toml:"));
  EXPECT_THAT(plan.err + plan.out, Not(HasSubstr("not-the-password")));
}

TEST(BadDays, ServerThatIsNotThere) {
  const TestWorld world;
  AddTargets(world, Directory("lab", fmt::format("ldap://127.0.0.1:{}", support::FreePort())) +
                        Secret(world, "x"));
  const support::RunResult plan = world.Postern({"plan"});
  ExpectOthersPlanned(plan);
  EXPECT_THAT(plan.err, HasSubstr("error[E0501]: directory:lab was not observed"));
}

// More entries than the server gives out: what it gave isn't taken for all there is.
TEST(BadDays, SizeLimitedDirectory) {
  Slapd::Options options;
  options.limits = "size.soft=2 size.hard=2 size.prtotal=2";
  Slapd slapd(options);
  const TestWorld world;
  AddTargets(world, Directory("lab", slapd.url()) + Secret(world, Slapd::kPassword));
  const support::RunResult plan = world.Postern({"plan"});
  EXPECT_EQ(plan.exit, kOk) << plan.err;
  EXPECT_THAT(plan.err, HasSubstr("warning[E0504]"));
  EXPECT_THAT(plan.err, HasSubstr("directory:lab"));
  EXPECT_THAT(plan.err, HasSubstr("size limit"));
  EXPECT_THAT(plan.out, HasSubstr("list, create on /srv/exchange/acme/in"));
}

// Three at once: three diagnostics, and each names its own target.
TEST(BadDays, SeveralAtOnce) {
  Slapd slapd;
  const TestWorld world;
  world.Fault("edge", "unreachable");
  AddTargets(world, Directory("lab", slapd.url()) +
                        Directory("far", fmt::format("ldap://127.0.0.1:{}", support::FreePort())) +
                        Secret(world, "wrong"));
  const support::RunResult plan = world.Postern({"plan", "--json"});
  EXPECT_EQ(plan.exit, kIncomplete);
  const auto json = nlohmann::json::parse(plan.out);
  EXPECT_EQ(json["observed_all"], false);
  std::map<std::string, std::string> said;
  for (const auto& diagnostic : json["diagnostics"]) {
    if (diagnostic["severity"] == "error") said[diagnostic["subject"]] = diagnostic["code"];
  }
  const std::map<std::string, std::string> expected = {
      {"directory:far", "E0501"}, {"directory:lab", "E0503"}, {"host:edge", "E0501"}};
  EXPECT_EQ(said, expected);
  bool corp = false;
  for (const auto& change : json["changes"]) corp = corp || change["target"] == "directory:corp";
  EXPECT_TRUE(corp) << "the directory that answers is planned";
}

TEST(BadDays, AProviderThatIsNotThere) {
  const TestWorld world;
  const support::Scratch empty;
  const support::RunResult plan =
      support::RunCommand({"env", "POSTERN_PROVIDERS=" + empty.path(), POSTERN, "--operator",
                           world.File("operator/postern.toml"), "plan"});
  EXPECT_EQ(plan.exit, kIncomplete);
  EXPECT_THAT(plan.err, HasSubstr("there is no provider program"));
  EXPECT_THAT(plan.err, HasSubstr("POSTERN_PROVIDERS"));
}

}  // namespace
}  // namespace postern::cmd
