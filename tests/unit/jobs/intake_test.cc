// Which files of a sender are complete, and what must fit before one is read.
#include "core/jobs/intake.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/jobs/import_bench.h"

namespace postern::jobs::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Intake : public ImportRun {
 protected:
  std::string DigestOf(const std::string& name) const {
    return base::Hex(base::Sha256(Slurp(folder_ + "/place/hr/" + name)));
  }
};

TEST_F(Intake, WaitsForTheTrigger) {
  Deliver("roster_1.csv", 3);
  fs::remove(folder_ + "/place/hr/roster_1.csv.done");
  EXPECT_THAT(Run(), IsEmpty());
  EXPECT_THAT(notes_, ElementsAre("roster_1.csv waits for roster_1.csv.done"));
}

TEST_F(Intake, StableNeedsTheSameSizeForLong) {
  import_.mutable_fetch()->set_ready("stable");
  Put("roster_1.csv", "ID,UID\r\nA1,u1\r\n");
  Put("roster_1.csv.manifest.json", R"({"rows": 2})");
  EXPECT_THAT(Run(), IsEmpty());
  now_ += 9 * 60;
  Put("roster_1.csv", "ID,UID\r\nA1,u1\r\nA2,u2\r\n");  // still growing
  EXPECT_THAT(Run(), IsEmpty());
  now_ += 9 * 60;
  EXPECT_THAT(Run(), IsEmpty());
  now_ += 60;
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
}

// A CSV that was cut off between two rows is a smaller CSV.
TEST_F(Intake, StableIsntEnoughWhereACutCantBeSeen) {
  import_.mutable_fetch()->set_ready("stable");
  Put("roster_1.csv", "ID,UID\r\nA1,u1\r\n");
  now_ += 86400;
  for (int i = 0; i < 2; ++i, now_ += 3600) {
    EXPECT_THAT(Run(), IsEmpty());
    EXPECT_THAT(notes_, ElementsAre("roster_1.csv waits for roster_1.csv.sha256 or "
                                    "roster_1.csv.manifest.json: csv doesn't show where it ends"));
  }
  import_.mutable_format()->set_type("json");
  import_.mutable_fetch()->set_pattern("roster_*.json");
  Put("roster_1.json", R"([{"ID": "A1", "UID": "u1"}])");
  EXPECT_THAT(Run(), IsEmpty());
  now_ += 600;
  EXPECT_THAT(Run(), ElementsAre("roster_1.json applied"));
}

TEST_F(Intake, ChecksumMustFit) {
  Deliver("roster_1.csv", 3);
  Put("roster_1.csv.sha256", std::string(64, 'a') + "  roster_1.csv\n");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv refused: its SHA-256 isn't the one in "
                                 "roster_1.csv.sha256"));
  EXPECT_TRUE(At("/hr/roster_1.csv"));
  const std::string right = base::Hex(base::Sha256(Slurp(folder_ + "/place/hr/roster_1.csv")));
  Put("roster_1.csv.sha256", right + "  roster_1.csv\n");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  import_.mutable_fetch()->set_sha256(true);
  Deliver("roster_2.csv", 3);
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv refused: there is no .sha256 beside it"));
}

TEST_F(Intake, ManifestMustFit) {
  import_.mutable_fetch()->set_ready("manifest");
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), IsEmpty());
  Put("roster_1.csv.manifest.json", "{\"sha256\": \"00\"}");
  EXPECT_THAT(Run(),
              ElementsAre("roster_1.csv refused: its SHA-256 isn't the one in its manifest"));
  const std::string right = base::Hex(base::Sha256(Slurp(folder_ + "/place/hr/roster_1.csv")));
  Put("roster_1.csv.manifest.json", "{\"sha256\": \"" + right + "\"}");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
}

TEST_F(Intake, AManifestCountsWhereverOneIs) {
  Deliver("roster_1.csv", 3);
  Put("roster_1.csv.manifest.json", R"({"rows": 4})");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv refused: its manifest counts 4 rows, there are 3"));
  EXPECT_EQ(last_[0].code, std::string("E0895"));
  EXPECT_TRUE(At("/hr/roster_1.csv"));
  EXPECT_TRUE(fs::is_empty(folder_ + "/state/in")) << "nothing of it is kept";
  EXPECT_THAT(Slurp(folder_ + "/place/rejects/roster_1.csv.summary.json"),
              HasSubstr("its manifest counts 4 rows"));
  Put("roster_1.csv.sha256", DigestOf("roster_1.csv"));
  Put("roster_1.csv.manifest.json", R"({"rows": 3, "sha256": "00"})");
  EXPECT_THAT(Run(),
              ElementsAre("roster_1.csv refused: its SHA-256 isn't the one in its manifest"));
  Put("roster_1.csv.manifest.json", "[]");
  EXPECT_THAT(Run(),
              ElementsAre("roster_1.csv refused: roster_1.csv.manifest.json isn't a manifest"));
  Put("roster_1.csv.manifest.json", R"({"rows": 3})");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  EXPECT_TRUE(At("/done/roster_1.csv.manifest.json"));
  // Rows that are refused are rows of the file.
  import_.mutable_thresholds()->set_reject_percent(50);
  import_.mutable_thresholds()->set_rows_percent(100);
  Deliver("roster_2.csv", 3, 0, "A7,root\r\nA8\r\n");
  Put("roster_2.csv.manifest.json", R"({"rows": 5})");
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv applied"));
}

TEST_F(Intake, TheSequenceOfAManifestIsTheOrder) {
  const auto deliver = [&](const std::string& name, int sequence, int people) {
    Deliver(name, people);
    Put(name + ".manifest.json", "{\"rows\": " + std::to_string(people) +
                                     ", \"sequence\": " + std::to_string(sequence) + "}");
  };
  deliver("roster_b.csv", 7, 10);
  EXPECT_THAT(Run(), ElementsAre("roster_b.csv applied"));
  deliver("roster_c.csv", 7, 9);
  EXPECT_THAT(Run(), ElementsAre("roster_c.csv old: its sequence 7 was taken already, the last "
                                 "one is 7"));
  deliver("roster_a.csv", 8, 11);
  EXPECT_THAT(Run(), ElementsAre("roster_a.csv applied")) << "names don't count beside it";
  EXPECT_EQ(People(), 11u);
  // Without the word of a manifest a file isn't newer because nothing says that it is older.
  Deliver("roster_0.csv", 2);
  EXPECT_THAT(Run(), ElementsAre("roster_0.csv refused: it has no sequence, and the last file that "
                                 "was taken has 8"));
  EXPECT_EQ(last_[0].code, std::string("E0895"));
  EXPECT_TRUE(At("/hr/roster_0.csv"));
}

// Else one number makes all that come later old.
TEST_F(Intake, ASequenceFarAheadIsForASecondPerson) {
  const auto deliver = [&](const std::string& name, const std::string& sequence) {
    Deliver(name, 3);
    Put(name + ".manifest.json", "{\"rows\": 3, \"sequence\": " + sequence + "}");
  };
  deliver("roster_1.csv", "18446744073709551615");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv held: its sequence is 18446744073709551615, the "
                                 "last one 0: later files would be old"));
  deliver("roster_1.csv", "20260101120000123");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  deliver("roster_2.csv", "20270101120000123");
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv applied"));
  deliver("roster_3.csv", "30270101120000123");
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_3.csv held: its sequence is 302")));
  world_.released = last_[0].plan_digest;
  EXPECT_THAT(Run(), ElementsAre("roster_3.csv applied"));
}

class DeltasByName : public Intake {
 protected:
  DeltasByName() {
    Deliver("roster_1.csv", 30);
    EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
    import_.set_mode("delta");
  }
  void Part(const std::string& name, const std::string& row) {
    Put(name, "op,ID,UID\r\n" + row);
    Put(name + ".done", "");
  }
};

TEST_F(DeltasByName, StopAtOneThatWaits) {
  Part("roster_2.csv", "delete,A1,\r\n");
  fs::remove(folder_ + "/place/hr/roster_2.csv.done");
  Part("roster_3.csv", "add,A77,u77\r\n");
  EXPECT_THAT(Run(), IsEmpty());
  EXPECT_THAT(notes_, ElementsAre("roster_2.csv waits for roster_2.csv.done",
                                  "roster_3.csv comes after roster_2.csv, which waits"));
  Put("roster_2.csv.done", "");
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv applied", "roster_3.csv applied"));
  Put("roster_1b.csv", "never complete, and older than what was taken");
  Part("roster_4.csv", "add,A78,u78\r\n");
  EXPECT_THAT(Run(), ElementsAre("roster_4.csv applied"));
}

TEST_F(DeltasByName, StopAtOneThatIsntProven) {
  Part("roster_2.csv", "delete,A1,\r\n");
  Put("roster_2.csv.sha256", std::string(64, 'a'));
  Part("roster_3.csv", "add,A77,u77\r\n");
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_2.csv refused: its SHA-256")));
  Put("roster_2.csv.sha256", DigestOf("roster_2.csv"));
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv applied", "roster_3.csv applied"));
}

TEST_F(DeltasByName, APartThatComesTooLateIsTold) {
  Part("roster_3.csv", "add,A77,u77\r\n");
  EXPECT_THAT(Run(), ElementsAre("roster_3.csv applied"));
  Part("roster_2.csv", "delete,A1,\r\n");
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_2.csv old")));
  EXPECT_TRUE(last_[0].passed_over);
  EXPECT_THAT(Slurp(folder_ + "/place/rejects/roster_2.csv.summary.json"), HasSubstr("\"old\""));
}

TEST_F(Intake, ADeltaIsOfTheStateThatWasTakenLast) {
  Deliver("roster_1.csv", 3);
  Put("roster_1.csv.manifest.json", R"({"rows": 3, "sequence": 4})");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  import_.set_mode("delta");
  Put("roster_2.csv", "op,ID,UID\r\nadd,A3,u3\r\n");
  Put("roster_2.csv.done", "");
  Put("roster_2.csv.manifest.json", R"({"rows": 1, "sequence": 6, "base_sequence": 5})");
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv refused: made for the state 5, the last one taken "
                                 "is 4"));
  Put("roster_2.csv.manifest.json", R"({"rows": 1, "sequence": 6, "base_sequence": 4})");
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv applied"));
  EXPECT_EQ(People(), 4u);
}

// Somebody leaves, comes back and leaves again: two of the deltas are the same bytes.
TEST_F(Intake, DeltasOfTheSameBytesAreToldApartByTheirNumber) {
  Deliver("roster_0.csv", 3);
  Put("roster_0.csv.manifest.json", R"({"rows": 3, "sequence": 1})");
  EXPECT_THAT(Run(), ElementsAre("roster_0.csv applied"));
  import_.set_mode("delta");
  const auto deliver = [&](int number, const std::string& row) {
    const std::string name = "roster_" + std::to_string(number) + ".csv";
    Put(name, "op,ID,UID\r\n" + row);
    Put(name + ".done", "");
    Put(name + ".manifest.json", "{\"rows\": 1, \"sequence\": " + std::to_string(number) +
                                     ", \"base_sequence\": " + std::to_string(number - 1) + "}");
  };
  deliver(2, "delete,A1,\r\n");
  deliver(3, "add,A1,u1b\r\n");
  deliver(4, "delete,A1,\r\n");
  deliver(5, "add,A9,u9\r\n");
  import_.mutable_thresholds()->set_disable_percent(50);
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv applied", "roster_3.csv applied",
                                 "roster_4.csv applied", "roster_5.csv applied"));
  const auto taken = world_.Before();
  for (const auto& person : (*taken)->people()) {
    EXPECT_EQ(person.left(), person.user().employee_number() == "A1") << person.name();
  }
}

TEST_F(Intake, AFileAndItsManifestHaveOneNumber) {
  import_.mutable_format()->set_type("json");
  import_.mutable_fetch()->set_pattern("roster_*.json");
  Put("roster_1.json", R"({"sequence": 4, "rows": [{"ID": "A1", "UID": "u1"}]})");
  Put("roster_1.json.done", "");
  Put("roster_1.json.manifest.json", R"({"rows": 1, "sequence": 9})");
  EXPECT_THAT(Run(), ElementsAre("roster_1.json refused: its manifest says that it is number 9, "
                                 "the file that it is 4"));
  Put("roster_1.json.manifest.json", R"({"rows": 1, "sequence": 4})");
  EXPECT_THAT(Run(), ElementsAre("roster_1.json applied"));
  Put("roster_2.json", R"({"sequence": 4, "rows": [{"ID": "A1", "UID": "u1"}]})");
  Put("roster_2.json.done", "");
  EXPECT_THAT(Run(), ElementsAre("roster_2.json old")) << "the same number and bytes";
  EXPECT_FALSE(last_[0].passed_over);
}

// Keys and good signatures: tests/live/jobs.
TEST_F(Intake, ASignatureThatMustBeThere) {
  from_.set_signed_by("0123456789ABCDEF0123456789ABCDEF01234567");
  from_.set_gpg_home(scratch_.Folder("gpg", 0700));
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("refused: there is no signature")));
  EXPECT_EQ(last_[0].code, std::string("E0868"));
  Put("roster_1.csv.sig", "sig");
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("refused: roster_1.csv isn't signed; signed_by is ")));
  EXPECT_EQ(People(), 0u);
}

TEST_F(Intake, WhatIsSealedNeedsItsKey) {
  import_.mutable_fetch()->set_pattern("roster_*");
  Deliver("roster_1.csv.age", 3);
  auto sealed = RunImport(Input(), place_, world_, &notes_);
  ASSERT_FALSE(sealed) << "the runner's fault, not the sender's";
  EXPECT_THAT(sealed.error().message, HasSubstr("state/age.key: No such file"));
  EXPECT_TRUE(At("/hr/roster_1.csv.age"));
  fs::rename(folder_ + "/place/hr/roster_1.csv.age", folder_ + "/place/hr/roster_1.csv.gpg");
  fs::rename(folder_ + "/place/hr/roster_1.csv.age.done",
             folder_ + "/place/hr/roster_1.csv.gpg.done");
  sealed = RunImport(Input(), place_, world_, &notes_);
  ASSERT_FALSE(sealed);
  EXPECT_THAT(sealed.error().message, HasSubstr("gpg_home doesn't say where the key is"));
}

TEST_F(Intake, TooLargeIsRefusedAndNotKept) {
  import_.mutable_limits()->set_megabytes(1);
  Deliver("roster_1.csv", 3, 0, std::string(1 << 20, 'x'));
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv refused: it is larger than 1048576 bytes"));
  EXPECT_TRUE(fs::is_empty(folder_ + "/state/in"));
}

TEST_F(Intake, ANameFromThePlaceIsNoPath) {
  Sightings seen;
  std::vector<std::string> waiting;
  import_.mutable_fetch()->set_pattern("*");
  import_.mutable_fetch()->set_ready("checksum");
  const std::vector<PlaceFile> listing = {{"../../etc/x", 1, 0, false},
                                          {"../../etc/x.sha256", 1, 0, false},
                                          {"..", 1, 0, false},
                                          {"a\x1b[2Jb", 1, 0, false},
                                          {"folder", 0, 0, true}};
  EXPECT_THAT(ReadyFiles(import_, listing, kNow, &seen, &waiting), IsEmpty());
}

TEST_F(Intake, TheNewestOfTheArchiveStay) {
  import_.mutable_keep()->set_remote_files(2);
  for (const char* name : {"roster_1.csv", "roster_2.csv", "roster_3.csv", "roster_4.csv"}) {
    for (const char* ending : {"", ".done", ".sha256"}) {
      std::ofstream(folder_ + "/place/done/" + name + ending) << "x";
    }
  }
  std::ofstream(folder_ + "/place/done/notes.txt") << "theirs";
  EXPECT_EQ(*CleanArchive(import_, "roster_1.csv", place_), 2u);
  for (const char* left : {"roster_1.csv", "roster_1.csv.done", "roster_4.csv", "notes.txt"}) {
    EXPECT_TRUE(At(std::string("/done/") + left)) << left;
  }
  for (const char* gone : {"roster_2.csv", "roster_2.csv.sha256", "roster_3.csv.done"}) {
    EXPECT_FALSE(At(std::string("/done/") + gone)) << gone;
  }
  import_.clear_keep();
  EXPECT_EQ(*CleanArchive(import_, "", place_), 0u);
}

}  // namespace
}  // namespace postern::jobs::test
