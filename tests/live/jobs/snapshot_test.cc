// An export of a snapshot by the program itself: the sealed file at the place, and what comes back
// from it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/live/jobs/job.h"

namespace postern::jobs {
namespace {

using live::Job;
using live::PeopleLdif;
using live::Uid;
using nlohmann::json;
using support::RunResult;
using support::Slapd;
using testing::HasSubstr;
using testing::Not;

constexpr int kPeople = 8;

class SnapshotJob : public Job {
 public:
  SnapshotJob(LivePlace& place, const Slapd& slapd) : Job(place) {
    From(slapd);
    Export().set_what("snapshot");
    Export().mutable_deliver()->set_name("corp_{seq:04}.snapshot");
    Install();
  }
};

// A tree beside the job, with the same directory and nothing declared in it.
class Tree {
 public:
  explicit Tree(const Slapd& slapd) {
    scratch_.Write("bind", Slapd::kPassword, 0600);
    scratch_.Write("access/all.toml", "[person.li]\n");
    scratch_.Write("operator/postern.toml",
                   fmt::format(R"(
administrators = ["person:li"]
[directory.corp]
url = "{0}"
tls = {{ start = false }}
bind = {{ dn = "{1}", password = "secret:bind" }}
manage = {{ bases = ["{2}"], foreign = "report" }}
users_ou = "{2}"
limits = {{ lose_people = 100, lose_percent = 100, change_percent = 100 }}
[secret.bind]
from = "file:{3}/bind"
targets = ["directory:corp"]
)",
                               slapd.url(), Slapd::kBindDn, Slapd::kPeople, scratch_.path()));
  }
  RunResult Restore(const std::string& file) const {
    return support::RunCommand(
        {POSTERN, "restore", "--yes", file, "--operator", scratch_.File("operator/postern.toml")},
        {.limit = std::chrono::seconds(120)});
  }

 private:
  support::Scratch scratch_;
};

// One text an entry, with its lines in their order: a server shows attributes in that of writing.
std::multiset<std::string> Entries(Slapd& slapd) {
  std::istringstream found(
      slapd.Search(Slapd::kPeople, "(objectClass=inetOrgPerson)",
                   {"uid", "cn", "sn", "mail", "displayName", "employeeNumber"}));
  std::multiset<std::string> entries, lines;
  for (std::string line; std::getline(found, line);) {
    if (!line.empty()) {
      lines.insert(line);
      continue;
    }
    entries.insert(fmt::format("{}", fmt::join(lines, "\n")));
    lines.clear();
  }
  return entries;
}

void LosePeople(Slapd& slapd) {
  for (int n = 0; n < kPeople; ++n) {
    slapd.Modify(fmt::format("dn: uid={},{}\nchangetype: delete\n", Uid(n), Slapd::kPeople));
  }
}

TEST(SnapshotExport, IsRestoredFromWhereItWasDelivered) {
  Slapd slapd({.ldif = PeopleLdif(kPeople)});
  const auto before = Entries(slapd);
  ASSERT_EQ(before.size(), static_cast<size_t>(kPeople));
  LivePlace place("sftp");
  ASSERT_TRUE(place.Start());
  SnapshotJob job(place, slapd);
  const RunResult run = job.Run();
  ASSERT_EQ(run.exit, 0) << run.out << run.err << place.Logs();
  EXPECT_EQ(json::parse(run.out)["slots"][0]["file_rows"], kPeople + 1);  // and the OU
  const std::string file = place.folder() + "/corp_0001.snapshot";
  const RunResult proof = job.Postern({"verify", "1"});
  EXPECT_EQ(proof.exit, 0) << proof.out << proof.err;
  LosePeople(slapd);
  ASSERT_THAT(slapd.Search(Slapd::kPeople, "(objectClass=inetOrgPerson)"), Not(HasSubstr("dn:")));
  const Tree tree(slapd);
  const RunResult restored = tree.Restore(file);
  EXPECT_EQ(restored.exit, 0) << restored.out << restored.err;
  EXPECT_EQ(Entries(slapd), before);
  std::string bytes = support::ReadFile(file);
  bytes[bytes.size() / 2] ^= 1;
  std::ofstream(file, std::ios::binary) << bytes;
  EXPECT_THAT(tree.Restore(file).err, HasSubstr("E0902"));
}

TEST(SnapshotExport, KilledItEndsOnceAndWhole) {
  Slapd slapd({.ldif = PeopleLdif(kPeople)});
  LivePlace place("sftp");
  ASSERT_TRUE(place.Start());
  for (const char* point : {"job-census", "job-written", "job-begun", "job-prepared"}) {
    SCOPED_TRACE(point);
    SnapshotJob job(place, slapd);
    const RunResult killed = job.Run({{"POSTERN_KILL_POINT", point}});
    ASSERT_EQ(killed.signal, SIGKILL) << killed.out << killed.err;
    const RunResult again = job.Run();
    EXPECT_EQ(again.exit, 0) << again.out << again.err;
    EXPECT_THAT(job.Arrived(),
                testing::ElementsAre("corp_0001.snapshot", "corp_0001.snapshot.manifest.json",
                                     "corp_0001.snapshot.sha256"));
    EXPECT_EQ(json::parse(job.Postern({"history", "--json"}).out)["history"].size(), 1u);
    for (const auto& entry : std::filesystem::directory_iterator(place.folder())) {
      std::filesystem::remove(entry);
    }
  }
}

TEST(SnapshotExport, OfWhatCannotBeReadThereIsNone) {
  Slapd slapd({.ldif = PeopleLdif(kPeople)});
  LivePlace place("sftp");
  ASSERT_TRUE(place.Start());
  SnapshotJob job(place, slapd);
  slapd.process().Kill();
  const RunResult run = job.Run();
  EXPECT_EQ(run.exit, 6) << run.out << run.err;
  EXPECT_THAT(run.err, HasSubstr("E0901"));
  EXPECT_TRUE(job.Arrived().empty());
}

TEST(SnapshotExport, IsEncryptedAsDeclared) {
  Slapd slapd({.ldif = PeopleLdif(kPeople)});
  LivePlace place("sftp");
  ASSERT_TRUE(place.Start());
  SnapshotJob job(place, slapd);
  const std::string key = job.scratch_.File("key");
  ASSERT_EQ(support::RunCommand({"age-keygen", "-o", key}).exit, 0);
  const RunResult shown = support::RunCommand({"age-keygen", "-y", key});
  job.Export().mutable_encrypt()->mutable_age()->add_values(
      shown.out.substr(0, shown.out.find('\n')));
  job.Install();
  const RunResult run = job.Run();
  ASSERT_EQ(run.exit, 0) << run.out << run.err;
  const std::string sent = place.folder() + "/corp_0001.snapshot.age";
  EXPECT_THAT(support::ReadFile(sent), Not(HasSubstr(Uid(0))));
  const std::string file = job.scratch_.File("opened");
  ASSERT_EQ(support::RunCommand({"age", "-d", "-i", key, "-o", file, sent}).exit, 0);
  LosePeople(slapd);
  const RunResult restored = Tree(slapd).Restore(file);
  EXPECT_EQ(restored.exit, 0) << restored.out << restored.err;
  EXPECT_THAT(slapd.Search(Slapd::kPeople, "(objectClass=inetOrgPerson)"), HasSubstr(Uid(0)));
}

}  // namespace
}  // namespace postern::jobs
