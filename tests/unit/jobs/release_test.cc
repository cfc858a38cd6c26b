// Releases of held imports, with keys and signatures of ssh-keygen.
#include "core/jobs/release.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/scratch.h"

namespace postern::jobs::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr char kReason[] = "the night shift's contract ended";

std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Release : public testing::Test {
 protected:
  Release() {
    for (const char* name : {"zoe", "li", "eve"})
      Shell("ssh-keygen -q -t ed25519 -N '' -f " + Path(name));
    for (const char* name : {"zoe", "li"}) {
      decl::Releaser releaser;
      releaser.set_name(name);
      releaser.set_for_(std::string("person:") + name);
      std::string key = Slurp(Path(name) + ".pub");
      key.pop_back();
      releaser.mutable_keys()->add_values(key);
      all_.releasers.push_back({releaser, {}, {}});
    }
  }
  std::string Path(const std::string& name) const { return scratch_.path() + "/" + name; }
  void Shell(const std::string& command) const {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    const int code = std::system((command + " >/dev/null 2>&1").c_str());
    ASSERT_EQ(code, 0) << command;
  }
  std::string Sign(const std::string& who, const std::string& text,
                   const std::string& space = kReleaseNamespace) {
    std::ofstream(Path("text"), std::ios::binary) << text;
    fs::remove(Path("text.sig"));
    Shell("ssh-keygen -Y sign -f " + Path(who) + " -n " + space + " " + Path("text"));
    return Slurp(Path("text.sig"));
  }
  ReleaseVerdict Verify(const std::string& signature) {
    auto verdict = VerifyRelease(held_, reason_, signature, all_, scratch_.path());
    EXPECT_TRUE(verdict) << verdict.error().message;
    return verdict ? *verdict : ReleaseVerdict{};
  }

  support::Scratch scratch_;
  config::Declarations all_;
  HeldRun held_{"import.acme", "0123", "roster_2.csv", "ab", "7f3a", "li@runner", {}, {}};
  std::string reason_ = kReason;
};

TEST_F(Release, ASecondPersonsSignatureCounts) {
  EXPECT_EQ(Verify(Sign("zoe", ReleaseText(held_, kReason))).releaser, "zoe");
}

TEST_F(Release, NeverOfWhoStartedTheRun) {
  const ReleaseVerdict own = Verify(Sign("li", ReleaseText(held_, kReason)));
  EXPECT_EQ(own.releaser, "");
  EXPECT_THAT(own.why, HasSubstr("person:li started this run"));
  // Also under another login of the same person.
  held_.started_by = "zw@runner";
  decl::Account account;
  account.set_name("zoe-work");
  account.set_login("zw");
  account.set_for_("person:zoe");
  all_.accounts.push_back({account, {}, {}});
  EXPECT_EQ(Verify(Sign("zoe", ReleaseText(held_, kReason))).releaser, "");
}

// A hand-started run is the runner's user's; who made him run it isn't a second person either.
TEST_F(Release, NeverOfWhoHadItStarted) {
  held_.started_by = "jobs@runner";
  const std::string by_li = Sign("li", ReleaseText(held_, kReason));
  EXPECT_EQ(Verify(by_li).releaser, "li");
  held_.behind = {"zoe@runner"};
  EXPECT_EQ(Verify(by_li).releaser, "li") << "it is only ever against whom it names";
  held_.behind = {"zoe@runner", "li@runner"};
  EXPECT_THAT(Verify(by_li).why, HasSubstr("person:li started this run"));
  EXPECT_EQ(StarterOf(held_), "jobs@runner for zoe@runner and li@runner");
}

struct StarterCase {
  const char* name;
  std::string started_by;
  std::vector<std::string> behind;
  bool is_li;
};
class Starter : public testing::TestWithParam<StarterCase> {};

// li has the account li-ftp, which is called lw, and the directory entry li.wong of uid liw.
TEST_P(Starter, IsKnownByAllTheirLogins) {
  config::Declarations all;
  decl::Account account;
  account.set_name("li-ftp");
  account.set_login("lw");
  account.set_for_("person:li");
  all.accounts.push_back({account, {}, {}});
  decl::User entry;
  entry.set_name("li.wong");
  entry.set_uid("liw");
  entry.set_for_("person:li");
  all.users.push_back({entry, {}, {}});
  const HeldRun held{"import.acme",         "0123", "f.csv",          "ab", "7f",
                     GetParam().started_by, {},     GetParam().behind};
  EXPECT_EQ(HasStarted(held, "person:li", all), GetParam().is_li);
}

INSTANTIATE_TEST_SUITE_P(
    All, Starter,
    testing::Values(StarterCase{"Nobody", "jobs@n", {}, false},
                    StarterCase{"Herself", "li@n", {}, true},
                    StarterCase{"BySudo", "jobs@n", {"li@n"}, true},
                    StarterCase{"ByOneOfTwo", "jobs@n", {"root@n", "li@n"}, true},
                    StarterCase{"ByHerAccount", "jobs@n", {"lw@n"}, true},
                    StarterCase{"ByHerEntry", "jobs@n", {"liw@n"}, true},
                    StarterCase{"SomebodyElse", "jobs@n", {"zoe@n"}, false},
                    // A name that was made up takes nobody away.
                    StarterCase{"HerselfAndAForgery", "li@n", {"zoe@n"}, true}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(Release, TheReasonIsSignedToo) {
  const std::string good = Sign("zoe", ReleaseText(held_, kReason));
  EXPECT_EQ(Verify(good).releaser, "zoe");
  reason_ = "something else";
  EXPECT_EQ(Verify(good).releaser, "");
  EXPECT_FALSE(Verify(good).of_unknown_key) << "it is a signature over something else";
  reason_ = "";
  EXPECT_EQ(Verify(good).releaser, "");
  // Releases in older ledgers have none, and hold still.
  const std::string old = Sign("zoe", ReleaseText(held_, ""));
  EXPECT_THAT(ReleaseText(held_, ""), testing::StartsWith("postern release 1\n"));
  EXPECT_EQ(Verify(old).releaser, "zoe");
  EXPECT_NE(WhyNoReason(""), "");
  EXPECT_NE(WhyNoReason("  "), "");
  EXPECT_NE(WhyNoReason("two\nlines"), "");
  EXPECT_NE(WhyNoReason("\xff"), "");
  EXPECT_NE(WhyNoReason(std::string(501, 'a')), "");
  EXPECT_EQ(WhyNoReason(kReason), "");
}

TEST_F(Release, AKeyThatNoReleaserHasIsToldFromABrokenSignature) {
  EXPECT_TRUE(Verify(Sign("eve", ReleaseText(held_, kReason))).of_unknown_key);
  EXPECT_FALSE(Verify("nonsense").of_unknown_key);
  EXPECT_FALSE(Verify(Sign("eve", "another text")).of_unknown_key);
}

TEST_F(Release, OnlyOverExactlyThisPlan) {
  const std::string good = Sign("zoe", ReleaseText(held_, kReason));
  for (std::string HeldRun::*field :
       {&HeldRun::job, &HeldRun::run, &HeldRun::file_sha256, &HeldRun::plan_digest}) {
    const HeldRun before = held_;
    held_.*field += "0";
    EXPECT_EQ(Verify(good).releaser, "");
    held_ = before;
  }
  EXPECT_EQ(Verify(good).releaser, "zoe");
}

TEST_F(Release, NoOtherKeyNamespaceOrText) {
  EXPECT_EQ(Verify(Sign("eve", ReleaseText(held_, kReason))).releaser, "");
  EXPECT_EQ(Verify(Sign("zoe", ReleaseText(held_, kReason), "file")).releaser, "");
  EXPECT_EQ(Verify("nonsense").releaser, "");
  EXPECT_EQ(Verify("").releaser, "");
  std::string flipped = Sign("zoe", ReleaseText(held_, kReason));
  flipped[flipped.size() / 2] = flipped[flipped.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_EQ(Verify(flipped).releaser, "");
}

}  // namespace
}  // namespace postern::jobs::test
