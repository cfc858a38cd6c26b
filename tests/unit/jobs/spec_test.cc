// The sealed specification: one message, one text, one digest; and what of it is the job.
#include "core/jobs/spec.h"

#include <gtest/gtest.h>

namespace postern::jobs {
namespace {

job::JobSpec Sample() {
  job::JobSpec spec;
  spec.set_name("export.people");
  spec.set_ledger_id("4f1c");
  spec.set_generation(7);
  spec.set_commit("9d3de87");
  spec.set_sealed_at(1'790'000'000);
  spec.mutable_runner()->set_name("nightly");
  decl::Export& people = *spec.mutable_export_();
  people.set_name("people");
  people.set_what("users");
  people.mutable_columns()->add_values()->set_from("uid");
  people.set_min_rows(0);
  auto& secret = *spec.add_secrets();
  secret.set_name("acme");
  secret.set_from("file:/etc/postern/secrets/acme");
  return spec;
}

TEST(JobSpec, HasOneTextWithItsMembersInOrder) {
  const Sealed sealed = Seal(Sample());
  EXPECT_EQ(sealed.bytes, R"({
 "version": 1,
 "name": "export.people",
 "ledger_id": "4f1c",
 "generation": "7",
 "commit": "9d3de87",
 "sealed_at": "1790000000",
 "runner": {
  "name": "nightly"
 },
 "export": {
  "name": "people",
  "what": "users",
  "columns": {
   "values": [
    {
     "from": "uid"
    }
   ]
  },
  "min_rows": 0
 },
 "secrets": [
  {
   "name": "acme",
   "from": "file:/etc/postern/secrets/acme"
  }
 ]
}
)");
  EXPECT_EQ(sealed.bytes, Seal(Sample()).bytes);
  EXPECT_EQ(sealed.digest, DigestOf(sealed.bytes));
  EXPECT_TRUE(sealed.digest.starts_with("sha256:"));
  EXPECT_EQ(sealed.digest.size(), 7u + 64u);
}

TEST(JobSpec, IsReadBackAsItWas) {
  const Sealed sealed = Seal(Sample());
  const auto read = ReadSpec(sealed.bytes, sealed.digest);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(Seal(*read).bytes, sealed.bytes);
  EXPECT_EQ(read->generation(), 7u);
  EXPECT_TRUE(read->export_().has_min_rows());  // said to be none, which isn't the default
  EXPECT_FALSE(read->export_().has_full_every());
}

TEST(JobSpec, WithOneByteChangedIsRefused) {
  const Sealed sealed = Seal(Sample());
  std::string other = sealed.bytes;
  other[other.find("uid")] = 'g';
  const auto read = ReadSpec(other, sealed.digest);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kConflict);
  EXPECT_TRUE(ParseSpec(other));  // it is one, but not that one
}

TEST(JobSpec, OfANewerFormOrOfNoJobIsRefused) {
  std::string newer = Seal(Sample()).bytes;
  newer.replace(newer.find("\"version\": 1"), 12, "\"version\": 2");
  ASSERT_FALSE(ParseSpec(newer));
  EXPECT_NE(ParseSpec(newer).error().message.find("version 2"), std::string::npos);
  EXPECT_FALSE(ParseSpec("{\"version\": 1, \"name\": \"export.people\"}"));
  EXPECT_FALSE(ParseSpec("{\"version\": 1, \"unheard_of\": 3}"));
  EXPECT_FALSE(ParseSpec(""));
  EXPECT_FALSE(ParseSpec("postern"));
}

TEST(JobSpec, IsTheSameJobUnderAnotherSeal) {
  const Sealed sealed = Seal(Sample());
  job::JobSpec later = Sample();
  later.set_generation(8);
  later.set_sealed_at(1'790'086'400);
  later.clear_commit();
  EXPECT_TRUE(SameJob(sealed.bytes, later));
  EXPECT_EQ(WithoutSeal(sealed.bytes), WithoutSeal(Seal(later).bytes));
  later.mutable_export_()->mutable_columns()->add_values()->set_from("mail");
  EXPECT_FALSE(SameJob(sealed.bytes, later));
  EXPECT_FALSE(SameJob("edited by hand", Sample()));
  EXPECT_EQ(WithoutSeal("edited by hand"), "edited by hand");
}

TEST(JobSpec, StandsInTheFolderOfItsRunner) {
  decl::Runner runner;
  EXPECT_EQ(SpecPathOf(runner, "export.people"), "/var/lib/postern/jobs/export.people/spec.json");
  runner.set_state("/srv/state");
  EXPECT_EQ(LastRunPathOf(runner, "export.people"), "/srv/state/jobs/export.people/last.json");
  EXPECT_EQ(LockPathOf(runner, "import.x"), "/srv/state/jobs/import.x/lock");
}

TEST(ShownOutcome, OfAHeldFileNamesItsRun) {
  job::LastRun last;
  last.set_outcome("refused");
  last.set_run("0123");
  EXPECT_EQ(ShownOutcome(last), "refused");
  last.set_outcome(kHeldOutcome);
  EXPECT_EQ(ShownOutcome(last), "held 0123");
  EXPECT_EQ(OutcomeAndRun("held 0123"), std::pair(std::string("held"), std::string("0123")));
  EXPECT_EQ(OutcomeAndRun("refused"), std::pair(std::string("refused"), std::string()));
}

}  // namespace
}  // namespace postern::jobs
