#include "tests/unit/ledger/sqlite_store.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

// SQLite's calls come through here, so that a test can count what a commit costs.
static std::atomic<int> g_syncs;
extern "C" int fsync(int fd) {
  ++g_syncs;
  return static_cast<int>(::syscall(SYS_fsync, fd));
}
extern "C" int fdatasync(int fd) {
  ++g_syncs;
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

namespace postern::ledger {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using Mode = Ledger::Mode;

INSTANTIATE_TEST_SUITE_P(Sqlite, LedgerSuite,
                         testing::Values(StoreFactory{
                             "File", [] { return std::make_unique<SqliteStore>(); }}),
                         [](const auto& info) { return info.param.name; });

mode_t ModeOf(const std::string& path) {
  struct stat file {};
  EXPECT_EQ(::stat(path.c_str(), &file), 0) << path;
  return file.st_mode & 07777;
}

void Overwrite(const std::string& path, std::streamoff at, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file << bytes;
}

// A ledger of two applies, closed.
void Fill(SqliteStore& store) {
  auto ledger = Must(store.Open(Mode::kReadWrite));
  Recorded account = Account("acme");
  account.secret_stored = "aa";
  RunApply(*ledger, {Done(1, account), Done(2, Account("bea"))});
  RunApply(*ledger, {Done(1, Account("acme", "new")), Gone(2, "bea")});
  const std::vector<std::pair<std::string, uint32_t>> uids = {{"edge", 30001}};
  Must(ledger->AllocateUids(uids));
  const std::vector<Census> census = {{"host:edge", object::Kind::kAccount, "edge", 7}};
  Must(ledger->RecordCensus(census));
}

TEST(SqliteStore, OnlyTheOwnerMayRead) {
  SqliteStore store;
  const auto ledger = Must(store.Open(Mode::kReadWrite));
  RunApply(*ledger, {Done(1, Account("a"))});
  const auto lock = Must(ledger->Acquire("li"));
  EXPECT_EQ(ModeOf(store.folder()), 0700U);
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    EXPECT_EQ(ModeOf(store.path() + suffix), 0600U) << suffix;
  }
}

TEST(SqliteStore, WiderRightsAreTakenBack) {
  SqliteStore store;
  Fill(store);
  ASSERT_EQ(::chmod(store.path().c_str(), 0644), 0);
  Must(store.Open(Mode::kReadWrite));
  EXPECT_EQ(ModeOf(store.path()), 0600U);
}

TEST(SqliteStore, CloseLeavesOneFile) {
  SqliteStore store;
  Fill(store);
  EXPECT_FALSE(std::filesystem::exists(store.path() + "-wal"));
  EXPECT_FALSE(std::filesystem::exists(store.path() + ".new"));
}

TEST(SqliteStore, EventsRefuseChange) {
  SqliteStore store;
  Fill(store);
  EXPECT_EQ(store.Sql("UPDATE events SET at = 1 WHERE sequence = 2"), "events are never changed");
  EXPECT_EQ(store.Sql("DELETE FROM events WHERE sequence = 2"), "events are never deleted");
  EXPECT_EQ(store.Sql("REPLACE INTO events VALUES (2, 1, 'intent', '{}', x'00')"),
            "events are never replaced");
}

struct Tamper {
  const char* name;
  const char* sql;
  const char* says;
};

class TamperTest : public testing::TestWithParam<Tamper> {};

// Whoever can write the file can drop the triggers; here they come back, as a careful forger's
// would.
TEST_P(TamperTest, VerifyNamesIt) {
  SqliteStore store;
  Fill(store);
  Must(Must(store.Open(Mode::kReadOnly))->Verify());
  const std::string off =
      "CREATE TEMP TABLE kept AS SELECT sql FROM sqlite_schema WHERE type = 'trigger';"
      "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE type = 'trigger';"
      "PRAGMA writable_schema=RESET;";
  const std::string on =
      ";PRAGMA writable_schema=ON; INSERT INTO sqlite_schema SELECT 'trigger', "
      "substr(sql, 16, instr(sql, ' BEFORE') - 16), 'events', 0, sql FROM kept;"
      "PRAGMA writable_schema=RESET;";
  ASSERT_EQ(store.Sql(off + GetParam().sql + on), "");
  const auto verified = Must(store.Open(Mode::kReadOnly))->Verify();
  ASSERT_EQ(CodeOf(verified), ErrorCode::kConflict);
  EXPECT_THAT(verified.error().message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, TamperTest,
    testing::Values(
        Tamper{"EventPayload",
               "UPDATE events SET payload = replace(payload, 'host:edge', 'host:edgf') "
               "WHERE sequence = 5",
               "event 5 (outcome): its hash"},
        Tamper{"EventTime", "UPDATE events SET at = at + 1 WHERE sequence = 3",
               "event 3 (intent): its hash"},
        Tamper{"EventType", "UPDATE events SET type = 'census' WHERE sequence = 4",
               "event 4 (census): its hash"},
        Tamper{"EventHash", "UPDATE events SET hash = zeroblob(32) WHERE sequence = 6",
               "event 6 (outcome): its hash"},
        Tamper{"EventShortHash", "UPDATE events SET hash = x'' WHERE sequence = 6",
               "event 6 (outcome): its hash"},
        Tamper{"EventDeleted", "DELETE FROM events WHERE sequence = 8", "event 8: missing"},
        Tamper{"FirstEventDeleted", "DELETE FROM events WHERE sequence = 1", "event 1: missing"},
        Tamper{"LastEventDeleted",
               "DELETE FROM events WHERE sequence = (SELECT max(sequence) FROM events)",
               "census (target host:edge, kind 10, scope edge): no event made this row"},
        Tamper{"AllEventsDeleted", "DELETE FROM events", "event 1: missing"},
        Tamper{"EventAdded", "INSERT INTO events VALUES (99, 1, 'uid', '{}', zeroblob(32))",
               "missing"},
        Tamper{"RecordedBody", "UPDATE recorded SET body = x'00' WHERE key = 'acme'",
               "event 11: recorded (target host:edge, kind 10, key acme): body isn't"},
        Tamper{"RecordedOwner", "UPDATE recorded SET owner = 'x'",
               "owner isn't what the event says"},
        Tamper{"RecordedDeleted", "DELETE FROM recorded",
               "event 11: recorded (target host:edge, kind 10, key acme): the row is missing"},
        Tamper{"RecordedAdded",
               "INSERT INTO recorded VALUES ('host:edge', 10, 'eve', x'', '', '', 0, '', '', 2)",
               "recorded (target host:edge, kind 10, key eve): no event made this row"},
        Tamper{"VersionSecret", "UPDATE versions SET secret_stored = 'bb' WHERE key = 'acme'",
               "event 11: versions (target host:edge, kind 10, key acme, generation 1): "
               "secret_stored"},
        Tamper{"VersionPast", "UPDATE versions SET past = 9 WHERE key = 'bea'", "past isn't"},
        Tamper{"GenerationDeleted", "DELETE FROM generations WHERE generation = 2",
               "event 13: generations (generation 2): the row is missing"},
        Tamper{"ApplyWho", "UPDATE applies SET who = 'eve' WHERE apply = 1",
               "applies (apply 1): who isn't"},
        Tamper{"ApplyFailed", "UPDATE applies SET failed = 1 WHERE apply = 2",
               "applies (apply 2): failed isn't"},
        Tamper{"StepReopened", "UPDATE steps SET outcome = 0 WHERE apply = 1 AND step = 2",
               "event 6: steps (apply 1, step 2): outcome isn't"},
        Tamper{"Plan", "UPDATE plans SET plan = x'00' WHERE apply = 2", "event 8: plans (apply 2)"},
        Tamper{"PlanDeleted", "DELETE FROM plans WHERE apply = 1",
               "event 2: plans (apply 1): the row is missing"},
        Tamper{"UidFreed", "DELETE FROM uids",
               "event 14: uids (server edge, uid 30001): the row is missing"},
        Tamper{"Census", "UPDATE census SET count = 0",
               "event 15: census (target host:edge, kind 10, scope edge): count"},
        Tamper{"Id", "UPDATE identity SET id = 'other'", "event 1: the ledger's id"},
        Tamper{"SecretKey", "UPDATE identity SET secret_key = zeroblob(32)",
               "event 1: the ledger's secret key"},
        Tamper{"Table", "CREATE TABLE extra(a)", "the table extra isn't one of a ledger"},
        Tamper{"TwoPlacesSaysTheFirst",
               "UPDATE census SET count = 0; UPDATE applies SET who = 'x' WHERE apply = 1; "
               "UPDATE steps SET outcome = 0 WHERE apply = 1 AND step = 1",
               "event 5: steps (apply 1, step 1)"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(SqliteStore, AChangedRosterIsNeverUsed) {
  for (const char* change : {"UPDATE rosters SET roster = x'00'", "UPDATE rosters SET run = 'x'",
                             "DELETE FROM rosters"}) {
    SqliteStore store;
    Fill(store);
    const RosterRow roster{"acme", "r1", "f1", "people"};
    Must(Must(store.Open(Mode::kReadWrite))
             ->RecordJob({.job = "import.acme", .run = "r1", .what = "accepted"}, &roster));
    Must(Must(store.Open(Mode::kReadOnly))->Verify());
    ASSERT_EQ(store.Sql(change), "");
    const auto ledger = Must(store.Open(Mode::kReadOnly));
    EXPECT_EQ(CodeOf(ledger->Verify()), ErrorCode::kConflict) << change;
    if (std::string_view(change).find("roster =") != std::string_view::npos) {
      EXPECT_EQ(CodeOf(ledger->Rosters()), ErrorCode::kConflict);
    }
  }
}

TEST(SqliteStore, AnOlderFileIsBroughtUp) {
  SqliteStore store;
  Fill(store);
  ASSERT_EQ(store.Sql("DROP TABLE rosters; UPDATE schema_version SET version = 1"), "");
  {
    const auto reader = Must(store.Open(Mode::kReadOnly));
    EXPECT_TRUE(Must(reader->Rosters()).empty());
    Must(reader->Verify());
  }
  const RosterRow roster{"acme", "r1", "f1", "people"};
  Must(Must(store.Open(Mode::kReadWrite))
           ->RecordJob({.job = "import.acme", .run = "r1", .what = "accepted"}, &roster));
  const auto ledger = Must(store.Open(Mode::kReadWrite));
  EXPECT_EQ(Must(ledger->Rosters()).size(), 1U);
  Must(ledger->Verify());
}

TEST(SqliteStore, AMissingTriggerIsNamed) {
  SqliteStore store;
  Fill(store);
  ASSERT_EQ(store.Sql("DROP TRIGGER events_keep_update"), "");
  const auto verified = Must(store.Open(Mode::kReadOnly))->Verify();
  ASSERT_EQ(CodeOf(verified), ErrorCode::kConflict);
  EXPECT_THAT(verified.error().message, HasSubstr("trigger events_keep_update is missing"));
}

// Any flipped byte of a payload, in the file itself, below SQLite.
TEST(SqliteStore, AFlippedByteOfTheFileIsFound) {
  SqliteStore store;
  Fill(store);
  std::ifstream in(store.path(), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const size_t at = bytes.find("2 gain, 1 loses\",\"revision");
  ASSERT_NE(at, std::string::npos);
  Overwrite(store.path(), static_cast<std::streamoff>(at), "9");
  const auto verified = Must(store.Open(Mode::kReadOnly))->Verify();
  ASSERT_EQ(CodeOf(verified), ErrorCode::kConflict);
  EXPECT_THAT(verified.error().message, HasSubstr("(apply-started): its hash doesn't fit"));
}

TEST(SqliteStore, ANewerVersionIsRefused) {
  SqliteStore store;
  Fill(store);
  ASSERT_EQ(store.Sql("INSERT INTO schema_version VALUES (7, 0)"), "");
  for (const Mode mode : {Mode::kReadOnly, Mode::kReadWrite}) {
    const auto opened = store.Open(mode);
    ASSERT_EQ(CodeOf(opened), ErrorCode::kIncomplete);
    EXPECT_THAT(opened.error().message, HasSubstr("version 7, this program knows up to 2"));
  }
}

TEST(SqliteStore, ADamagedFileIsNeverANewWorld) {
  struct Case {
    const char* name;
    std::function<void(SqliteStore&)> damage;
    const char* says;
  };
  const Case cases[] = {
      {"empty", [](auto& s) { std::filesystem::resize_file(s.path(), 0); },
       "damaged (it is empty)"},
      {"header", [](auto& s) { Overwrite(s.path(), 0, std::string(100, 'x')); }, "damaged"},
      {"text",
       [](auto& s) {
         std::filesystem::resize_file(s.path(), 0);
         Overwrite(s.path(), 0, std::string(5000, 'x'));
       },
       "damaged"},
      {"first page", [](auto& s) { Overwrite(s.path(), 100, std::string(3996, '\xff')); },
       "damaged"},
      {"cut", [](auto& s) { std::filesystem::resize_file(s.path(), 4096); }, "damaged"},
      {"log without its file",
       [](auto& s) { std::filesystem::rename(s.path(), s.path() + "-wal"); },
       "is gone, but its log"},
      {"other database",
       [](auto& s) {
         std::filesystem::remove(s.path());
         EXPECT_EQ(s.Sql("CREATE TABLE a(b)"), "");
       },
       "is no ledger of Postern"},
  };
  for (const Case& c : cases) {
    for (const Mode mode : {Mode::kReadOnly, Mode::kReadWrite}) {
      SqliteStore store;
      Fill(store);
      c.damage(store);
      const auto opened = store.Open(mode);
      ASSERT_EQ(CodeOf(opened), ErrorCode::kIncomplete) << c.name;
      EXPECT_THAT(opened.error().message, HasSubstr(c.says)) << c.name;
    }
  }
}

// Damage deeper in the file shows when it is read: never as fewer rows.
TEST(SqliteStore, DamageInTheMiddleIsReported) {
  SqliteStore store;
  {
    auto ledger = Must(store.Open(Mode::kReadWrite));
    std::vector<Outcome> outcomes;
    for (uint64_t i = 1; i <= 2000; ++i) {
      outcomes.push_back(Done(i, Account("k" + std::to_string(i), std::string(200, 'b'))));
    }
    RunApply(*ledger, outcomes);
  }
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(store.path()));
  for (std::streamoff at = 40 * 4096; at < size; at += 9 * 4096) {
    Overwrite(store.path(), at, std::string(64, '\xee'));
  }
  const auto ledger = store.Open(Mode::kReadOnly);
  ASSERT_TRUE(ledger.has_value());
  const auto verified = (*ledger)->Verify();
  EXPECT_EQ(CodeOf(verified), ErrorCode::kIncomplete);
  EXPECT_THAT(verified.error().message, HasSubstr("damaged"));
  const auto recorded = (*ledger)->RecordedOf("host:edge");
  EXPECT_TRUE(!recorded || recorded->size() == 2000U);
}

TEST(SqliteStore, AFolderThatMayNotBeWrittenIsSaid) {
  const auto opened = Ledger::Open("/proc/no/ledger.db", Mode::kReadWrite);
  EXPECT_THAT(CodeOf(opened), AnyOf(ErrorCode::kDenied, ErrorCode::kUnavailable));
  EXPECT_THAT(opened.error().message, HasSubstr("/proc/no"));
}

TEST(SqliteStore, ManyCreatorsMakeOneLedger) {
  SqliteStore store;
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      auto ledger = store.Open(Mode::kReadWrite);
      const std::vector<std::pair<std::string, uint32_t>> uid = {
          {"edge", static_cast<uint32_t>(i)}};
      ::_exit(ledger && (*ledger)->AllocateUids(uid) ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const auto ledger = Must(store.Open(Mode::kReadOnly));
  EXPECT_EQ(Must(ledger->AllocatedUids()).size(), 8U);
  EXPECT_EQ(Must(ledger->Verify()), 9U);
}

TEST(SqliteStore, ACommitIsOneSync) {
  SqliteStore store;
  const auto ledger = Must(store.Open(Mode::kReadWrite));
  const uint64_t apply = Must(ledger->BeginApply(Start()));
  std::vector<Intent> intents, next;
  std::vector<Outcome> outcomes;
  for (uint64_t i = 1; i <= 256; ++i) {
    intents.push_back(Announce(i, "k" + std::to_string(i)));
    next.push_back(Announce(i + 256, "k" + std::to_string(i + 256)));
    outcomes.push_back(Done(i, Account("k" + std::to_string(i))));
  }
  Must(ledger->Commit(apply, {}, intents));
  g_syncs = 0;
  Must(ledger->Commit(apply, outcomes, next));
  EXPECT_EQ(g_syncs, 1);
}

double CpuSeconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// The figures go to the output; the bounds on time are wide, for slow builds with sanitizers.
TEST(SqliteStore, TenThousandOperationsAreCheap) {
  constexpr uint64_t kCount = 10'000, kBatch = 256;
  SqliteStore store;
  std::vector<Intent> intents;
  std::vector<Outcome> outcomes;
  for (uint64_t i = 1; i <= kCount; ++i) {
    // Keys in no order, as from many targets' names.
    const std::string key =
        "edge\x1f"
        "login-" +
        std::to_string(i * 7919 % kCount);
    intents.push_back(Announce(i, key));
    intents.back().after = std::string(90, 'a');
    outcomes.push_back(Done(i, Account(key, std::string(90, 'a'))));
    outcomes.back().record->owner = "account:login-" + std::to_string(i);
  }
  g_syncs = 0;
  auto ledger = Must(store.Open(Mode::kReadWrite));
  const double start = CpuSeconds();
  const uint64_t apply = Must(ledger->BeginApply(Start("7f3a", std::string(2'000'000, 'p'))));
  std::span<const Outcome> done;
  for (uint64_t at = 0; at < kCount; at += kBatch) {
    const size_t size = std::min(kBatch, kCount - at);
    Must(ledger->Commit(apply, done, std::span(intents).subspan(at, size)));
    done = std::span(outcomes).subspan(at, size);
  }
  Must(ledger->Commit(apply, done, {}));
  Must(ledger->FinishApply(apply, "done"));
  const double written = CpuSeconds();
  ledger.reset();
  const double closed = CpuSeconds();
  const int syncs = g_syncs;
  ledger = Must(store.Open(Mode::kReadOnly));
  const double opened = CpuSeconds();
  const auto rows = Must(ledger->RecordedOf("host:edge"));
  const double read = CpuSeconds();
  EXPECT_EQ(rows.size(), kCount);
  EXPECT_EQ(Must(ledger->Verify()), 2 * kCount + 3);
  const double verified = CpuSeconds();
  printf("write %.3f s, close %.3f s, read %.3f s, verify %.3f s CPU; %d syncs\n", written - start,
         closed - written, read - opened, verified - read, syncs);
  EXPECT_LE(syncs, 100);
  EXPECT_LT(closed - start, 6.0);
  EXPECT_LT(read - opened, 2.0);
}

}  // namespace
}  // namespace postern::ledger
