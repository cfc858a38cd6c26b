// The proof of an import's runs: what of it is found to be changed.
#include "core/jobs/import_history.h"

#include <gmock/gmock.h>

#include "core/jobs/files.h"
#include "tests/unit/jobs/import_bench.h"

namespace postern::jobs::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// An applied file of the bench, with what a ledger would have of it.
class ImportProof : public ImportRun {
 protected:
  ImportProof() {
    Deliver("roster_1.csv", 10);
    Run();
    run_.file = **Quarantine(folder_ + "/state/in").Find(last_[0].key);
    for (const char* what : {"held", "released", "accepted", "applied"}) {
      Decision decision{kNow, {}, {}};
      decision.event = {.job = "import.acme",
                        .run = run_.file.run,
                        .what = what,
                        .who = "jobs@runner",
                        .plan_digest = run_.file.plan_digest,
                        .file_sha256 = run_.file.sha256};
      run_.decisions.push_back(decision);
    }
    run_.decisions[1].event.who = "zoe";
    run_.decisions[1].signature = ReleaseVerdict{"zoe", ""};
    run_.decisions[2].event.note = "released by zoe";
  }
  Evidence Check() const { return CheckImport(folder_ + "/state", "import.acme", run_); }

  ImportRunRow run_;
};

TEST_F(ImportProof, HoldsAsItIs) {
  const Evidence evidence = Check();
  EXPECT_THAT(evidence.faults, IsEmpty());
  EXPECT_THAT(evidence.missing, IsEmpty());
  EXPECT_THAT(evidence.checked,
              ElementsAre(HasSubstr("file roster_1.csv: "), HasSubstr("signature of zoe over plan"),
                          HasSubstr("4 events of the ledger")));
}

TEST_F(ImportProof, AFlippedByteOfTheFileIsFound) {
  const std::string path = Quarantine(folder_ + "/state/in").FilePath(run_.file.key);
  std::string bytes = Slurp(path);
  bytes[9] = static_cast<char>(bytes[9] ^ 1);
  ASSERT_TRUE(ReplaceFile(path, bytes));
  EXPECT_THAT(Check().faults, ElementsAre(HasSubstr("SHA-256 of roster_1.csv")));
  ASSERT_TRUE(ReplaceFile(path, bytes + "x"));
  EXPECT_THAT(Check().faults, ElementsAre(HasSubstr("SHA-256"), HasSubstr("bytes of roster_1")));
  fs::remove(path);
  EXPECT_THAT(Check().faults, IsEmpty()) << "retention is no fault";
  EXPECT_THAT(Check().missing, ElementsAre(HasSubstr("removed by retention")));
}

TEST_F(ImportProof, AStateThatTheLedgerDoesntKnowIsFound) {
  run_.file.run = std::string(16, '0');
  EXPECT_THAT(Check().faults, ElementsAre(HasSubstr("it isn't that of its file's key")));
  run_.file.run = last_[0].run;
  run_.decisions[3].event.file_sha256 = std::string(64, '0');
  EXPECT_THAT(Check().faults, ElementsAre(HasSubstr("the ledger has applied")));
  run_.decisions.clear();
  EXPECT_THAT(Check().faults,
              ElementsAre(HasSubstr("its state is done, and the ledger has accepted no such run")));
  run_.kept = false;
  run_.file.taken = false;
  EXPECT_THAT(Check().missing, ElementsAre(HasSubstr("the ledger alone knows the run")));
}

TEST_F(ImportProof, AReleaseIsNeededWhereItWasAcceptedByOne) {
  run_.decisions.erase(run_.decisions.begin() + 1);
  EXPECT_THAT(Check().faults, ElementsAre(HasSubstr("the ledger has no such release")));
}

TEST_F(ImportProof, ASignatureThatDoesntHoldIsFound) {
  run_.decisions[1].signature = ReleaseVerdict{"", "of no releaser's key", false};
  EXPECT_THAT(Check().faults, ElementsAre("release by zoe: of no releaser's key"));
  run_.decisions[1].signature = ReleaseVerdict{"eve", ""};
  EXPECT_THAT(Check().faults, ElementsAre("release by zoe: the signature is that of eve"));
  run_.decisions[1].signature = ReleaseVerdict{"", "of no releaser's key", true};
  EXPECT_THAT(Check().faults, IsEmpty());
  EXPECT_THAT(Check().missing, ElementsAre(HasSubstr("by a key that no releaser has now")));
}

// Written by a program that noted neither bytes nor clocks nor who was behind it.
TEST_F(ImportProof, AnOlderStateIsRead) {
  const Quarantine quarantine(folder_ + "/state/in");
  const std::string path = folder_ + "/state/in/" + run_.file.key + "/state.json";
  std::string text = Slurp(path);
  for (const char* name : {"behind", "bytes", "fetched_at", "ended", "locked_at"}) {
    const size_t at = text.find("  \"" + std::string(name) + "\"");
    ASSERT_NE(at, std::string::npos) << name;
    const bool list = text[text.find(':', at) + 2] == '[';
    const size_t end = list ? text.find(']', at) : text.find(',', at);
    text.erase(at, text.find('\n', end) + 1 - at);
  }
  ASSERT_TRUE(ReplaceFile(path, text));
  const auto file = quarantine.Find(run_.file.key);
  ASSERT_TRUE(file && *file) << text;
  EXPECT_EQ((*file)->started_by, "jobs@runner");
  EXPECT_EQ((*file)->bytes, 0u);
  EXPECT_FALSE(LockedSeconds(**file));
  run_.file = **file;
  EXPECT_THAT(Check().faults, IsEmpty());
}

}  // namespace
}  // namespace postern::jobs::test
