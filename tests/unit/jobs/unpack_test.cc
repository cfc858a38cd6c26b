// What senders pack, made by gzip(1) and python's zipfile, and what of it is refused.
#include "core/jobs/unpack.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/process.h"
#include "tests/support/scratch.h"
#include "tests/unit/jobs/import_bench.h"

namespace postern::jobs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kLimit = 64 << 20;

class UnpackTest : public testing::Test {
 protected:
  std::string Gzip(const std::string& text) const {
    const std::string file = scratch_.Write("plain", text);
    const auto done = support::RunCommand({"gzip", "-n", "-f", "-k", file});
    EXPECT_EQ(done.exit, 0) << done.err;
    return test::Slurp(file + ".gz");
  }
  // Members by the lines of a python program, `z` being the archive.
  std::string Zip(const std::string& lines) const {
    const std::string program =
        "import sys, zipfile\n"
        "z = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED)\n" +
        lines + "\nz.close()\n";
    const auto done = support::RunCommand({"python3", "-c", program, scratch_.File("made.zip")});
    EXPECT_EQ(done.exit, 0) << done.err;
    return test::Slurp(scratch_.File("made.zip"));
  }
  // What is in `bytes`, or why nothing is taken of it.
  std::string In(Pack pack, const std::string& bytes, uint64_t limit = kLimit) const {
    const std::string to = scratch_.File("unpacked");
    const auto done = Unpack(pack, scratch_.Write("packed", bytes), limit, to);
    EXPECT_EQ(std::filesystem::exists(to), done.has_value());
    return done ? test::Slurp(to) : done.error().message;
  }

  support::Scratch scratch_;
};

TEST_F(UnpackTest, NamesSayHow) {
  EXPECT_EQ(PackOf("roster_1.csv"), Pack::kNone);
  EXPECT_EQ(PackOf("roster_1.csv.gz"), Pack::kGzip);
  EXPECT_EQ(PackOf("roster_1.zip.age"), Pack::kZip);
  EXPECT_EQ(PackOf("roster_1.csv.gpg"), Pack::kNone);
}

TEST_F(UnpackTest, GivesTheOneMember) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += fmt::format("A{},u{}\n", i, i);
  EXPECT_EQ(In(Pack::kGzip, Gzip(text)), text);
  EXPECT_EQ(In(Pack::kGzip, Gzip("")), "");
  EXPECT_EQ(In(Pack::kZip, Zip("z.writestr('roster.csv', 'ID\\n1\\n')")), "ID\n1\n");
}

TEST_F(UnpackTest, RefusesWhatIsNotWholeOrMore) {
  const std::string gzip = Gzip("ID,UID\nA1,u1\n"), zip = Zip("z.writestr('a', 'ID\\n1\\n' * 99)");
  EXPECT_THAT(In(Pack::kGzip, gzip.substr(0, gzip.size() - 3)), HasSubstr("cut off"));
  EXPECT_THAT(In(Pack::kGzip, gzip + "x"), HasSubstr("something follows"));
  EXPECT_THAT(In(Pack::kGzip, gzip + gzip), HasSubstr("something follows"));
  std::string damaged = gzip;
  damaged[damaged.size() - 6] ^= 1;  // of its check sum
  EXPECT_THAT(In(Pack::kGzip, damaged), HasSubstr("damaged"));
  EXPECT_THAT(In(Pack::kGzip, "ID,UID\nA1,u1\n"), HasSubstr("not a gzip file"));
  EXPECT_THAT(In(Pack::kGzip, ""), HasSubstr("cut off"));
  EXPECT_THAT(In(Pack::kZip, zip.substr(0, zip.size() / 2)), HasSubstr("cut off"));
  std::string other = zip;
  other[40] ^= 1;  // of the member's bytes
  EXPECT_THAT(In(Pack::kZip, other), HasSubstr("damaged"));
  EXPECT_THAT(In(Pack::kZip, gzip), HasSubstr("no zip file"));
}

TEST_F(UnpackTest, RefusesMembersThatAreNoPlainFile) {
  EXPECT_THAT(In(Pack::kZip, Zip("")), HasSubstr("no zip file"));
  EXPECT_THAT(In(Pack::kZip, Zip("z.writestr('a', '1')\nz.writestr('b', '2')")),
              HasSubstr("more than one file"));
  EXPECT_THAT(In(Pack::kZip, Zip("z.writestr('../../etc/passwd', 'root')")),
              HasSubstr("names a path"));
  EXPECT_THAT(In(Pack::kZip, Zip("i = zipfile.ZipInfo('a')\ni.create_system = 3\n"
                                 "i.external_attr = 0o120777 << 16\nz.writestr(i, '/etc/passwd')")),
              HasSubstr("no plain file"));
}

TEST_F(UnpackTest, ALittleThatHoldsALotIsRefused) {
  const std::string zeros(30 << 20, '\0');
  const std::string packed = Gzip(zeros);
  ASSERT_LT(packed.size() * 200, zeros.size());
  EXPECT_THAT(In(Pack::kGzip, packed), HasSubstr("200 times its own size"));
  EXPECT_THAT(In(Pack::kZip, Zip("z.writestr('a', bytes(30 << 20))")),
              HasSubstr("200 times its own size"));
  EXPECT_THAT(In(Pack::kGzip, Gzip(std::string(5000, 'a')), 4999),
              HasSubstr("more than 4999 bytes"));
  EXPECT_EQ(In(Pack::kGzip, Gzip(std::string(5000, 'a')), 5000).size(), 5000U);
}

using PackedRoster = test::ImportRun;

TEST_F(PackedRoster, IsTakenLikeAnyOtherAndKeptAsItCame) {
  import_.mutable_fetch()->set_pattern("roster_*.csv.gz");
  Deliver("roster_1.csv", 20);
  const std::string plain = folder_ + "/place/hr/roster_1.csv";
  ASSERT_EQ(support::RunCommand({"gzip", plain}).exit, 0);
  Put("roster_1.csv.gz.done", "");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv.gz applied"));
  EXPECT_EQ(People(), 20U);
  const std::string kept = folder_ + "/state/in/" + last_[0].key;
  EXPECT_EQ(test::Slurp(kept + "/file").substr(0, 2), "\x1f\x8b");
  EXPECT_FALSE(test::fs::exists(kept + "/unpacked")) << "in the clear for as long as it is read";
}

TEST_F(PackedRoster, ThatWasCutOffStaysWhereItIsAndNobodyLeaves) {
  import_.mutable_fetch()->set_pattern("roster_*.csv.gz");
  Put("roster_1.csv.gz", "\x1f\x8b\x08 and no more");
  Put("roster_1.csv.gz.done", "");
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_1.csv.gz refused")));
  EXPECT_EQ(last_[0].code, std::string("E0895"));
  EXPECT_TRUE(At("/hr/roster_1.csv.gz"));
  EXPECT_EQ(People(), 0U);
}

}  // namespace
}  // namespace postern::jobs
