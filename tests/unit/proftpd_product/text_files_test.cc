// AuthUserFile, AuthGroupFile and key files: parsed, changed, rendered.
#include <gmock/gmock.h>

#include "providers/filetransfer/proftpd/keys.h"
#include "providers/filetransfer/proftpd/users.h"

namespace postern::proftpd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kUsers[] =
    "# by hand\n"
    "bea:$6$a$b:3001:3000:Bea:/srv/x:/bin/false\n"
    "garbage line\n"
    "bea:other:9:9::/:/bin/sh\n"
    "\n"
    "al:!:3002:3000::/srv/x:/bin/false";

TEST(UserText, KeepsEveryByte) {
  for (const char* text : {kUsers, "", "\n", "\n\n", "x", "a:b:c\n", "bea:x:1:1::/:\r\n"}) {
    EXPECT_EQ(UserText::Parse(text).Render(), text);
  }
}

TEST(UserText, TheFirstLineOfANameCounts) {
  const UserText users = UserText::Parse(kUsers);
  EXPECT_THAT(users.entries(), SizeIs(2));
  EXPECT_EQ(users.Find("bea")->uid, 3001u);
  EXPECT_EQ(users.Find("nobody"), nullptr);
}

TEST(UserText, TellsGarbageAndDuplicatesByLine) {
  const UserText users = UserText::Parse(kUsers);
  ASSERT_THAT(users.problems(), SizeIs(2));
  EXPECT_EQ(users.problems()[0].line, 3u);
  EXPECT_EQ(users.problems()[1].line, 4u);
}

TEST(UserText, PutReplacesOnlyItsLine) {
  UserText users = UserText::Parse(kUsers);
  UserLine bea = *users.Find("bea");
  bea.home = "/srv/y";
  ASSERT_TRUE(users.Put(bea).has_value());
  std::string want = kUsers;
  want.replace(want.find("/srv/x"), 6, "/srv/y");
  EXPECT_EQ(users.Render(), want);
}

TEST(UserText, PutAppendsAfterALineWithoutEnd) {
  UserText users = UserText::Parse(kUsers);
  ASSERT_TRUE(users.Put({"cy", "!", 1, 2, "", "/", "/bin/false"}).has_value());
  EXPECT_EQ(users.Render(), std::string(kUsers) + "\ncy:!:1:2::/:/bin/false\n");
}

TEST(UserText, RemoveLeavesNoShadowedLine) {
  UserText users = UserText::Parse(kUsers);
  EXPECT_TRUE(users.Remove("bea"));
  EXPECT_FALSE(users.Remove("bea"));
  EXPECT_EQ(UserText::Parse(users.Render()).Find("bea"), nullptr);
}

TEST(UserText, RefusesWhatALineCantCarry) {
  UserText users = UserText::Parse("");
  EXPECT_FALSE(users.Put({"a:b", "", 1, 1, "", "/", ""}).has_value());
  EXPECT_FALSE(users.Put({"a", "", 1, 1, "x\ny", "/", ""}).has_value());
  EXPECT_FALSE(users.Put({"", "", 1, 1, "", "/", ""}).has_value());
  EXPECT_FALSE(users.Put({"#a", "", 1, 1, "", "/", ""}).has_value());
  EXPECT_EQ(users.Render(), "");
}

TEST(GroupText, ReadsMembersAndWritesThem) {
  GroupText groups = GroupText::Parse("ops:x:50:bea,,al\n");
  EXPECT_THAT(groups.Find("ops")->members, ElementsAre("bea", "al"));
  EXPECT_EQ(groups.Render(), "ops:x:50:bea,,al\n");
  ASSERT_TRUE(groups.Put({"ops", "x", 50, {"al"}}).has_value());
  ASSERT_TRUE(groups.Put({"none", "x", 51, {}}).has_value());
  EXPECT_EQ(groups.Render(), "ops:x:50:al\nnone:x:51:\n");
  EXPECT_FALSE(groups.Put({"bad", "x", 52, {"a,b"}}).has_value());
  EXPECT_FALSE(groups.Put({"bad", "x", 52, {""}}).has_value());
}

// A real key, made for this test.
constexpr char kEd25519[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFi6hrx3pKKdCyd5aAY5hKSgMPqkcxyMLrYQeDp0XVZv ops@acme";

TEST(Keys, RoundTrip) {
  const Result<PublicKey> key = ParseOpenSshKey(kEd25519);
  ASSERT_TRUE(key.has_value()) << key.error().message;
  EXPECT_EQ(key->type, "ssh-ed25519");
  EXPECT_EQ(RenderOpenSshKey(*key), kEd25519);
  const std::string text = RenderKeyFile({*key, *key});
  const KeyFile file = ParseKeyFile(text);
  EXPECT_THAT(file.problems, IsEmpty());
  EXPECT_THAT(file.keys, ElementsAre(*key, *key));
  EXPECT_EQ(RenderKeyFile(file.keys), text);
}

TEST(Keys, RefusesOptionsAndWrongTypes) {
  EXPECT_FALSE(ParseOpenSshKey("").has_value());
  EXPECT_FALSE(ParseOpenSshKey("ssh-ed25519").has_value());
  EXPECT_FALSE(ParseOpenSshKey(std::string("restrict ") + kEd25519).has_value());
  EXPECT_FALSE(ParseOpenSshKey(std::string("ssh-rsa ") + (kEd25519 + 12)).has_value());
}

TEST(Keys, ReadsContinuedHeadersAndOtherTags) {
  const std::string base64 = std::string(kEd25519).substr(12, 68);
  const KeyFile file =
      ParseKeyFile("---- BEGIN SSH2 PUBLIC KEY ----\r\nSubject: me\nComment: a long \\\ncomment\n" +
                   base64 + "\n---- END SSH2 PUBLIC KEY ----\n");
  ASSERT_THAT(file.keys, SizeIs(1));
  EXPECT_EQ(file.keys[0].comment, "a long comment");
}

TEST(Keys, TellsWhatIsNoKey) {
  EXPECT_THAT(ParseKeyFile(kEd25519).problems, SizeIs(1));
  EXPECT_THAT(ParseKeyFile("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n").problems, SizeIs(1));
  EXPECT_THAT(
      ParseKeyFile("---- BEGIN SSH2 PUBLIC KEY ----\n!\n---- END SSH2 PUBLIC KEY ----\n").problems,
      SizeIs(1));
}

TEST(Keys, ACommentCantBreakTheFile) {
  Result<PublicKey> key = ParseOpenSshKey(kEd25519);
  ASSERT_TRUE(key.has_value());
  key->comment = "a\"\n---- END SSH2 PUBLIC KEY ----\\";
  const KeyFile file = ParseKeyFile(RenderKeyFile({*key}));
  ASSERT_THAT(file.keys, SizeIs(1));
  EXPECT_EQ(file.keys[0].blob, key->blob);
}

}  // namespace
}  // namespace postern::proftpd
