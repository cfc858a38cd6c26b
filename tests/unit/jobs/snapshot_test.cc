// A snapshot: what it holds, that nothing of it can change unseen, and what is wanted from it.
#include "core/jobs/snapshot/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "core/jobs/snapshot/restore.h"
#include "core/object/fields.h"
#include "schemas/kinds.pb.h"

namespace postern::jobs {
namespace {

using object::Kind;
using testing::HasSubstr;

kinds::User Ann() {
  kinds::User user;
  user.set_dn("uid=ann,ou=People,dc=example,dc=com");
  user.set_uid("ann");
  user.set_surname("\xC5\x81ukasz \"L\"");
  user.mutable_mail()->add_values("ann@example.com");
  user.mutable_mail()->add_values("a.n@example.com");
  user.set_enabled(true);
  user.set_expires(4102444800);
  user.set_password("hmac of what is stored");
  return user;
}

kinds::Account Bea() {
  kinds::Account account;
  account.set_server("edge-ftp");
  account.set_login("bea");
  account.set_home("/srv/bea");
  account.set_uid(40007);
  account.set_enabled(true);
  return account;
}

kinds::NativeRule Rule() {
  kinds::NativeRule rule;
  rule.set_server("edge-ftp");
  rule.set_file("/etc/proftpd/extra.conf");
  rule.set_line(3);
  rule.set_text("<Limit ALL>");
  return rule;
}

class SnapshotTest : public testing::Test {
 protected:
  SnapshotTest() {
    observe::ObservedTarget& corp = observed_.targets.emplace_back();
    corp.name = "directory:corp";
    corp.reached = true;
    corp.scopes.push_back({.kind = Kind::kUser, .scope = "ou=People", .complete = true});
    corp.objects.Add(object::Encode(Ann()).view());
    corp.objects.Sort();
    observe::ObservedTarget& edge = observed_.targets.emplace_back();
    edge.name = "host:edge";
    edge.reached = true;
    edge.objects.Add(object::Encode(Bea()).view());
    edge.objects.Add(object::Encode(Rule()).view());
    edge.objects.Sort();
  }
  ~SnapshotTest() override { ::unlink(path_.c_str()); }

  Result<SnapshotTotals> Write() {
    const SnapshotHead head{
        .taken = 1'800'000'000, .ledger_id = "ab12", .revision = "4f1c", .generation = 7};
    return WriteSnapshot(
        head, observed_,
        [this](std::string_view bytes) -> Result<void> {
          bytes_ += bytes;
          return {};
        },
        &diagnostics_);
  }
  Result<Snapshot> ReadBack(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return ReadSnapshot(path_);
  }

  const std::string path_ = testing::TempDir() + "/snapshot-" + std::to_string(::getpid());
  observe::Observed observed_;
  diag::Diagnostics diagnostics_;
  std::string bytes_;
};

TEST_F(SnapshotTest, IsReadBackAsItWas) {
  const auto totals = Write();
  ASSERT_TRUE(totals) << totals.error().message;
  EXPECT_EQ(totals->objects, 3u);
  EXPECT_EQ(totals->bytes, bytes_.size());
  const auto snapshot = ReadBack(bytes_);
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_EQ(snapshot->digest, totals->sha256);
  EXPECT_EQ(snapshot->head.generation, 7u);
  EXPECT_EQ(snapshot->head.taken, 1'800'000'000);
  ASSERT_EQ(snapshot->targets.size(), 2u);
  const object::Object ann = object::Encode(Ann());
  const object::ObjectView* back = snapshot->targets[0].objects.Find(Kind::kUser, ann.key);
  ASSERT_NE(back, nullptr);
  EXPECT_EQ(back->body, object::Restrict(ann.body, ~object::SecretMask(Kind::kUser)));
}

TEST_F(SnapshotTest, HoldsNoSecret) {
  ASSERT_TRUE(Write());
  EXPECT_THAT(bytes_, Not(HasSubstr("hmac")));
}

TEST_F(SnapshotTest, TheSameWorldGivesTheSameBytes) {
  ASSERT_TRUE(Write());
  const std::string first = std::exchange(bytes_, "");
  ASSERT_TRUE(Write());
  EXPECT_EQ(bytes_, first);
}

TEST_F(SnapshotTest, ABitThatIsFlippedIsSeenWhereverItIs) {
  ASSERT_TRUE(Write());
  for (size_t at = 0; at < bytes_.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes_;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      EXPECT_FALSE(ReadBack(flipped)) << "byte " << at << ", bit " << bit;
    }
  }
}

TEST_F(SnapshotTest, ACutIsSeenWhereverItIs) {
  ASSERT_TRUE(Write());
  for (size_t length = 0; length < bytes_.size(); ++length) {
    EXPECT_FALSE(ReadBack(bytes_.substr(0, length))) << length;
  }
  EXPECT_FALSE(ReadBack(bytes_ + "{}\n"));
  EXPECT_FALSE(ReadBack(bytes_ + bytes_));
}

TEST_F(SnapshotTest, OfANewerVersionIsntRead) {
  ASSERT_TRUE(Write());
  const size_t at = bytes_.find(R"("version":1)");
  ASSERT_NE(at, std::string::npos);
  const auto newer = ReadBack(bytes_.replace(at, 11, R"("version":2)"));
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, ErrorCode::kUnsupported);
}

TEST_F(SnapshotTest, HalfAWorldIsNone) {
  observed_.targets[0].scopes[0].complete = false;
  observed_.targets[0].scopes[0].reason = "the size limit of the server";
  observed_.targets[1].reached = false;
  observed_.targets[1].error.message = "connection refused";
  const auto totals = Write();
  ASSERT_FALSE(totals);
  EXPECT_EQ(totals.error().code, ErrorCode::kIncomplete);
  EXPECT_EQ(bytes_, "");
  ASSERT_EQ(diagnostics_.all().size(), 2u);
  EXPECT_THAT(diagnostics_.all()[0].notes.front(), HasSubstr("the size limit of the server"));
  EXPECT_THAT(diagnostics_.all()[1].notes.front(), HasSubstr("connection refused"));
}

TEST_F(SnapshotTest, AMovingScopeAndAnUnreadFieldAreHalfAWorld) {
  observed_.targets[0].scopes[0].unstable = "the total went from 40 to 39";
  object::Object unread = object::Encode(Bea());
  unread.key += "2";
  unread.unreadable = 2;
  observed_.targets[1].objects.Add(unread.view());
  EXPECT_FALSE(Write());
  EXPECT_EQ(diagnostics_.all().size(), 2u);
}

class RestoreTest : public SnapshotTest {
 protected:
  RestoreTest() {
    declarations_.hosts.emplace_back().message.set_name("edge");
    declarations_.directories.emplace_back().message.set_name("corp");
  }
  Snapshot Taken() {
    EXPECT_TRUE(Write());
    auto snapshot = ReadBack(bytes_);
    EXPECT_TRUE(snapshot);
    return *std::move(snapshot);
  }
  config::Declarations declarations_;
  compile::Desired declared_;
};

TEST_F(RestoreTest, WhatNobodyDeclaresComesBackAsForeign) {
  const Restore restore = RestoreOf(Taken(), declared_, declarations_, {});
  const compile::DesiredTarget* corp = restore.desired.Find("directory:corp");
  ASSERT_NE(corp, nullptr);
  ASSERT_EQ(corp->objects.size(), 1u);
  const compile::DesiredObject& ann = corp->objects[0];
  EXPECT_EQ(restore.desired.provenance[ann.sources.front()].owner, compile::kRestored);
  EXPECT_EQ(ann.owned, object::KeyMask(Kind::kUser));
}

TEST_F(RestoreTest, WhatIsDeclaredKeepsItsOwnerAndTakesItsSecret) {
  const Snapshot snapshot = Taken();
  declared_.provenance.push_back({.owner = "user:ann"});
  kinds::User wanted;
  wanted.set_dn(Ann().dn());
  wanted.set_surname("Lukasz");
  wanted.set_password("secret:ann");
  const object::ObjectView encoded = object::Encode(wanted, &declared_.bytes);
  declared_.targets.push_back({.name = "directory:corp", .objects = {}, .authority = {}});
  compile::DesiredObject object;
  object.kind = encoded.kind;
  object.key = encoded.key;
  object.body = encoded.body;
  object.sources = {0};
  declared_.targets[0].objects.push_back(object);
  const Restore restore = RestoreOf(snapshot, declared_, declarations_, {});
  const compile::DesiredObject& ann = restore.desired.Find("directory:corp")->objects[0];
  EXPECT_EQ(restore.desired.provenance[ann.sources.front()].owner, "user:ann");
  EXPECT_EQ(ann.owned, object::FieldsSet(encoded.body));
  const auto user = object::DecodeAs<kinds::User>(ann.body);
  EXPECT_EQ(user.password(), "secret:ann");
  EXPECT_EQ(user.surname(), Ann().surname()) << "what was, not what is declared now";
  EXPECT_EQ(user.mail().values_size(), 2);
}

TEST_F(RestoreTest, WhatPosternNeverWritesIsLeftOutAndTold) {
  const Restore restore = RestoreOf(Taken(), declared_, declarations_, {});
  EXPECT_EQ(restore.desired.Find("host:edge")->objects.size(), 1u);
  ASSERT_EQ(restore.left_out.size(), 1u);
  EXPECT_EQ(restore.left_out[0].target, "host:edge");
  EXPECT_EQ(restore.left_out[0].count, 1u);
  EXPECT_THAT(restore.left_out[0].what, HasSubstr("native rules"));
}

TEST_F(RestoreTest, AnOwnerIsGivenByName) {
  kinds::Folder folder;
  folder.set_host("edge");
  folder.set_path("/srv/exchange");
  folder.set_owner("root (0)");
  folder.set_group("40007");
  observed_.targets[1].objects.Add(object::Encode(folder).view());
  observed_.targets[1].objects.Sort();
  const Restore restore = RestoreOf(Taken(), declared_, declarations_, {});
  const auto* wanted =
      restore.desired.Find("host:edge")->Find(Kind::kFolder, object::EncodeKey(folder));
  ASSERT_NE(wanted, nullptr);
  EXPECT_EQ(object::DecodeAs<kinds::Folder>(wanted->body).owner(), "root");
  EXPECT_EQ(object::DecodeAs<kinds::Folder>(wanted->body).group(), "40007");
}

TEST_F(RestoreTest, NumbersOfAccountsAreGivenToNobodyElse) {
  const Snapshot snapshot = Taken();
  EXPECT_THAT(RestoreOf(snapshot, declared_, declarations_, {}).desired.new_uids,
              testing::ElementsAre(std::pair<std::string, uint32_t>("edge-ftp", 40007)));
  EXPECT_THAT(RestoreOf(snapshot, declared_, declarations_, {{"edge-ftp", 40007}}).desired.new_uids,
              testing::IsEmpty());
}

TEST_F(RestoreTest, ATargetThatIsntDeclaredIsNamed) {
  declarations_.directories.clear();
  const Restore restore = RestoreOf(Taken(), declared_, declarations_, {});
  EXPECT_THAT(restore.unknown_targets, testing::ElementsAre("directory:corp"));
  EXPECT_EQ(restore.desired.Find("directory:corp"), nullptr);
}

TEST_F(RestoreTest, RecordsOfWhatTheSnapshotLacksAreLeftAlone) {
  const Restore restore = RestoreOf(Taken(), declared_, declarations_, {});
  std::map<std::string, std::vector<ledger::Recorded>> recorded;
  ledger::Recorded ann, other;
  ann.kind = other.kind = Kind::kUser;
  ann.key = object::EncodeKey(Ann());
  other.key = "uid=new,ou=people,dc=example,dc=com";
  recorded["directory:corp"] = {ann, other};
  recorded["directory:gone"] = {other};
  KeepRestored(restore.desired, &recorded);
  ASSERT_EQ(recorded["directory:corp"].size(), 1u);
  EXPECT_EQ(recorded["directory:corp"][0].key, ann.key);
  EXPECT_TRUE(recorded["directory:gone"].empty());
}

}  // namespace
}  // namespace postern::jobs
