// Exports and imports as what their runners shall have installed: sealed, woken, for as long as
// they may.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/jobs/spec.h"
#include "schemas/kinds.pb.h"
#include "tests/unit/compile/written.h"

namespace postern::compile {
namespace {

using object::Kind;
using testing::HasSubstr;
using testing::Ne;
using testing::SizeIs;

constexpr char kOperator[] = R"(
administrators = ["person:li"]
[host.edge]
address = "memory:world"
manage = { roots = ["/srv"] }
[directory.corp]
url = "memory:world"
users_ou = "ou=people,dc=x"
groups_ou = "ou=groups,dc=x"
manage = { bases = ["dc=x"] }
[secret."*"]
from = "file:/etc/postern/secrets/*"
[runner.nightly]
host = "edge"
user = "postern-jobs"
[endpoint.drop]
for = "partner:acme"
protocol = "sftp"
address = "files.acme.test:2222"
known_host = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPWxZSJKWLeR32rx2DA+Yc3Eu4bD0cQnEDw0TEGJ6y8e"
login = "wong"
private_key = "secret:acme-key"
)";

// The contract runs through 2026.
constexpr char kTree[] = R"(
[person.li]
[partner.acme]
sponsor = "person:li"
contract = { starts = 2026-01-01, ends = 2026-12-31 }
[service_account.feed]
owner = "person:li"
purpose = "nightly files"
[export.people]
owner = "person:li"
reason = "letters"
runner = "nightly"
as = "service:feed"
what = "users"
from = ["directory:corp"]
format = { type = "csv" }
columns = [{ from = "uid", key = true }, "mail"]
schedule = { cron = "30 2 * * *" }
deliver = { to = "drop", folder = "/in", name = "users_{slot:%Y%m%d}.csv" }
)";

class JobsTest : public WrittenTest {
 protected:
  JobsTest() { facts_.now = facts_.clock = *base::ParseInstant("2026-06-01T12:00:00Z"); }

  Desired Read(const std::string& more = "") {
    loaded_ = Load(kOperator, kTree + more);
    facts_.ledger_id = "l";
    facts_.recorded = &recorded_;
    return Compile(loaded_.declarations, loaded_.sources, {}, facts_);
  }
  static kinds::Job JobOf(const Desired& desired) {
    const DesiredObject* job = desired.Find("runner:nightly")->Find(Kind::kJob, "export.people");
    EXPECT_NE(job, nullptr);
    return job == nullptr ? kinds::Job() : object::DecodeAs<kinds::Job>(job->body);
  }
  void Record(const kinds::Job& job) {
    const object::Object object = object::Encode(job);
    recorded_["runner:nightly"] = {
        {.kind = object.kind, .key = object.key, .body = object.body, .owner = "export:people"}};
  }

  Facts facts_;
  std::map<std::string, std::vector<ledger::Recorded>> recorded_;
  config::Loaded loaded_;
};

TEST_F(JobsTest, IsSealedWithWhatItNeedsAndNoSecret) {
  facts_.next_generation = 7;
  facts_.revision = "4f1c9e2";
  facts_.now += 86400;  // for tomorrow; sealed today
  const kinds::Job job = JobOf(Read());
  const auto spec = jobs::ParseSpec(job.spec());
  ASSERT_TRUE(spec.has_value());
  EXPECT_EQ(spec->generation(), 7u);
  EXPECT_EQ(spec->commit(), "4f1c9e2");
  EXPECT_EQ(spec->sealed_at(), facts_.clock);
  ASSERT_THAT(spec->directories(), SizeIs(1));
  EXPECT_EQ(spec->directories(0).name(), "corp");
  ASSERT_THAT(spec->secrets(), SizeIs(1));
  EXPECT_EQ(spec->secrets(0).from(), "file:/etc/postern/secrets/acme-key");
  EXPECT_TRUE(job.enabled());
  EXPECT_THAT(job.timer(), HasSubstr("OnCalendar="));
  EXPECT_THAT(job.service(), HasSubstr(jobs::DigestOf(job.spec())));
}

// A later generation and another commit are no change of the job: a plan stays empty.
// A host by itself holds folders; who reaches them, and how, is at its servers.
TEST_F(JobsTest, AHostComesWithAllItsServers) {
  std::string tree = kTree;
  const size_t what = tree.find("what = \"users\"");
  const size_t end = tree.find("schedule =");
  tree.replace(what, end - what,
               "what = \"entitlements\"\nfrom = [\"host:edge\"]\n"
               "format = { type = \"csv\" }\ncolumns = [{ from = \"id\", key = true }]\n");
  std::string with_servers = kOperator;
  for (const char* one : {"ftp", "ftp2"}) {
    with_servers += fmt::format(
        "[server.{}]\nhost = \"edge\"\nproduct = \"proftpd\"\n"
        "uids = {{ from = 30000, to = 30099, gid = 30000 }}\n",
        one);
  }
  with_servers += "[host.other]\naddress = \"memory:world\"\n";
  with_servers += "[server.away]\nhost = \"other\"\nproduct = \"proftpd\"\n";
  loaded_ = Load(with_servers, tree);
  const Desired desired = Compile(loaded_.declarations, loaded_.sources, {}, facts_);
  const auto spec = jobs::ParseSpec(JobOf(desired).spec());
  ASSERT_TRUE(spec.has_value());
  ASSERT_THAT(spec->hosts(), SizeIs(1));
  ASSERT_THAT(spec->servers(), SizeIs(2));
  EXPECT_EQ(spec->servers(0).name() + spec->servers(1).name(), "ftpftp2");
}

TEST_F(JobsTest, KeepsItsSealUntilItSaysSomethingElse) {
  facts_.next_generation = 7;
  const kinds::Job first = JobOf(Read());
  Record(first);
  facts_.next_generation = 8;
  facts_.revision = "0000000";
  facts_.now += 86400;
  EXPECT_EQ(JobOf(Read()).spec(), first.spec());
  const kinds::Job other = JobOf(Read("min_rows = 3\n"));
  EXPECT_THAT(other.spec(), Ne(first.spec()));
  EXPECT_EQ(jobs::ParseSpec(other.spec())->generation(), 8u);
}

// What another hand has put into the ledger's place isn't taken over: other bytes, the seal of
// another ledger.
TEST_F(JobsTest, TakesNoSealOfAnotherLedger) {
  kinds::Job job = JobOf(Read());
  auto spec = *jobs::ParseSpec(job.spec());
  spec.set_ledger_id("another");
  job.set_spec(jobs::Seal(spec).bytes);
  Record(job);
  EXPECT_EQ(jobs::ParseSpec(JobOf(Read()).spec())->ledger_id(), "l");
}

struct EndCase {
  const char* name;
  const char* now;
  const char* more;
  bool enabled;
  size_t expired, ahead;
};

// Off, and told as the end of somebody's time, when whom it is for, whoever answers for it or the
// job itself is out of time.
TEST_F(JobsTest, EndsWithWhomItIsFor) {
  const EndCase cases[] = {
      {"before the contract", "2025-12-31T23:59:59Z", "", false, 0, 1},
      {"its first second", "2026-01-01T00:00:00Z", "", true, 0, 0},
      {"its last second", "2026-12-31T23:59:59Z", "", true, 0, 0},
      {"after it", "2027-01-01T00:00:00Z", "", false, 1, 0},
      {"its own end first", "2026-06-01T12:00:00Z", "expires = 2026-05-31\n", false, 1, 0},
      {"switched off", "2026-06-01T12:00:00Z", "enabled = false\n", false, 0, 0},
  };
  for (const EndCase& one : cases) {
    facts_.now = *base::ParseInstant(one.now);
    const Desired desired = Read(one.more);
    EXPECT_EQ(JobOf(desired).enabled(), one.enabled) << one.name;
    const auto of_job = [](const std::vector<OffTime>& all) {
      return static_cast<size_t>(std::count_if(all.begin(), all.end(), [](const OffTime& off) {
        return off.key.kind == Kind::kJob && off.key.key == "export.people";
      }));
    };
    EXPECT_EQ(of_job(desired.expired), one.expired) << one.name;
    EXPECT_EQ(of_job(desired.ahead), one.ahead) << one.name;
  }
}

// What a timer that nobody took away must know by itself.
TEST_F(JobsTest, SealsWhenItMayCarryAnything) {
  const auto spec = [&](const std::string& more, const std::string& account) {
    std::string tree = kTree;
    const std::string before = "purpose = \"nightly files\"\n";
    tree.insert(tree.find(before), account);
    loaded_ = Load(kOperator, tree + more);
    return *jobs::ParseSpec(
        JobOf(Compile(loaded_.declarations, loaded_.sources, {}, facts_)).spec());
  };
  const auto at = [](const char* text) { return *base::ParseInstant(text); };
  auto sealed = spec("", "");
  EXPECT_EQ(sealed.not_before(), at("2026-01-01T00:00:00Z"));
  EXPECT_EQ(sealed.not_after(), at("2026-12-31T23:59:59Z"));
  EXPECT_EQ(spec("expires = 2026-11-30\n", "").not_after(), at("2026-11-30T23:59:59Z"));
  sealed = spec("", "starts = 2026-03-01\nexpires = 2026-10-31\n");
  EXPECT_EQ(sealed.not_before(), at("2026-03-01T00:00:00Z"));
  EXPECT_EQ(sealed.not_after(), at("2026-10-31T23:59:59Z"));
}

TEST_F(JobsTest, EndsWithWhomItRunsAs) {
  const auto enabled = [&](const std::string& account) {
    std::string tree = kTree;
    tree.insert(tree.find("purpose = \"nightly"), account);
    loaded_ = Load(kOperator, tree);
    return JobOf(Compile(loaded_.declarations, loaded_.sources, {}, facts_)).enabled();
  };
  EXPECT_TRUE(enabled("enabled = true\n"));
  EXPECT_FALSE(enabled("enabled = false\n"));
  EXPECT_FALSE(enabled("starts = 2026-07-01\n"));
  EXPECT_FALSE(enabled("expires = 2026-05-31\n"));
}

TEST_F(JobsTest, OneWithoutAScheduleIsInstalledAndNothingWakesIt) {
  std::string tree = kTree;
  const std::string schedule = "schedule = { cron = \"30 2 * * *\" }\n";
  tree.erase(tree.find(schedule), schedule.size());
  loaded_ = Load(kOperator, tree);
  facts_.recorded = &recorded_;
  const kinds::Job job = JobOf(Compile(loaded_.declarations, loaded_.sources, {}, facts_));
  EXPECT_FALSE(job.has_enabled());
  EXPECT_EQ(job.timer(), "");
  EXPECT_THAT(job.service(), HasSubstr("ExecStart="));
}

}  // namespace
}  // namespace postern::compile
