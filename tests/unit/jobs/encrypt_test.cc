// Encryption and signatures by the real gpg and age, with keys that are made for the test.
#include "core/jobs/encrypt.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "core/jobs/deliver.h"
#include "tests/support/process.h"

namespace postern::jobs {
namespace {

using support::ReadFile;
using support::RunCommand;

constexpr base::Instant kDay = 86'400;

// Homes of a sender and a receiver. gpg's agents end with them.
class Keys {
 public:
  Keys() {
    for (const std::string& home : {ours(), theirs()}) ::mkdir(home.c_str(), 0700);
    receiver = Make(theirs(), "receiver@acme.test", "2099-01-01");
    sender = Make(ours(), "sender@example.test", "2099-01-01");
    stranger = Make(ours(), "stranger@example.test", "2099-01-01");
    Give(theirs(), ours(), receiver);
    Give(ours(), theirs(), sender);
    Give(ours(), theirs(), stranger);
    plain = scratch.Write("users.csv", "uid,mail\nli,li@example.test\n", 0600);
  }
  ~Keys() {
    for (const std::string& home : {ours(), theirs()}) {
      RunCommand({support::FindProgram("gpgconf"), "--homedir", home, "--kill", "all"});
    }
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  std::string ours() const { return scratch.path() + "/o"; }
  std::string theirs() const { return scratch.path() + "/t"; }
  std::string at(const std::string& name) const { return scratch.path() + "/" + name; }

  // Answers the fingerprint. `ends`: as gpg takes it, of days from `made` ("20200101T000000").
  std::string Make(const std::string& home, const std::string& who, const std::string& ends,
                   const std::string& made = "") {
    std::vector<std::string> words = {
        support::FindProgram("gpg"), "--homedir", home,           "--batch",
        "--pinentry-mode",           "loopback",  "--passphrase", ""};
    if (!made.empty()) words.insert(words.end(), {"--faked-system-time", made});
    words.insert(words.end(), {"--status-fd", "1", "--quick-generate-key", who, "future-default",
                               "default", ends});
    const auto run = RunCommand(words);
    EXPECT_EQ(run.exit, 0) << run.err;
    const size_t at = run.out.find("KEY_CREATED ");
    return at == std::string::npos ? "" : run.out.substr(at + 14, 40);
  }
  void Give(const std::string& from, const std::string& to, const std::string& key) {
    const auto out =
        RunCommand({support::FindProgram("gpg"), "--homedir", from, "--batch", "--export", key});
    const auto in =
        RunCommand({support::FindProgram("gpg"), "--homedir", to, "--batch", "--import"}, out.out);
    EXPECT_EQ(in.exit, 0) << in.err;
  }
  decl::Encrypt For(const std::string& key) const {
    decl::Encrypt encrypt;
    encrypt.mutable_openpgp()->add_values(key);
    encrypt.set_home(ours());
    return encrypt;
  }

  support::Scratch scratch;
  std::string receiver, sender, stranger, plain;
};

mode_t ModeOf(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 ? facts.st_mode & 0777 : 0;
}

TEST(Encrypt, OnlyTheReceiverReadsItAndSeesWhoSignedIt) {
  Keys keys;
  decl::Encrypt encrypt = keys.For(keys.receiver);
  encrypt.set_sign(keys.sender);
  const std::string sealed = keys.at("users.csv.gpg"), opened = keys.at("opened");
  auto done = EncryptFile(encrypt, keys.plain, sealed, base::Now());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(done->warnings.empty());
  EXPECT_EQ(EndingOf(encrypt), ".gpg");
  EXPECT_EQ(ModeOf(sealed), 0600U);
  EXPECT_EQ(ReadFile(sealed).find("li@example.test"), std::string::npos);
  auto open = OpenFile(keys.theirs(), keys.sender, sealed, opened);
  ASSERT_TRUE(open) << open.error().message;
  EXPECT_EQ(ReadFile(opened), ReadFile(keys.plain));
  EXPECT_EQ(ModeOf(opened), 0600U);
  ASSERT_TRUE(RemovePlain(opened));
  ASSERT_TRUE(RemovePlain(opened));
  // The sender himself can't.
  EXPECT_FALSE(OpenFile(keys.ours(), "", sealed, opened));
  EXPECT_NE(::access(opened.c_str(), F_OK), 0);
  EXPECT_NE(::access((opened + ".new").c_str(), F_OK), 0);
}

TEST(Encrypt, ASignatureThatIsMissingWrongOrAnothersOpensNothing) {
  Keys keys;
  const std::string sealed = keys.at("sealed"), opened = keys.at("opened");
  decl::Encrypt encrypt = keys.For(keys.receiver);
  const auto refused = [&] {
    auto open = OpenFile(keys.theirs(), keys.sender, sealed, opened);
    EXPECT_FALSE(open);
    if (!open) {
      EXPECT_EQ(open.error().code, ErrorCode::kAuthentication) << open.error().message;
      EXPECT_EQ(EncryptionCode(open.error()), "E0868");
    }
    EXPECT_NE(::access(opened.c_str(), F_OK), 0);
  };
  ASSERT_TRUE(EncryptFile(encrypt, keys.plain, sealed, base::Now()));
  refused();  // not signed
  encrypt.set_sign(keys.stranger);
  ASSERT_TRUE(EncryptFile(encrypt, keys.plain, sealed, base::Now()));
  refused();  // by another
  auto open = OpenFile(keys.theirs(), "", sealed, opened);
  ASSERT_TRUE(open) << open.error().message;  // asked for no signer
  ASSERT_TRUE(RemovePlain(opened));
  // Signed but changed.
  const auto clear =
      RunCommand({support::FindProgram("gpg"), "--homedir", keys.ours(), "--batch", "--local-user",
                  keys.sender, "--clear-sign", "--output", "-", keys.plain});
  std::string text = clear.out;
  ASSERT_NE(text.find("li@"), std::string::npos) << clear.err;
  text.replace(text.find("li@"), 2, "xi");
  std::ofstream(sealed, std::ios::trunc) << text;
  refused();
  // Cut off, or not OpenPGP at all.
  for (const std::string& junk : {std::string("not a message"), std::string()}) {
    std::ofstream(sealed, std::ios::trunc) << junk;
    EXPECT_FALSE(OpenFile(keys.theirs(), keys.sender, sealed, opened));
    EXPECT_NE(::access(opened.c_str(), F_OK), 0);
  }
}

TEST(Encrypt, DetachedSignaturesHoldForTheFileAndTheSigner) {
  Keys keys;
  const std::string signature = keys.at("users.csv.sig");
  const auto made =
      RunCommand({support::FindProgram("gpg"), "--homedir", keys.ours(), "--batch", "--local-user",
                  keys.sender, "--output", signature, "--detach-sign", keys.plain});
  ASSERT_EQ(made.exit, 0) << made.err;
  auto checked = VerifyDetached(keys.theirs(), keys.sender, signature, keys.plain);
  EXPECT_TRUE(checked) << checked.error().message;
  EXPECT_FALSE(VerifyDetached(keys.theirs(), keys.stranger, signature, keys.plain));
  EXPECT_FALSE(VerifyDetached(keys.theirs(), keys.sender.substr(24), signature, keys.plain));
  const std::string other = keys.scratch.Write("other.csv", "uid\n");
  EXPECT_FALSE(VerifyDetached(keys.theirs(), keys.sender, signature, other));
}

TEST(Encrypt, KeysThatAreUnknownExpiredShortOrNearTheirEnd) {
  Keys keys;
  const base::Instant now = base::Now();
  auto unknown = CheckKeys(keys.For("0123456789ABCDEF0123456789ABCDEF01234567"), now);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(EncryptionCode(unknown.error()), "E0867");
  auto brief = CheckKeys(keys.For(keys.receiver.substr(24)), now);
  ASSERT_FALSE(brief);
  EXPECT_EQ(brief.error().code, ErrorCode::kInvalid);
  const std::string old = keys.Make(keys.ours(), "old@acme.test", "5d", "20200101T000000!");
  auto expired = CheckKeys(keys.For(old), now);
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, ErrorCode::kDenied);
  EXPECT_NE(expired.error().message.find("expired on 2020-01-0"), std::string::npos)
      << expired.error().message;
  EXPECT_FALSE(EncryptFile(keys.For(old), keys.plain, keys.at("sealed"), now));
  EXPECT_NE(::access(keys.at("sealed").c_str(), F_OK), 0);
  const std::string soon = keys.Make(keys.ours(), "soon@acme.test", "20d");
  auto warned = CheckKeys(keys.For(soon), now);
  ASSERT_TRUE(warned) << warned.error().message;
  ASSERT_EQ(warned->warnings.size(), 1U);
  EXPECT_NE(warned->warnings[0].find("expires on"), std::string::npos);
  EXPECT_FALSE(CheckKeys(keys.For(soon), now + 21 * kDay));
  EXPECT_FALSE(EncryptFile(decl::Encrypt(), keys.plain, keys.at("sealed"), now));
}

TEST(Encrypt, ByAge) {
  support::Scratch scratch;
  const std::string identity = scratch.path() + "/identity";
  const auto made = RunCommand({support::FindProgram("age-keygen"), "-o", identity});
  ASSERT_EQ(made.exit, 0) << made.err;
  const size_t at = ReadFile(identity).find("age1");
  decl::Encrypt encrypt;
  encrypt.mutable_age()->add_values(ReadFile(identity).substr(at, 62));
  const std::string plain = scratch.Write("users.csv", "uid\nli\n"), sealed = scratch.path() + "/x";
  auto done = EncryptFile(encrypt, plain, sealed, base::Now());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(EndingOf(encrypt), ".age");
  const auto opened = RunCommand({support::FindProgram("age"), "-d", "-i", identity, sealed});
  EXPECT_EQ(opened.out, "uid\nli\n") << opened.err;
  encrypt.mutable_age()->set_values(0, "nobody");
  EXPECT_FALSE(CheckKeys(encrypt, base::Now()));
}

}  // namespace
}  // namespace postern::jobs
