// Golden rosters by the program itself, from a real sshd into a real slapd: what a partner sends,
// good and bad, and what became of it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cmd/postern/exit_code.h"
#include "tests/live/jobs/import_bench.h"

namespace postern::cmd {
namespace {

using nlohmann::json;
using support::RunResult;
using support::Slapd;
using testing::HasSubstr;

constexpr int kPeople = 20;

struct Roster {
  const char* name;
  std::string text;
  int exit;
  std::string said;       // by the command
  const char* state;      // in the sender's summary; "": it says nothing
  std::string more = "";  // lines of the import
};

std::string With(const std::string& row) {
  return ImportBench::People(0, kPeople, row);
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// Each after a roster of A0 to A19, in the order in which they are sent.
std::vector<Roster> CsvRosters() {
  const std::string same = With("");
  return {
      {"good", With("A20,u20,u20@acme.test\r\n"), kOk, "21 rows, 0 refused · 1 new", "applied"},
      {"three bad rows",
       With("A20,u20,u20@acme.test\r\nA21,u21\r\nA22,root,r@acme.test\r\nA23,u23,x@evil.test\r\n"),
       kRefused, "3 of 24 rows are refused; 2 % may be", "held"},
      {"wrong header", Replaced(same, "UID", "LOGIN"), kRefused, ":1: column LOGIN isn't declared",
       "refused"},
      {"truncated", same.substr(0, same.size() - 18), kRefused, "the file ends inside a row",
       "refused"},
      {"empty", "", kRefused, "the file is empty: not even a header", "refused"},
      {"no row", "ID,UID,MAIL\r\n", kRefused, "not one row", "refused"},
      {"duplicate keys", With("A20,u20,u20@acme.test\r\nA3,u3,u3@acme.test\r\n"), kRefused,
       "2 of 22 rows are refused", "held"},
      {"30 % missing", ImportBench::People(6, kPeople, "A20,u20,u20@acme.test\r\n"), kRefused,
       "6 of 21 people would be disabled; 2 may be", "held"},
      {"formula cells", With("A20,u20,=1+1\r\n"), kRefused, "1 of 21 rows are refused", "held"},
      {"invalid UTF-8", Replaced(same, "u3@", "\xFC@"), kRefused, ":5: byte 0xFC (offset ",
       "refused"},
      {"a mark of UTF-8", "\xEF\xBB\xBF" + With("A20,u20,u20@acme.test\r\n"), kOk, "21 rows, 0",
       "applied"},
      {"line feeds alone", Replaced(With("A20,u20,u20@acme.test\r\n"), "\r\n", "\n"), kOk,
       "21 rows, 0", "applied"},
  };
}

class GoldenRosters : public testing::Test {
 protected:
  GoldenRosters() : place_("sftp"), slapd_(ImportBench::DirectoryOptions()), bench_(place_) {
    EXPECT_TRUE(place_.Start());
    bench_.To(slapd_);
  }
  std::string People() { return slapd_.Search(ImportBench::kBase, "(uid=*)", {"uid", "mail"}); }
  json Summary(const std::string& file) const {
    return json::parse(bench_.At("rejects/" + file + ".summary.json"), nullptr, false);
  }
  // A file that was held is withdrawn by its sender, so that the next one is looked at.
  void Withdraw(const std::string& file) const {
    for (const char* ending : {"", ".done"}) {
      std::filesystem::remove(place_.folder() + "/" + file + ending);
    }
  }

  jobs::LivePlace place_;
  Slapd slapd_;
  ImportBench bench_;
};

TEST_F(GoldenRosters, OfCsv) {
  bench_.Install();
  bench_.Deliver("roster_00.csv", ImportBench::People(0, kPeople));
  ASSERT_EQ(bench_.Run().exit, kOk);
  int number = 0;
  for (const Roster& roster : CsvRosters()) {
    SCOPED_TRACE(roster.name);
    const std::string file = fmt::format("roster_{:02}.csv", ++number);
    const std::string before = People();
    bench_.Deliver(file, roster.text);
    const RunResult run = bench_.Run();
    EXPECT_EQ(run.exit, roster.exit) << run.out << run.err;
    EXPECT_THAT(run.out, HasSubstr(roster.said)) << run.err;
    EXPECT_EQ(Summary(file).value("state", ""), roster.state);
    if (roster.exit != kOk) {
      EXPECT_EQ(People(), before);
    }
    Withdraw(file);
  }
  EXPECT_EQ(Summary("roster_02.csv")["refused"], 3);
  EXPECT_THAT(bench_.At("rejects/roster_02.csv.rejects.csv"),
              HasSubstr("23,,E0821,,2 fields where there are 3 columns\r\n"
                        "24,UID,E0886,A22,the login root is a system's own\r\n"
                        "25,MAIL,E0887,A23,x@evil.test isn't in acme.test\r\n"));
  EXPECT_THAT(bench_.At("rejects/roster_07.csv.rejects.csv"),
              HasSubstr("23,,E0824,A3,its key stands in line 5 as well"));
  EXPECT_THAT(bench_.At("rejects/roster_09.csv.rejects.csv"),
              HasSubstr("would be a formula in a spreadsheet"));
  EXPECT_EQ(bench_.Pending(), "");
}

TEST_F(GoldenRosters, AnOlderFileIsNone) {
  bench_.Install();
  bench_.Deliver("roster_2.csv", ImportBench::People(0, kPeople));
  ASSERT_EQ(bench_.Run().exit, kOk);
  const std::string before = People();
  bench_.Deliver("roster_1.csv", ImportBench::People(0, 3));
  const RunResult older = bench_.Run();
  EXPECT_EQ(older.exit, kRefused) << older.out;
  EXPECT_THAT(older.out, HasSubstr("roster_1.csv  old"));
  EXPECT_THAT(older.out, HasSubstr("roster_2.csv was taken already"));
  EXPECT_EQ(Summary("roster_1.csv").value("state", ""), "old") << "nothing of it was ever taken";
  bench_.Deliver("roster_2.csv", ImportBench::People(0, kPeople));  // the same again
  const RunResult again = bench_.Run();
  EXPECT_EQ(again.exit, kOk);
  EXPECT_THAT(again.out, HasSubstr("roster_2.csv  old"));
  // It took no file, which is what silence is counted by.
  EXPECT_THAT(support::ReadFile(bench_.JobFolder() + "/last.json"), HasSubstr("\"nothing\""));
  EXPECT_EQ(People(), before);
}

TEST_F(GoldenRosters, OfXml) {
  bench_.format = "type = \"xml\"";
  bench_.pattern = "roster_*.xml";
  bench_.Install();
  const std::string secret = bench_.scratch.Write("passwd", "root-of-all");
  const auto rows = [](const std::string& mail) {
    std::string text = "<rows>\n";
    for (int i = 0; i < 3; ++i) {
      text += fmt::format("<row><ID>A{0}</ID><UID>u{0}</UID><MAIL><item>{1}</item></MAIL></row>\n",
                          i, i == 0 ? mail : fmt::format("u{}@acme.test", i));
    }
    return text + "</rows>\n";
  };
  std::string bomb = "<!DOCTYPE rows [<!ENTITY a \"aaaaaaaaaa\">";
  for (char c = 'b'; c <= 'k'; ++c) {
    bomb += fmt::format("<!ENTITY {} \"{}\">", c,
                        Replaced("##########", "#", fmt::format("&{};", static_cast<char>(c - 1))));
  }
  const std::vector<Roster> rosters = {
      {"external entity",
       "<!DOCTYPE rows [<!ENTITY e SYSTEM \"file://" + secret + "\">]>\n" + rows("&e;"), kRefused,
       ":1: a DOCTYPE isn't taken", "refused"},
      {"entity bomb", bomb + "]>\n" + rows("&k;"), kRefused, ":1: a DOCTYPE isn't taken",
       "refused"},
      {"an entity that isn't there", rows("&e;"), kRefused, ":2: Entity 'e' not defined",
       "refused"},
      {"good", rows("u0@acme.test"), kOk, "3 rows, 0 refused · 3 new", "applied"},
      {"truncated", rows("u0@acme.test").substr(0, 120), kRefused, "the file ends before the XML",
       "refused"},
  };
  int number = 0;
  for (const Roster& roster : rosters) {
    SCOPED_TRACE(roster.name);
    const std::string file = fmt::format("roster_{}.xml", ++number);
    bench_.Deliver(file, roster.text);
    const RunResult run = bench_.Run();
    EXPECT_EQ(run.exit, roster.exit) << run.out << run.err;
    EXPECT_THAT(run.out, HasSubstr(roster.said)) << run.err;
    EXPECT_EQ(Summary(file).value("state", ""), roster.state);
  }
  EXPECT_EQ(People().find("root-of-all"), std::string::npos);
}

// Resident memory at its most of the run or a process that it started, in MiB.
struct Measured {
  RunResult run;
  double resident = 0, seconds = 0;
};

Measured Measure(const ImportBench& bench) {
  const std::string path = bench.scratch.File("resident");
  const std::string python =
      "import resource, subprocess, sys\n"
      "code = subprocess.call(sys.argv[2:])\n"
      "most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
      "open(sys.argv[1], 'w').write(str(most))\n"
      "sys.exit(code)";
  const auto started = std::chrono::steady_clock::now();
  Measured out;
  out.run = bench.Run({"python3", "-c", python, path});
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  out.resident = std::stod(support::ReadFile(path)) / 1024;
  return out;
}

// A line of 64 MiB, of 1 GiB with POSTERN_CAMPAIGN_FULL=1: its place is told, and memory doesn't
// grow with it.
TEST_F(GoldenRosters, OneLineWithoutAnEnd) {
  const bool full = std::getenv("POSTERN_CAMPAIGN_FULL") != nullptr;  // NOLINT
  const size_t megabytes = full ? 1024 : 64;
  bench_.more = "limits = { megabytes = 2048 }";
  bench_.Install();
  bench_.Deliver("roster_1.csv", ImportBench::People(0, kPeople));
  const Measured small = Measure(bench_);
  ASSERT_EQ(small.run.exit, kOk) << small.run.out << small.run.err;
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"ID,UID,MAIL\r\nA0,", "x"},       // a field
      {"ID,UID,MAIL\r\nA0,\"", "x\n"},   // one that is quoted, with line feeds
      {"ID,UID,MAIL\r\nA0,u0", ",u0"}};  // fields
  int number = 1;
  for (const auto& [begin, middle] : lines) {
    const std::string file = fmt::format("roster_{}.csv", ++number);
    std::string piece;
    while (piece.size() < (size_t{1} << 20)) piece += middle;
    bench_.Deliver(file, begin);
    {
      std::ofstream out(place_.folder() + "/" + file, std::ios::binary | std::ios::app);
      for (size_t i = 0; i < megabytes; ++i) out << piece;
    }
    const Measured large = Measure(bench_);
    EXPECT_EQ(large.run.exit, kRefused) << large.run.out << large.run.err;
    EXPECT_THAT(large.run.out, HasSubstr(file + ":2: ")) << large.run.err;
    EXPECT_EQ(Summary(file).value("state", ""), "refused");
    EXPECT_LT(large.resident, small.resident + 16) << megabytes << " MiB";
    fmt::print("a line of {} MiB: {:.1f} MiB resident ({:.1f} for {} rows), {:.1f} s\n", megabytes,
               large.resident, small.resident, kPeople, large.seconds);
    std::filesystem::remove(place_.folder() + "/done/" + file);
  }
}

}  // namespace
}  // namespace postern::cmd
