// Certificates as declared: an authority of the operator's, principals of accounts, a revocation
// list; ordinary clients with certificates by ssh-keygen as witnesses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "providers/filetransfer/openssh/login.h"
#include "tests/live/openssh/world.h"
#include "tests/live/openssh_product/machine.h"
#include "tests/support/scratch.h"
#include "tests/support/sshd.h"

namespace postern::live {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kIn = kExchange + "/in", kList = "/srv/ca/revoked";

class Certificates : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Machine::Get().entered());
    std::filesystem::remove_all("/srv/ca");
    std::filesystem::create_directories("/srv/ca");
    for (const char* name : {"ca", "other"}) {
      support::MakeSshKey("ed25519", std::string("/srv/ca/") + name);
    }
    Revoke("");
    SshdWorld::Options options{.pam = GetParam()};
    options.server = "certificates = { authorities = [\"" + support::PublicKeyOf("/srv/ca/ca.pub") +
                     "\"], revoked = \"" + kList + "\" }";
    world_ = std::make_unique<SshdWorld>(options);
    SshdWorld::MakeFolder(kIn);
    ASSERT_TRUE(world_->Start());
  }
  void Declare(const std::string& of_bea) {
    world_->Declare(
        SshdWorld::Person("bea", of_bea) + SshdWorld::Person("ana", "principals = [\"ana\"]") +
        SshdWorld::Folder("in", kIn) + SshdWorld::Grant("person:bea", "in", R"("list", "read")"));
  }
  // The client's key "two" gets a certificate.
  static void Sign(const std::string& names, int serial, const std::string& authority = "ca") {
    std::filesystem::remove("/srv/clients/two-cert.pub");
    SshdWorld::Run({"ssh-keygen", "-q", "-s", "/srv/ca/" + authority, "-I", "two@test", "-n", names,
                    "-z", std::to_string(serial), "/srv/clients/two.pub"});
  }
  // A list with these lines of ssh-keygen's, put in place as a whole.
  static void Revoke(const std::string& spec) {
    std::ofstream("/srv/ca/spec") << spec;
    SshdWorld::Run(
        {"ssh-keygen", "-q", "-k", "-s", "/srv/ca/ca.pub", "-f", kList + ".new", "/srv/ca/spec"});
    std::filesystem::rename(kList + ".new", kList);
  }
  bool LetsIn(const std::string& login) const { return world_->LetsIn(login, "two"); }

  std::unique_ptr<SshdWorld> world_;
};
INSTANTIATE_TEST_SUITE_P(Pam, Certificates, testing::Bool(),
                         [](const auto& info) { return info.param ? "Pam" : "NoPam"; });

TEST_P(Certificates, OfADeclaredNameOpenTheAccountUntilTheNameIsGone) {
  Declare(R"(principals = ["bea", "ops"])");
  world_->ApplyAll();
  EXPECT_FALSE(LetsIn("bea-in")) << "the key alone opens nothing";
  Sign("ops", 1);
  EXPECT_TRUE(world_->Sftp("bea-in", "two", "get " + kIn + "/old /dev/null\n").exit == 0);
  EXPECT_FALSE(LetsIn("ana-in"));
  Sign("bea-in", 2);
  EXPECT_FALSE(LetsIn("bea-in")) << "the login's own name isn't one of those declared";
  Sign("ops", 3, "other");
  EXPECT_FALSE(LetsIn("bea-in")) << "nobody trusts that authority";
  Sign("ops,ana", 4);
  EXPECT_TRUE(LetsIn("bea-in"));
  EXPECT_TRUE(LetsIn("ana-in"));

  const auto session = world_->OpenSession("bea-in", "two");
  ASSERT_TRUE(session->Alive());
  Declare(R"(principals = ["bea"])");
  EXPECT_THAT(world_->Postern({"plan", "--detail"}).out, HasSubstr("principals"));
  world_->ApplyAll();
  EXPECT_FALSE(session->Alive()) << "the open session is ended";
  EXPECT_FALSE(LetsIn("bea-in"));
  EXPECT_TRUE(LetsIn("ana-in"));
  Sign("bea", 5);
  EXPECT_TRUE(LetsIn("bea-in"));
  Declare("");
  world_->ApplyAll();
  EXPECT_FALSE(LetsIn("bea-in"));
}

// What is declared is what the raiser reads in the files, and what is added by hand is more.
TEST_P(Certificates, TheRaiserSaysWhatIsDeclaredAndAnEditIsDrift) {
  Declare(R"(principals = ["bea", "ops"])");
  world_->ApplyAll();
  openssh::AccountKeys keys;
  const std::string file = "/srv/ssh/keys/bea-in";
  keys.keys = openssh::ParseAuthorizedKeys(support::ReadFile(file)).keys;
  EXPECT_THAT(openssh::PrincipalsThatOpen({.user = "bea-in", .address = "127.0.0.1"}, {}, keys, 1),
              ElementsAre("bea", "ops"));
  SshdWorld::Run({"sed", "-i", "s/bea,ops/bea,guest,ops/", file});
  Sign("guest", 1);
  EXPECT_TRUE(LetsIn("bea-in"));
  const auto drift = world_->Postern({"drift"});
  EXPECT_THAT(drift.out, AllOf(HasSubstr("more access  bea"), HasSubstr("guest")));
  world_->ApplyAll();
  EXPECT_FALSE(LetsIn("bea-in"));
  // An authority by other hands is one more key, where the keys are declared.
  Declare(R"(principals = ["bea", "ops"])"
          "\n" +
          world_->KeysLine({"one"}));
  world_->ApplyAll();
  std::ofstream(file, std::ios::app) << "cert-authority,principals=\"guest\" "
                                     << support::PublicKeyOf("/srv/ca/other.pub") << "\n";
  Sign("guest", 1, "other");
  EXPECT_TRUE(LetsIn("bea-in"));
  EXPECT_THAT(world_->Postern({"drift"}).out, HasSubstr("more access  bea"));
  world_->ApplyAll();
  EXPECT_FALSE(LetsIn("bea-in"));
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
}

TEST_P(Certificates, ARevokedSerialIsRefusedAtOnce) {
  Declare(R"(principals = ["bea"])");
  world_->ApplyAll();
  Sign("bea", 7);
  EXPECT_TRUE(LetsIn("bea-in"));
  Revoke("serial: 7\n");
  EXPECT_FALSE(LetsIn("bea-in"));
  Sign("bea", 8);
  EXPECT_TRUE(LetsIn("bea-in"));
  Revoke("serial: 7\nid: two@test\n");
  EXPECT_FALSE(LetsIn("bea-in"));
  EXPECT_TRUE(world_->PlanIsEmpty()) << "the list is its authority's business";
}

TEST_P(Certificates, WhoseListIsntLookedUpIsMoreAndHealed) {
  Declare(R"(principals = ["bea"])");
  world_->ApplyAll();
  EXPECT_THAT(support::ReadFile(world_->include()), HasSubstr("RevokedKeys \"" + kList + "\""));
  SshdWorld::Run({"sed", "-i", "/RevokedKeys/d", world_->include()});
  const auto drift = world_->Postern({"drift"});
  EXPECT_THAT(drift.out, AllOf(HasSubstr("more access  bea"), HasSubstr("unrevoked")));
  world_->ApplyAll();
  EXPECT_THAT(support::ReadFile(world_->include()), HasSubstr("RevokedKeys \"" + kList + "\""));
}

// Plain keys are looked up in the list as well. The list is the operator's: nothing else changes,
// and who has keys alone gets the new one by the same plan.
TEST_P(Certificates, AnotherListReachesWhoHasKeysAloneByTheSamePlan) {
  const std::string people = SshdWorld::Person("bea", world_->KeysLine({"one"})) +
                             SshdWorld::Person("ana", world_->KeysLine({"two"}));
  world_->Declare(people);
  world_->ApplyAll();
  EXPECT_THAT(support::ReadFile(world_->include()), HasSubstr("RevokedKeys \"" + kList + "\""));
  const std::string other = "/srv/ca/other-list", file = "/srv/postern/operator/postern.toml";
  SshdWorld::Run({"ssh-keygen", "-q", "-k", "-f", other, "/srv/clients/one.pub"});
  SshdWorld::Run({"sed", "-i", "s#\"" + kList + "\"#\"" + other + "\"#", file});
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
  EXPECT_THAT(world_->Postern({"plan", "--detail"}).out, HasSubstr("unrevoked"));
  world_->ApplyAll();
  EXPECT_THAT(support::ReadFile(world_->include()),
              AllOf(HasSubstr("RevokedKeys \"" + other + "\""), Not(HasSubstr(kList + "\""))));
  EXPECT_FALSE(world_->LetsIn("bea-in", "one")) << "the new list has that key";
  EXPECT_TRUE(world_->LetsIn("ana-in", "two"));
  // Not declared any more: a list that its authority then removes must shut nobody.
  SshdWorld::Run({"sed", "-i", "s#, revoked = \"" + other + "\"##", file});
  world_->ApplyAll();
  EXPECT_THAT(support::ReadFile(world_->include()), Not(HasSubstr("RevokedKeys")));
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
}

// sshd with a list that it can't read refuses every key: so it is never told of one.
TEST_P(Certificates, AListThatIsntThereOpensNothingAndShutsNobody) {
  Declare(world_->KeysLine({"one"}));
  std::filesystem::remove(kList);
  const auto refused = world_->Postern({"apply", "--yes"});
  EXPECT_NE(refused.exit, 0);
  EXPECT_THAT(refused.out + refused.err, HasSubstr("revocation list " + kList + " isn't there"));
  const auto doctor = world_->Postern({"providers", "doctor"});
  EXPECT_THAT(doctor.out + doctor.err, HasSubstr("revocation list"));
  Revoke("");
  world_->ApplyAll();
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
  // Later it goes, and is broken: access can still be taken away.
  std::ofstream(kList, std::ios::trunc) << "garbage\n";
  EXPECT_FALSE(world_->LetsIn("bea-in", "one")) << "sshd fails closed";
  const auto broken = world_->Postern({"providers", "doctor"});
  EXPECT_THAT(broken.out + broken.err, HasSubstr("neither made by ssh-keygen -k nor a list"));
  world_->Declare(SshdWorld::Person("bea", world_->KeysLine({"one"})));
  world_->ApplyAll();
  Revoke("");
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
  EXPECT_FALSE(world_->Sftp("bea-in", "one", "get " + kIn + "/old /dev/null\n").exit == 0);
}

}  // namespace
}  // namespace postern::live
