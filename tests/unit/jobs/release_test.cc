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
    auto verdict = VerifyRelease(held_, signature, all_, scratch_.path());
    EXPECT_TRUE(verdict) << verdict.error().message;
    return verdict ? *verdict : ReleaseVerdict{};
  }

  support::Scratch scratch_;
  config::Declarations all_;
  HeldRun held_{"import.acme", "0123", "roster_2.csv", "ab", "7f3a", "li@runner"};
};

TEST_F(Release, ASecondPersonsSignatureCounts) {
  EXPECT_EQ(Verify(Sign("zoe", ReleaseText(held_))).releaser, "zoe");
}

TEST_F(Release, NeverOfWhoStartedTheRun) {
  const ReleaseVerdict own = Verify(Sign("li", ReleaseText(held_)));
  EXPECT_EQ(own.releaser, "");
  EXPECT_THAT(own.why, HasSubstr("person:li started this run"));
  // Also under another login of the same person.
  held_.started_by = "zw@runner";
  decl::Account account;
  account.set_name("zoe-work");
  account.set_login("zw");
  account.set_for_("person:zoe");
  all_.accounts.push_back({account, {}, {}});
  EXPECT_EQ(Verify(Sign("zoe", ReleaseText(held_))).releaser, "");
}

TEST_F(Release, OnlyOverExactlyThisPlan) {
  const std::string good = Sign("zoe", ReleaseText(held_));
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
  EXPECT_EQ(Verify(Sign("eve", ReleaseText(held_))).releaser, "");
  EXPECT_EQ(Verify(Sign("zoe", ReleaseText(held_), "file")).releaser, "");
  EXPECT_EQ(Verify("nonsense").releaser, "");
  EXPECT_EQ(Verify("").releaser, "");
  std::string flipped = Sign("zoe", ReleaseText(held_));
  flipped[flipped.size() / 2] = flipped[flipped.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_EQ(Verify(flipped).releaser, "");
}

}  // namespace
}  // namespace postern::jobs::test
