// AuthUserFile, AuthGroupFile and key files: parsed, changed, rendered.
#include <gmock/gmock.h>

#include "providers/filetransfer/proftpd_io/key_file.h"
#include "providers/filetransfer/proftpd_io/user_file.h"

namespace postern::filetransfer {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr char kUsers[] =
    "# by hand\n"
    "bea:$6$a$b:3001:3000:Bea:/srv/x:/bin/false\n"
    "garbage line\n"
    "bea:other:9:9::/:/bin/sh\n"
    "\n"
    "al:!:3002:3000::/srv/x:/bin/false\n";

TEST(ColonFile, KeepsEveryByteOfWholeLines) {
  for (const char* text : {kUsers, "", "\n", "\n\n", "a:b:c\n", "bea:x:1:1::/:\r\n"}) {
    EXPECT_EQ(ColonFile(text, 7).Text(), text);
  }
}

TEST(ColonFile, TheFirstLineOfANameCounts) {
  const ColonFile users(kUsers, 7);
  EXPECT_THAT(users.names(), ElementsAre("bea", "al"));
  EXPECT_EQ(ParseUser(*users.Find("bea"))->uid, 3001u);
  EXPECT_EQ(users.Find("nobody"), nullptr);
  EXPECT_EQ(users.Find("garbage line"), nullptr);
  EXPECT_EQ(users.LineOf("al"), 6u);
}

TEST(ColonFile, PutReplacesOnlyItsLine) {
  ColonFile users(kUsers, 7);
  UserLine bea = *ParseUser(*users.Find("bea"));
  bea.home = "/srv/y";
  users.Put("bea", FieldsOf(bea));
  std::string want = kUsers;
  want.replace(want.find("/srv/x"), 6, "/srv/y");
  EXPECT_EQ(users.Text(), want);
}

TEST(ColonFile, PutAppendsAfterALineWithoutEnd) {
  ColonFile users("al:!:3002:3000::/srv/x:/bin/false", 7);
  users.Put("cy", FieldsOf(UserLine{"cy", "!", 1, 2, "", "/", "/bin/false"}));
  EXPECT_EQ(users.Text(), "al:!:3002:3000::/srv/x:/bin/false\ncy:!:1:2::/:/bin/false\n");
}

TEST(ColonFile, RemoveLeavesNoShadowedLine) {
  ColonFile users(kUsers, 7);
  users.Remove("bea");
  EXPECT_EQ(ColonFile(users.Text(), 7).Find("bea"), nullptr);
}

TEST(ColonFile, NamesWhatALineCantCarry) {
  for (const char* text : {"a:b", "x\ny", "x\ry"}) EXPECT_NE(WhyFieldUnfit(text), "") << text;
  EXPECT_EQ(WhyFieldUnfit("a,b"), "");
  EXPECT_NE(WhyFieldUnfit("a,b", true), "");
}

TEST(ColonFile, ReadsMembersAndWritesThem) {
  ColonFile groups("ops:x:50:bea,,al\nbroken:x:y:\n", 3);
  EXPECT_THAT(ParseGroup(*groups.Find("ops"))->members, ElementsAre("al", "bea"));
  EXPECT_FALSE(ParseGroup(*groups.Find("broken")));
  GroupLine ops = *ParseGroup(*groups.Find("ops"));
  ops.members = {"al"};
  groups.Put("ops", FieldsOf(ops));
  EXPECT_EQ(groups.Text(), "ops:x:50:al\nbroken:x:y:\n");
}

// A real key, made for this test.
constexpr char kEd25519[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFi6hrx3pKKdCyd5aAY5hKSgMPqkcxyMLrYQeDp0XVZv ops@acme";

TEST(KeyFile, RoundTripKeepsOneOfEachKey) {
  const Result<PublicKey> key = ParseOpenSshKey(kEd25519);
  ASSERT_TRUE(key.has_value()) << key.error().message;
  EXPECT_EQ(key->text + " ops@acme", kEd25519);
  KeyFile file;
  file.Add(*key);
  file.Add(*key);
  const auto again = KeyFile::Parse(file.Text());
  ASSERT_TRUE(again.has_value()) << again.error().message;
  ASSERT_THAT(again->blocks(), SizeIs(1));
  EXPECT_EQ(again->blocks()[0].key.fingerprint, key->fingerprint);
  EXPECT_EQ(again->Text(), file.Text());
  file.Remove(key->fingerprint);
  EXPECT_EQ(file.Text(), "");
}

TEST(KeyFile, RefusesOptionsAndWrongTypes) {
  EXPECT_FALSE(ParseOpenSshKey("").has_value());
  EXPECT_FALSE(ParseOpenSshKey("ssh-ed25519").has_value());
  EXPECT_FALSE(ParseOpenSshKey(std::string("restrict ") + kEd25519).has_value());
  EXPECT_FALSE(ParseOpenSshKey(std::string("ssh-rsa ") + (kEd25519 + 12)).has_value());
}

TEST(KeyFile, KeepsContinuedHeadersAndOtherTags) {
  const std::string text =
      "---- BEGIN SSH2 PUBLIC KEY ----\nSubject: me\nComment: a long \\\ncomment\n" +
      std::string(kEd25519).substr(12, 68) + "\n---- END SSH2 PUBLIC KEY ----\n";
  const auto file = KeyFile::Parse(text);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  ASSERT_THAT(file->blocks(), SizeIs(1));
  EXPECT_EQ(file->blocks()[0].key.text, std::string(kEd25519).substr(0, 80));
  EXPECT_EQ(file->Text(), text);
}

// The text of a key in quarantine comes back byte for byte; meanwhile all of it is comment.
TEST(KeyFile, QuarantineKeepsTheTextAndGivesItBack) {
  const std::string text =
      "# from a partner\n---- BEGIN SSH2 PUBLIC KEY ----\nComment: a long \\\ncomment\n" +
      std::string(kEd25519).substr(12, 68) + "\n---- END SSH2 PUBLIC KEY ----\n";
  auto file = KeyFile::Parse(text);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_TRUE(file->OpensAny());
  const PublicKey key = file->blocks()[0].key;
  file->Quarantine(key.fingerprint);
  EXPECT_FALSE(file->OpensAny());
  EXPECT_FALSE(file->empty()) << "there is something to keep";
  const std::string kept = file->Text();
  for (std::string_view rest = kept; !rest.empty();) {
    EXPECT_TRUE(rest.starts_with(kQuarantine)) << rest;
    rest.remove_prefix(rest.find('\n') + 1);
  }
  auto again = KeyFile::Parse(kept);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  ASSERT_THAT(again->blocks(), SizeIs(1));
  EXPECT_TRUE(again->blocks()[0].quarantined);
  EXPECT_EQ(again->Text(), kept);
  // Put in once more by hand, it is in force; what was kept says nothing more.
  const auto both = KeyFile::Parse(kept + text);
  ASSERT_TRUE(both.has_value());
  EXPECT_EQ(both->Text(), text);
  again->Add(key);
  EXPECT_EQ(again->Text(), text);
  again->Quarantine(key.fingerprint);
  again->Remove(key.fingerprint);
  EXPECT_EQ(again->Text(), "");
}

TEST(KeyFile, WhatIsNoKeyMakesItBroken) {
  EXPECT_FALSE(KeyFile::Parse(kEd25519));
  EXPECT_FALSE(KeyFile::Parse("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n"));
  EXPECT_FALSE(
      KeyFile::Parse("---- BEGIN SSH2 PUBLIC KEY ----\n!\n---- END SSH2 PUBLIC KEY ----\n"));
}

}  // namespace
}  // namespace postern::filetransfer
