// Exports by the program itself: a real slapd or SCIM server to a real sshd and ProFTPD, read back
// by foreign readers.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/live/delivery/places.h"
#include "tests/live/jobs/job.h"
#include "tests/support/command.h"
#include "tests/support/scim.h"
#include "tests/support/slapd.h"

namespace postern::jobs {
namespace {

using live::Job;
using live::PeopleLdif;
using nlohmann::json;
using support::RunResult;
using support::Slapd;
using testing::ElementsAre;
using testing::HasSubstr;

int PeopleCount() {
  constexpr int kShort = 1000, kLong = 100'000;
  return std::getenv("POSTERN_CAMPAIGN_FULL") != nullptr ? kLong : kShort;  // NOLINT
}

std::set<std::string> Lines(const std::string& text) {
  std::set<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    EXPECT_TRUE(lines.insert(line).second) << "twice: " << line;
  }
  return lines;
}

// LDIF -> uid, a tab and the display name of each entry.
constexpr char kReadLdif[] = R"(
import base64, sys
entry = {}
for line in (sys.stdin.read().replace("\n ", "") + "\n\n").split("\n"):
    if not line:
        if "uid" in entry: print(entry["uid"] + "\t" + entry["displayName"])
        entry = {}
        continue
    name, _, value = line.partition(":")
    entry[name] = base64.b64decode(value[2:]).decode() if value.startswith(": ") else value[1:]
)";

// As ldapsearch has them.
std::set<std::string> Expected(Slapd& slapd) {
  const std::string found =
      slapd.Search(Slapd::kPeople, "(objectClass=inetOrgPerson)", {"uid", "displayName"});
  const RunResult run = support::RunCommand({"python3", "-c", kReadLdif}, found);
  EXPECT_EQ(run.exit, 0) << run.err;
  return Lines(run.out);
}

// The same of a delivered file, by a reader that isn't ours.
std::set<std::string> ReadBack(const std::string& format, const std::string& path) {
  std::vector<std::string> command;
  if (format == "csv") {
    command = {"python3", "-c",
               "import csv, sys\n"
               "for row in csv.DictReader(open(sys.argv[1], newline='', encoding='utf-8')):\n"
               "    print(row['uid'] + '\\t' + row['displayName'])",
               path};
  } else if (format == "json") {
    command = {"jq", "-r", ".. | objects | select(has(\"uid\")) | .uid + \"\\t\" + .displayName",
               path};
  } else if (format == "jsonl") {
    command = {"jq", "-r", "select(has(\"uid\")) | .uid + \"\\t\" + .displayName", path};
  } else if (format == "xml") {
    const RunResult checked = support::RunCommand({"xmllint", "--noout", path});
    EXPECT_EQ(checked.exit, 0) << checked.err;
    command = {"python3", "-c",
               "import sys, xml.etree.ElementTree as tree\n"
               "for row in tree.parse(sys.argv[1]).getroot():\n"
               "    print(row.findtext('uid') + '\\t' + row.findtext('displayName'))",
               path};
  } else {
    command = {"sh", "-c", "exec python3 -c \"$1\" <\"$2\"", "sh", kReadLdif, path};
  }
  const RunResult run = support::RunCommand(command, {.limit = std::chrono::seconds(120)});
  EXPECT_EQ(run.exit, 0) << run.err;
  return Lines(run.out);
}

// The server's own loader takes it, over a database of its own, and writes nothing (-u).
void LoadLdif(const support::Scratch& scratch, const std::string& path) {
  std::string text = support::ReadFile(path);
  ASSERT_TRUE(text.starts_with("version: 1")) << text.substr(0, 200);
  text.erase(0, text.find("\n\n") == std::string::npos ? 0 : text.find("dn:"));
  const std::string ldif = scratch.Write("back.ldif", text);
  const std::string config =
      scratch.Write("slapd.conf", fmt::format("include /etc/ldap/schema/core.schema\n"
                                              "include /etc/ldap/schema/cosine.schema\n"
                                              "include /etc/ldap/schema/inetorgperson.schema\n"
                                              "modulepath /usr/lib/ldap\nmoduleload back_mdb\n"
                                              "database mdb\nsuffix \"{}\"\ndirectory {}\n",
                                              Slapd::kSuffix, scratch.Folder("ldif-db")));
  const RunResult run = support::RunCommand(
      {support::FindProgram("slapadd"), "-u", "-q", "-s", "-f", config, "-l", ldif});
  EXPECT_EQ(run.exit, 0) << run.out << run.err;
}

void DeclareColumns(Job* job, const std::string& format) {
  job->Export().mutable_format()->set_type(format);
  job->Export().mutable_format()->set_formula_guard("off");
  job->Export().mutable_deliver()->set_name("users_{slot:%Y%m%d}_{seq:06}." + format);
  if (format == "ldif") {
    job->Column("dn", "dn");
    auto* classes = job->Export().mutable_columns()->add_values();
    classes->set_name("objectClass");
    classes->set_constant("inetOrgPerson");
    job->Column("common_name", "cn");
    job->Column("surname", "sn");
  }
  auto* uid = job->Column("uid", "uid");
  if (format != "ldif") uid->set_key(true);
  job->Column("display_name", "displayName");
  job->Column("mail", "mail");
  job->Column("employee_number", "employeeNumber");
}

TEST(Exports, EachFormatHoldsTheDirectory) {
  Slapd slapd({.ldif = PeopleLdif(PeopleCount())});
  const std::set<std::string> expected = Expected(slapd);
  ASSERT_EQ(expected.size(), static_cast<size_t>(PeopleCount()));
  for (const char* protocol : {"sftp", "ftp", "ftps"}) {
    LivePlace place(protocol);
    ASSERT_TRUE(place.Start());
    for (const std::string format : {"csv", "xml", "json", "jsonl", "ldif"}) {
      SCOPED_TRACE(fmt::format("{} by {}", format, protocol));
      Job job(place);
      job.From(slapd);
      DeclareColumns(&job, format);
      job.Install();
      const RunResult run = job.Run();
      ASSERT_EQ(run.exit, 0) << run.out << run.err << place.Logs();
      const json report = json::parse(run.out);
      EXPECT_EQ(report["slots"][0]["outcome"], "delivered");
      EXPECT_EQ(report["slots"][0]["file_rows"], PeopleCount());
      const std::string name = report["slots"][0]["file"];
      EXPECT_EQ(name, "users_20260302_000001." + format);
      const std::string path = place.folder() + "/" + name;
      if (format == "ldif") LoadLdif(job.scratch_, path);
      EXPECT_EQ(ReadBack(format, path), expected);
      const RunResult sums = support::RunCommand({"sha256sum", "-c", "--quiet", path + ".sha256"},
                                                 {.cwd = place.folder()});
      EXPECT_EQ(sums.exit, 0) << sums.out << sums.err;
      const RunResult proof = job.Postern({"verify", "1", "--json"});
      EXPECT_EQ(proof.exit, 0) << proof.out << proof.err;
      EXPECT_TRUE(json::parse(proof.out)["holds"]);
      std::filesystem::remove(path);
    }
  }
}

TEST(Exports, AnIamSystemIsASourceAsWell) {
  constexpr int kUsers = 200;
  support::ScimServer server({.users = kUsers, .groups = 3});
  LivePlace place("sftp");
  ASSERT_TRUE(place.Start());
  Job job(place);
  job.Export().mutable_from()->add_values("iam:hr");
  job.Export().mutable_select()->set_status("all");
  decl::Iam& iam = *job.spec.add_iams();
  iam.set_name("hr");
  iam.set_url(server.url());
  iam.mutable_auth()->set_token("secret:scim");
  job.Secret("scim", job.scratch_.Write("scim.token", support::ScimServer::kToken, 0600));
  job.Export().mutable_format()->set_type("jsonl");
  job.Export().mutable_deliver()->set_name("users_{seq}.jsonl");
  job.Column("user_name", "uid");
  job.Column("active", "active");
  job.Install();
  const RunResult run = job.Run();
  ASSERT_EQ(run.exit, 0) << run.out << run.err;
  const RunResult names = support::RunCommand(
      {"jq", "-r", "select(has(\"uid\")) | .uid", place.folder() + "/users_1.jsonl"});
  std::set<std::string> shown;
  for (int start = 1; start <= kUsers; start += 100) {
    const json page =
        server.Call("GET", fmt::format("/Users?startIndex={}&count=100", start)).Json();
    for (const json& user : page["Resources"]) shown.insert(user["userName"]);
  }
  EXPECT_EQ(shown.size(), static_cast<size_t>(kUsers));
  EXPECT_EQ(Lines(names.out), shown);
}

TEST(Exports, KilledAnywhereEndsOnce) {
  Slapd slapd({.ldif = PeopleLdif(20)});
  LivePlace place("sftp");
  ASSERT_TRUE(place.Start());
  for (const char* point :
       {"job-census", "job-begun", "job-written", "job-prepared", "job-delivered", "job-noted"}) {
    SCOPED_TRACE(point);
    Job job(place);
    job.From(slapd);
    DeclareColumns(&job, "csv");
    job.Install();
    const RunResult killed = job.Run({{"POSTERN_KILL_POINT", point}});
    ASSERT_EQ(killed.signal, SIGKILL) << killed.out << killed.err;
    const auto before = job.Arrived();
    const RunResult again = job.Run();
    EXPECT_EQ(again.exit, 0) << again.out << again.err;
    EXPECT_THAT(job.Arrived(),
                ElementsAre("users_20260302_000001.csv", "users_20260302_000001.csv.manifest.json",
                            "users_20260302_000001.csv.sha256"));
    // A kill after the delivery found all there already.
    EXPECT_TRUE(before.empty() || before.size() == 3) << before.size();
    const json history = json::parse(job.Postern({"history", "--json"}).out);
    EXPECT_EQ(history["history"].size(), 1u) << history.dump(1);
    for (const auto& entry : std::filesystem::directory_iterator(place.folder())) {
      std::filesystem::remove(entry);
    }
  }
}

// At each kind of server: of ours the newest two, and nothing of others.
TEST(Exports, OldFilesGoFromThePlace) {
  Slapd slapd({.ldif = PeopleLdif(4)});
  for (const char* protocol : {"sftp", "ftp"}) {
    SCOPED_TRACE(protocol);
    LivePlace place(protocol);
    ASSERT_TRUE(place.Start());
    Job job(place);
    job.From(slapd);
    DeclareColumns(&job, "csv");
    job.Export().mutable_keep()->set_remote_files(2);
    job.Install();
    std::ofstream(place.folder() + "/users_20200101_000009.csv") << "somebody else's\n";
    support::OpenTree(place.folder());
    for (int day = 2; day < 6; ++day) {
      const RunResult run =
          job.Postern({"run", "--slot", fmt::format("2026-03-0{}T02:30:00Z", day), "--json"});
      ASSERT_EQ(run.exit, 0) << run.out << run.err << place.Logs();
    }
    std::vector<std::string> expected = {"users_20200101_000009.csv"};
    for (const char* name : {"users_20260304_000003.csv", "users_20260305_000004.csv"}) {
      for (const char* ending : {"", ".manifest.json", ".sha256"}) {
        expected.push_back(std::string(name) + ending);
      }
    }
    EXPECT_EQ(job.Arrived(), expected);
  }
}

TEST(Exports, RefusesWhatItIsNotMeantToRun) {
  Slapd slapd({.ldif = PeopleLdif(3)});
  LivePlace place("sftp");
  ASSERT_TRUE(place.Start());
  Job job(place);
  job.From(slapd);
  DeclareColumns(&job, "csv");
  job.Install();
  const std::string right = job.digest;
  job.Export().mutable_deliver()->set_folder("/elsewhere");
  const Sealed other = Seal(job.spec);
  job.scratch_.Write("jobs/export.users/spec.json", other.bytes, 0600);
  const RunResult changed = job.Run();
  EXPECT_EQ(changed.exit, 1) << changed.out;
  EXPECT_TRUE(job.Arrived().empty());
  job.Export().mutable_deliver()->set_folder(place.folder());
  job.Column("employe_number", "x");
  job.Install();
  const RunResult wrong = job.Postern({"run", "--slot", "now"});
  EXPECT_THAT(wrong.err, HasSubstr("did you mean employee_number?"));
  EXPECT_EQ(wrong.exit, 3) << wrong.out << wrong.err;
  job.Export().mutable_columns()->mutable_values()->RemoveLast();
  job.Install();
  EXPECT_EQ(job.digest, right);
  ASSERT_EQ(job.Run().exit, 0);
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(job.scratch_.File("jobs/export.users/out"))) {
    if (entry.path().extension() != ".csv") continue;
    std::string bytes = support::ReadFile(entry.path());
    bytes[bytes.size() / 2] ^= 1;
    job.scratch_.Write(entry.path().lexically_relative(job.scratch_.path()).string(), bytes, 0600);
  }
  const RunResult proof = job.Postern({"verify", "1"});
  EXPECT_EQ(proof.exit, 1);
  EXPECT_THAT(proof.out, HasSubstr("SHA-256 of users_20260302_000001.csv"));
}

}  // namespace
}  // namespace postern::jobs
