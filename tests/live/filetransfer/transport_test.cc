// The transports: framing, streams, limits, and what an SSH host must prove before anything is
// sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "core/base/hash.h"
#include "providers/filetransfer/transport/files.h"
#include "providers/filetransfer/transport/frame.h"
#include "providers/filetransfer/transport/ssh.h"
#include "providers/filetransfer/transport/transport.h"
#include "tests/support/process.h"
#include "tests/support/sshd.h"

namespace postern::filetransfer {
namespace {

using support::Scratch;
using support::Sshd;
using testing::HasSubstr;

SshSettings SettingsFor(const Sshd& sshd) {
  return {.address = *ParseSshAddress(sshd.address()),
          .known_host = sshd.known_host(),
          .identity = sshd.identity()};
}

// Every test of behaviour runs over both transports.
class TransportTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!GetParam()) {
      transport_ = MakeLocalTransport();
      return;
    }
    sshd_ = std::make_unique<Sshd>(scratch_);
    ASSERT_TRUE(sshd_->Start());
    auto made = MakeSshTransport(SettingsFor(*sshd_));
    ASSERT_TRUE(made) << made.error().message;
    transport_ = std::move(*made);
  }

  Scratch scratch_;
  std::unique_ptr<Sshd> sshd_;
  std::unique_ptr<Transport> transport_;
};
INSTANTIATE_TEST_SUITE_P(Both, TransportTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Ssh" : "Local"; });

TEST_P(TransportTest, RunsWithArgumentsInputAndCleanEnvironment) {
  const std::string input(300000, 'x');
  auto result =
      transport_->Exec({.script = "env | sort; printf '%s|' \"$@\"; wc -c; echo no >&2; exit 7",
                        .args = {"it's", "$HOME \"x\"", ""},
                        .input = input});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->status, 7);
  EXPECT_THAT(result->out, HasSubstr("it's|$HOME \"x\"||300000\n"));
  EXPECT_THAT(result->out, HasSubstr("LC_ALL=C\n"));
  EXPECT_THAT(result->out, testing::Not(HasSubstr("HOME=")));
  EXPECT_EQ(result->err, "no\n");
}

TEST_P(TransportTest, CarriesAnyBytesAndNothingAtAll) {
  std::string bytes;
  for (int i = 0; i < 70000; ++i) bytes += static_cast<char>(i * 7);
  auto same = transport_->Exec({.script = "cat", .args = {}, .input = bytes});
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_EQ(same->out, bytes);
  auto nothing = transport_->Exec({.script = ":"});
  ASSERT_TRUE(nothing) << nothing.error().message;
  EXPECT_EQ(nothing->out, "");
  auto unread =
      transport_->Exec({.script = "true", .args = {}, .input = std::string(3000000, 'y')});
  ASSERT_TRUE(unread) << unread.error().message;
  EXPECT_EQ(unread->status, 0);
}

TEST_P(TransportTest, StopsWaitingAtTheLimitAndWorksAgain) {
  auto slow = transport_->Exec(
      {.script = "sleep 30", .args = {}, .input = {}, .limit = std::chrono::seconds(1)});
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, ErrorCode::kTimeout) << slow.error().message;
  EXPECT_TRUE(transport_->Exec({.script = "true"}));
}

class Counter final : public OutputSink {
 public:
  Result<void> Take(std::string_view part) override {
    size += part.size();
    largest = std::max(largest, part.size());
    if (size > limit) return Fail(ErrorCode::kInvalid, "enough");
    return {};
  }
  size_t size = 0, largest = 0, limit = SIZE_MAX;
};

TEST_P(TransportTest, ASinkGetsTheOutputAsItComes) {
  Counter counter;
  auto whole = transport_->Exec(
      {.script = "head -c 5000000 /dev/zero; echo said >&2; exit 4", .sink = &counter});
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->status, 4);
  EXPECT_EQ(whole->out, "");
  EXPECT_EQ(whole->err, "said\n");
  EXPECT_EQ(counter.size, 5000000U);
  EXPECT_LT(counter.largest, 1000000U);
  // And may end it: what prints for ever isn't waited for.
  counter = Counter();
  counter.limit = 1000000;
  auto ended = transport_->Exec({.script = "cat /dev/zero", .sink = &counter});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(ended.error().message, HasSubstr("enough"));
  EXPECT_LT(counter.size, 2000000U);
  EXPECT_TRUE(transport_->Exec({.script = "true"}));
}

TEST_P(TransportTest, EndlessOutputEndsAtTheLimit) {
  for (const char* script : {"cat /dev/zero >&2", "cat /dev/zero"}) {
    auto result = transport_->Exec(
        {.script = script, .args = {}, .input = {}, .limit = std::chrono::seconds(1)});
    ASSERT_FALSE(result);
    // Which of the two bounds comes first is the machine's.
    EXPECT_TRUE(result.error().code == ErrorCode::kTimeout ||
                result.error().message.find("more than 512 MiB") != std::string::npos)
        << result.error().message;
  }
  EXPECT_TRUE(transport_->Exec({.script = "true"}));
}

TEST_P(TransportTest, ReadsManyFilesAtOnceAndTellsAbsentFromUnreadable) {
  std::vector<std::string> files;
  for (int i = 0; i < 1000; ++i) {
    files.push_back(scratch_.Write("many/f" + std::to_string(i), "content " + std::to_string(i)));
  }
  const std::string odd = scratch_.Write("many/o'dd na\"me", std::string("\0\n\xff", 3));
  const std::string missing = scratch_.File("many/missing");
  auto states = ReadFiles(*transport_, std::vector<std::string>{files[3], missing, scratch_.path()},
                          std::vector<std::string>{scratch_.File("many")});
  ASSERT_TRUE(states) << states.error().message;
  EXPECT_EQ(states->size(), 1000u + 1 + 1 + 1 + 1);
  EXPECT_EQ(states->at(files[999]).content, "content 999");
  EXPECT_EQ(states->at(odd).content, std::string("\0\n\xff", 3));
  EXPECT_EQ(states->at(odd).digest, base::Hex(base::Sha256(states->at(odd).content)));
  EXPECT_EQ(states->at(missing).presence, Presence::kAbsent);
  EXPECT_TRUE(states->at(scratch_.path()).directory);
  EXPECT_EQ(states->at(files[3]).mode, 0644u);
}

TEST_P(TransportTest, SwapsOnlyWhatIsStillAsItWasRead) {
  const std::string a = scratch_.Write("conf/a", "old a");
  const std::string b = scratch_.Write("conf/b", "old b", 0600);
  const std::string fresh = scratch_.File("conf/fresh");
  const auto digest = [](std::string_view text) { return base::Hex(base::Sha256(text)); };
  auto staged =
      Stage(*transport_, {{.path = a, .expect = digest("old a"), .content = "new a", .mode = 0640},
                          {.path = b, .expect = digest("old b"), .content = "", .mode = 0600},
                          {.path = fresh, .expect = std::string(kAbsent), .content = "fresh"}});
  ASSERT_TRUE(staged) << staged.error().message;
  EXPECT_EQ(support::ReadFile(CandidateOf(a, staged->nonce)), "new a");
  scratch_.Write("conf/b", "by hand");
  auto swapped = Swap(*transport_, *staged);
  ASSERT_FALSE(swapped);
  EXPECT_EQ(swapped.error().code, ErrorCode::kConflict);
  EXPECT_THAT(swapped.error().message, HasSubstr("/conf/b"));
  EXPECT_EQ(support::ReadFile(a), "old a") << "nothing is renamed when one file changed";
  EXPECT_FALSE(std::filesystem::exists(CandidateOf(a, staged->nonce)));

  staged = Stage(
      *transport_,
      {{.path = a, .expect = digest("old a"), .content = "new a", .mode = 0640},
       {.path = fresh, .expect = std::string(kAbsent), .content = "fresh"},
       {.action = Action::kMove, .path = b, .expect = digest("by hand"), .to = b + ".moved"}});
  ASSERT_TRUE(staged) << staged.error().message;
  auto done = Swap(*transport_, *staged);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(support::ReadFile(a), "new a");
  EXPECT_EQ(support::ReadFile(fresh), "fresh");
  EXPECT_EQ(support::ReadFile(b + ".moved"), "by hand");
  struct stat state {};
  ASSERT_EQ(::stat(a.c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 07777, 0640u);

  // What appeared meanwhile is never overwritten.
  staged =
      Stage(*transport_, {{.path = fresh, .expect = std::string(kAbsent), .content = "again"}});
  ASSERT_TRUE(staged);
  EXPECT_EQ(Swap(*transport_, *staged).error().code, ErrorCode::kConflict);
  EXPECT_EQ(support::ReadFile(fresh), "fresh");
}

TEST_P(TransportTest, ListsFoldersAndAccessFiles) {
  scratch_.Folder("root/a/b", 0750);
  scratch_.Write("root/a/.ftpaccess", "<Limit ALL>\n");
  scratch_.Write("root/a/file", "");
  auto list = ListFolders(*transport_,
                          std::vector<std::string>{scratch_.File("root"), scratch_.File("none")});
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->entries.size(), 4u);
  EXPECT_EQ(list->problems.size(), 1u);
  EXPECT_TRUE(
      std::any_of(list->entries.begin(), list->entries.end(), [&](const FolderEntry& entry) {
        return entry.access_file && entry.path == scratch_.File("root/a/.ftpaccess");
      }));
  EXPECT_TRUE(
      std::any_of(list->entries.begin(), list->entries.end(), [&](const FolderEntry& entry) {
        return entry.path == scratch_.File("root/a/b") && entry.mode == 0750;
      }));
}

TEST(Frame, TakesTheOutputOutOfNoise) {
  const std::string nonce = MakeNonce();
  const std::string noise = "Welcome!\n" + nonce.substr(1) + " begin\n";
  auto result =
      Unframe(noise + "\n" + nonce + " begin\nbody\n" + nonce + " end 3\nbye\n", "", nonce);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->out, "body");
  EXPECT_EQ(result->status, 3);
  EXPECT_EQ(Unframe("\n" + nonce + " begin\nbody", "", nonce).error().code, ErrorCode::kIncomplete);
  EXPECT_EQ(Unframe("\n" + nonce + " begin\nbody\n" + nonce + " end 1", "", nonce).error().code,
            ErrorCode::kIncomplete);
  EXPECT_EQ(Unframe("", "sudo: a password is required\n", nonce).error().code, ErrorCode::kDenied);
}

TEST(Frame, WhereverThePartsEnd) {
  const std::string nonce = MakeNonce();
  // Whoever reads the nonce from the list of processes can print an end of his own.
  const std::string body = "a\n" + nonce + " end 0\nb\n" + nonce + " en\n\n" + nonce + " begin\n";
  const std::string all = "\nhello\n" + nonce + " begin\n" + body + "\n" + nonce + " end 7\nbye\n";
  for (size_t size = 1; size < 80; ++size) {
    Unframer unframer(nonce, nullptr);
    for (size_t at = 0; at < all.size(); at += size) {
      ASSERT_TRUE(unframer.Take(std::string_view(all).substr(at, size)));
    }
    auto result = unframer.Finish("");
    ASSERT_TRUE(result) << size << ": " << result.error().message;
    EXPECT_EQ(result->out, body) << size;
    EXPECT_EQ(result->status, 7);
  }
}

TEST(Frame, ABannerWithoutAnEndIsNotKept) {
  const std::string noise(size_t{1} << 20, 'x');
  Counter counter;
  Unframer unframer(MakeNonce(), &counter);
  Result<void> taken;
  size_t size = 0;
  for (; taken && size <= 2 * kOutputLimit; size += noise.size()) taken = unframer.Take(noise);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kIncomplete);
  EXPECT_LE(size, kOutputLimit + 2 * noise.size());
  EXPECT_EQ(counter.size, 0U);
}

TEST(Ssh, ReadsAddresses) {
  EXPECT_EQ(ParseSshAddress("ssh://a@h:2222")->port, 2222);
  EXPECT_EQ(ParseSshAddress("ssh://a@[::1]:22")->host, "::1");
  EXPECT_EQ(ParseSshAddress("ssh://a@h")->user, "a");
  for (const char* bad : {"local:", "ssh://", "ssh://a@h:0", "ssh://a@h:x", "ssh://a@h/path"}) {
    EXPECT_FALSE(ParseSshAddress(bad)) << bad;
  }
}

TEST(Ssh, WrongHostKeyIsRefusedBeforeAuthentication) {
  Scratch scratch;
  Sshd sshd(scratch);
  ASSERT_TRUE(sshd.Start());
  SshSettings settings = SettingsFor(sshd);
  support::MakeSshKey("ed25519", scratch.File("other"));
  settings.known_host = support::PublicKeyOf(scratch.File("other.pub"));
  auto transport = MakeSshTransport(settings);
  ASSERT_TRUE(transport);
  auto result = (*transport)->Exec({.script = "true"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUntrusted);
  EXPECT_THAT(result.error().message, HasSubstr("nothing was sent"));
  EXPECT_EQ(sshd.Authentications(), 0u) << sshd.Log();
  settings.known_host.clear();
  EXPECT_EQ(MakeSshTransport(settings).error().code, ErrorCode::kInvalid);
}

TEST(Ssh, RsaUserKeyIsExplained) {
  Scratch scratch;
  Sshd sshd(scratch, {.user_key = "rsa"});
  ASSERT_TRUE(sshd.Start());
  auto transport = MakeSshTransport(SettingsFor(sshd));
  ASSERT_TRUE(transport);
  auto result = (*transport)->Exec({.script = "true"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kAuthentication);
  EXPECT_THAT(result.error().message, HasSubstr("RSA key"));
  EXPECT_THAT(result.error().message, HasSubstr("ed25519 or ECDSA"));
}

TEST(Ssh, RsaHostKeyIsExplained) {
  Scratch scratch;
  Sshd sshd(scratch, {.host_key = "rsa"});
  ASSERT_TRUE(sshd.Start());
  auto transport = MakeSshTransport(SettingsFor(sshd));
  ASSERT_TRUE(transport) << transport.error().message;
  auto result = (*transport)->Exec({.script = "true"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUntrusted);
  EXPECT_THAT(result.error().message, HasSubstr("RSA"));
}

TEST(Ssh, EcdsaKeysWork) {
  Scratch scratch;
  Sshd sshd(scratch, {.host_key = "ecdsa", .user_key = "ecdsa"});
  ASSERT_TRUE(sshd.Start());
  auto transport = MakeSshTransport(SettingsFor(sshd));
  ASSERT_TRUE(transport);
  auto result = (*transport)->Exec({.script = "echo hi"});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->out, "hi\n");
}

TEST(Ssh, ADeadServerIsUnavailableAndComesBack) {
  Scratch scratch;
  Sshd sshd(scratch);
  ASSERT_TRUE(sshd.Start());
  auto transport = MakeSshTransport(SettingsFor(sshd));
  ASSERT_TRUE((*transport)->Exec({.script = "true"}));
  sshd.Stop();
  auto result = (*transport)->Exec({.script = "true"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable) << result.error().message;
  ASSERT_TRUE(sshd.Start());
  EXPECT_TRUE((*transport)->Exec({.script = "true"}));
}

}  // namespace
}  // namespace postern::filetransfer
