// authorized_keys of system accounts: as whom they are written, what is never followed or fetched.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/live/host/world.h"

namespace postern::filetransfer {
namespace {

using object::Answer;
using object::Kind;
using object::Outcome;
using object::Status;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Keys : public ::testing::Test {
 protected:
  // "acme" with a home of its own, as an ordinary account has it.
  Keys() {
    EXPECT_EQ(w_.Apply(w_.Create(w_.Account("acme", 30001))).status, Status::kApplied);
    EXPECT_EQ(::chown(home_.c_str(), 30001, kPartners), 0);
    ::chmod(home_.c_str(), 0750);
  }

  struct stat StateOf(const std::string& path) {
    struct stat at = {};
    EXPECT_EQ(::lstat(path.c_str(), &at), 0) << path;
    return at;
  }
  std::string Told() {
    const auto told = w_.Tell(Kind::kSshKey);
    return told.size() == 1 ? object::DecodeAs<kinds::SshKey>(told[0].body).public_key() : "";
  }
  kinds::SshKey Live() {
    const auto told = w_.Tell(Kind::kSshKey);
    EXPECT_THAT(told, SizeIs(1));
    return told.empty() ? kinds::SshKey() : object::DecodeAs<kinds::SshKey>(told[0].body);
  }

  World w_;
  const std::string home_ = kRoot + "/acme", file_ = home_ + "/.ssh/authorized_keys";
  const std::string key_ = NewKey("a"), other_ = NewKey("b");
};

// In quarantine the line stays, byte for byte, as a comment; written again it opens.
TEST_F(Keys, QuarantineKeepsTheLine) {
  ASSERT_EQ(w_.Apply(w_.Create(w_.Key("acme", other_))).status, Status::kApplied);
  const std::string own = support::ReadFile(file_), line = "pty " + key_ + " by hand\n";
  std::ofstream(file_, std::ios::app) << line;
  auto told = w_.Tell(Kind::kSshKey);
  ASSERT_THAT(told, SizeIs(2));
  const auto by_hand = [&](const object::Object& object) {
    return object::DecodeAs<kinds::SshKey>(object.body).public_key() == key_;
  };
  const object::Object live = *std::find_if(told.begin(), told.end(), by_hand);
  auto key = object::DecodeAs<kinds::SshKey>(live.body);
  EXPECT_TRUE(key.enabled());
  key.set_enabled(false);
  object::Operation put;
  put.kind = Kind::kSshKey;
  put.key = live.key;
  put.before = live.body;
  put.after = object::Encode(key).body;
  const Outcome outcome = w_.Apply(put);
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_FALSE(object::DecodeAs<kinds::SshKey>(outcome.live.object.body).enabled());
  EXPECT_EQ(support::ReadFile(file_), own + "# postern-quarantine: " + line);
  EXPECT_EQ(w_.Apply(put).status, Status::kAlreadySo);
  // Gone with it is what was kept.
  object::Operation gone = put;
  gone.before = put.after;
  gone.after.clear();
  EXPECT_EQ(w_.Apply(gone).status, Status::kApplied);
  EXPECT_EQ(support::ReadFile(file_), own);
}

TEST_F(Keys, WrittenAsTheAccountWhereTheFolderIsItsOwn) {
  const Outcome added = w_.Apply(w_.Create(w_.Key("acme", key_)));
  ASSERT_EQ(added.status, Status::kApplied) << added.message;
  EXPECT_EQ(support::ReadFile(file_), "restrict " + key_ + "\n");
  EXPECT_EQ(StateOf(file_).st_uid, 30001U);
  EXPECT_EQ(StateOf(file_).st_mode & 07777U, 0600U);
  EXPECT_EQ(StateOf(home_ + "/.ssh").st_uid, 30001U);
  EXPECT_EQ(StateOf(home_ + "/.ssh").st_mode & 07777U, 0700U);
  EXPECT_EQ(Told(), key_);
  EXPECT_EQ(w_.Apply(w_.Create(w_.Key("acme", key_))).status, Status::kAlreadySo);
  EXPECT_EQ(w_.Apply(w_.Remove(w_.Key("acme", key_))).status, Status::kApplied);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(Keys, WrittenAsRootBelowFoldersOfRoot) {
  ASSERT_EQ(::chown(home_.c_str(), 0, 0), 0);
  ::chmod(home_.c_str(), 0755);
  const Outcome added = w_.Apply(w_.Create(w_.Key("acme", key_)));
  ASSERT_EQ(added.status, Status::kApplied) << added.message;
  EXPECT_EQ(StateOf(file_).st_uid, 0U);
  EXPECT_EQ(StateOf(file_).st_mode & 07777U, 0644U);  // sshd reads it as the account
  EXPECT_EQ(StateOf(home_ + "/.ssh").st_mode & 07777U, 0755U);
}

TEST_F(Keys, LinesOfOtherHandsStay) {
  ASSERT_EQ(w_.Apply(w_.Create(w_.Key("acme", key_))).status, Status::kApplied);
  const std::string foreign = "# by hand\nfrom=\"10.0.0.0/8\" " + other_ + " laptop";
  WriteTo(file_, foreign, 0600);  // without a last newline
  EXPECT_THAT(w_.Tell(Kind::kSshKey), SizeIs(1));
  ASSERT_EQ(w_.Apply(w_.Create(w_.Key("acme", key_))).status, Status::kApplied);
  EXPECT_EQ(support::ReadFile(file_), foreign + "\nrestrict " + key_ + "\n");
  ASSERT_EQ(w_.Apply(w_.Remove(w_.Key("acme", key_))).status, Status::kApplied);
  EXPECT_EQ(support::ReadFile(file_), foreign + "\n");
}

TEST_F(Keys, AnOptionThatWidensIsDriftAndOneThatNarrowsStays) {
  ASSERT_EQ(w_.Apply(w_.Create(w_.Key("acme", key_))).status, Status::kApplied);
  const std::string narrow = "from=\"10.0.0.0/8\",expiry-time=\"20991231Z\" ";
  const std::string wanted = object::Encode(w_.Key("acme", key_)).body;
  WriteTo(file_, narrow + key_ + " laptop\n", 0600);
  EXPECT_EQ(Told(), key_);
  EXPECT_TRUE(object::Satisfies(Kind::kSshKey, wanted, w_.Tell(Kind::kSshKey)[0].body));
  WriteTo(file_, "pty," + narrow + key_ + " laptop\n" + key_ + "\n", 0600);
  const kinds::SshKey live = Live();
  EXPECT_THAT(live.options().values(), testing::ElementsAre("pty"));
  EXPECT_THAT(live.from().values(), testing::ElementsAre("*")) << "the second line is open";
  EXPECT_FALSE(object::Satisfies(Kind::kSshKey, wanted, w_.Tell(Kind::kSshKey)[0].body));
  const Outcome mended = w_.Apply(w_.Update(live, w_.Key("acme", key_)));
  ASSERT_EQ(mended.status, Status::kApplied) << mended.message;
  EXPECT_EQ(Told(), key_);
  EXPECT_THAT(support::ReadFile(file_), ::testing::StartsWith("restrict"));
}

TEST_F(Keys, WhatNarrowsAKeyIsWrittenAndReadBack) {
  kinds::SshKey key = w_.Key("acme", key_);
  key.mutable_from()->add_values("10.0.0.0/8");
  key.mutable_from()->add_values("2001:db8::/32");
  key.set_expires(1798761599);  // 2026-12-31T23:59:59Z
  const Outcome made = w_.Apply(w_.Create(key));
  ASSERT_EQ(made.status, Status::kApplied) << made.message;
  EXPECT_EQ(
      support::ReadFile(file_),
      "restrict,from=\"10.0.0.0/8,2001:db8::/32\",expiry-time=\"20261231235959Z\" " + key_ + "\n");
  key.set_enabled(true);
  EXPECT_EQ(object::Encode(Live()).body, object::Encode(key).body);
  kinds::SshKey open = key;
  open.mutable_from()->clear_values();
  open.mutable_from()->add_values("*");
  open.set_expires(base::kForever);
  const Outcome opened = w_.Apply(w_.Update(key, open));
  ASSERT_EQ(opened.status, Status::kApplied) << opened.message;
  EXPECT_EQ(support::ReadFile(file_), "restrict " + key_ + "\n");
  EXPECT_EQ(object::Encode(Live()).body, object::Encode(open).body);
}

// sshd reads a time without Z in its own zone.
TEST_F(Keys, ALocalTimeIsToldAsTheLatestItMayMean) {
  ASSERT_EQ(w_.Apply(w_.Create(w_.Key("acme", key_))).status, Status::kApplied);
  WriteTo(file_, "restrict,expiry-time=\"20261231\" " + key_ + "\n", 0600);
  EXPECT_EQ(Live().expires(), 1798675200 + 14 * 3600);
}

TEST_F(Keys, ALinkIsToldAndNeverFollowedForWriting) {
  WriteTo("/srv/x/victim", "precious\n");
  ::mkdir((home_ + "/.ssh").c_str(), 0700);
  ASSERT_EQ(::chown((home_ + "/.ssh").c_str(), 30001, kPartners), 0);
  ASSERT_EQ(::symlink("/srv/x/victim", file_.c_str()), 0);
  EXPECT_TRUE(w_.Read().keys.at("acme").at(0).link);
  const Outcome file = w_.Apply(w_.Create(w_.Key("acme", key_)));
  EXPECT_EQ(file.status, Status::kDenied);
  EXPECT_THAT(file.message, HasSubstr("is a link"));
  EXPECT_EQ(w_.Apply(w_.Remove(w_.Account("acme", 30001))).status, Status::kDenied);

  // In place of the folder.
  ASSERT_EQ(::unlink(file_.c_str()), 0);
  ASSERT_EQ(::rmdir((home_ + "/.ssh").c_str()), 0);
  ::mkdir("/srv/x/roots", 0755);
  ASSERT_EQ(::symlink("/srv/x/roots", (home_ + "/.ssh").c_str()), 0);
  const Outcome folder = w_.Apply(w_.Create(w_.Key("acme", key_)));
  EXPECT_EQ(folder.status, Status::kDenied);
  EXPECT_THAT(folder.message, HasSubstr("is a link"));
  EXPECT_FALSE(std::filesystem::exists("/srv/x/roots/authorized_keys"));
  EXPECT_EQ(support::ReadFile("/srv/x/victim"), "precious\n");
}

// The check of links and the write can be raced; the identity of the writer can't.
TEST_F(Keys, ALinkThatNobodySawLeadsTheWriterNowhere) {
  ::mkdir((home_ + "/.ssh").c_str(), 0700);
  ASSERT_EQ(::chown((home_ + "/.ssh").c_str(), 30001, kPartners), 0);
  // "home" is given as the link's own folder, so that the walk over the folders below sees none.
  ::mkdir("/srv/x/roots", 0755);
  ASSERT_EQ(::symlink("/srv/x/roots", (home_ + "/lure").c_str()), 0);
  const KeyFileChange change{.path = home_ + "/lure/authorized_keys",
                             .home = home_ + "/lure",
                             .uid = 30001,
                             .gid = kPartners,
                             .expect = std::string(kAbsent),
                             .content = "restrict " + key_ + "\n"};
  ASSERT_EQ(::chmod("/srv/x/roots", 0775), 0);  // not root's alone: no reason to write as root
  const auto answers = WriteKeyFiles(*w_.transport, std::span(&change, 1));
  ASSERT_TRUE(answers.has_value());
  EXPECT_THAT(answers->front(), HasSubstr("neither root nor the account"));
  EXPECT_FALSE(std::filesystem::exists("/srv/x/roots/authorized_keys"));
}

TEST_F(Keys, WhatIsTooLargeOrNoFileIsDiagnosedAndNotFetched) {
  ::mkdir((home_ + "/.ssh").c_str(), 0700);
  { std::ofstream(file_) << "x"; }
  std::filesystem::resize_file(file_, 50 << 20);
  const HostState state = w_.Read();
  EXPECT_THAT(state.unreadable_keys.at("acme"), HasSubstr("more than a file of keys may have"));
  EXPECT_THAT(ProblemOf(state, w_.settings, Kind::kSshKey), HasSubstr("1 of 1 accounts"));
  EXPECT_THAT(state.keys.at("acme").at(0).content, IsEmpty());
  const Outcome outcome = w_.Apply(w_.Create(w_.Key("acme", key_)));
  EXPECT_EQ(outcome.status, Status::kDenied);
  EXPECT_EQ(outcome.live.answer, Answer::kUnreadable);

  ASSERT_EQ(::unlink(file_.c_str()), 0);
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  EXPECT_THAT(w_.Read().unreadable_keys.at("acme"), HasSubstr("isn't a file"));
  // What one account does to its file hides nobody else's keys.
  ASSERT_EQ(w_.Apply(w_.Create(w_.Account("bea", 30002))).status, Status::kApplied);
  const Outcome other = w_.Apply(w_.Create(w_.Key("bea", key_)));
  EXPECT_EQ(other.status, Status::kApplied) << other.message;
}

TEST_F(Keys, AFileThatChangedMeanwhileIsNotReplaced) {
  ::mkdir((home_ + "/.ssh").c_str(), 0700);
  WriteTo(file_, other_ + "\n", 0600);
  ASSERT_EQ(support::RunCommand({"chown", "-R", "30001:30000", home_}).exit, 0);
  const KeyFileChange change{.path = file_,
                             .home = home_,
                             .uid = 30001,
                             .gid = kPartners,
                             .expect = std::string(kAbsent),
                             .content = "restrict " + key_ + "\n"};
  const auto answers = WriteKeyFiles(*w_.transport, std::span(&change, 1));
  ASSERT_TRUE(answers.has_value());
  EXPECT_THAT(answers->front(), HasSubstr("changed since it was read"));
  EXPECT_EQ(support::ReadFile(file_), other_ + "\n");
}

TEST_F(Keys, OfANewAccountFromBeforeArePutAside) {
  const kinds::Account bea = w_.Account("bea", 30002);
  ::mkdir((bea.home() + "/.ssh").c_str(), 0755);
  WriteTo(bea.home() + "/.ssh/authorized_keys", other_ + "\n");
  const auto outcomes = w_.ApplyAll({w_.Create(bea), w_.Create(w_.Key("bea", key_))});
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
  EXPECT_EQ(support::ReadFile(bea.home() + "/.ssh/authorized_keys"), "restrict " + key_ + "\n");
}

TEST_F(Keys, ManyFilesInOneExecAndLongNames) {
  const std::string deep = kRoot + "/" + std::string(120, 'd') + "/" + std::string(120, 'e');
  std::filesystem::create_directories(deep);
  std::vector<std::string> paths = {deep + "/keys", kRoot + "/none/keys", "/srv/x/link"};
  WriteTo(deep + "/keys", "deep");
  ASSERT_EQ(::symlink("/nowhere", "/srv/x/link"), 0);
  for (int i = 0; i < 9000; ++i) {  // more than one run of the inner script
    paths.push_back(kRoot + "/k" + std::to_string(i));
    if (i % 3 != 0) std::ofstream(paths.back()) << "content " << i;
  }
  const auto read = ReadKeyFiles(*w_.transport, paths);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->at(deep + "/keys").content, "deep");
  EXPECT_EQ(read->at(kRoot + "/none/keys").presence, Presence::kAbsent);
  EXPECT_EQ(read->at("/srv/x/link").presence, Presence::kAbsent);
  EXPECT_TRUE(read->at("/srv/x/link").link);
  for (int i = 0; i < 9000; ++i) {
    const KeyFileState& state = read->at(kRoot + "/k" + std::to_string(i));
    ASSERT_EQ(state.presence, i % 3 == 0 ? Presence::kAbsent : Presence::kPresent) << i;
    ASSERT_EQ(state.content, i % 3 == 0 ? "" : "content " + std::to_string(i));
  }
}

}  // namespace
}  // namespace postern::filetransfer
