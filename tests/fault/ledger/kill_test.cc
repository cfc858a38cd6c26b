// A child is killed at every place where the ledger writes; what it left must be exactly a prefix
// of its story, with all that was confirmed to it, and usable at once.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "core/ledger/ledger.h"
#include "tests/fault/ledger/story.h"

namespace postern::ledger {
namespace {

namespace fs = std::filesystem;

class Scratch {
 public:
  Scratch() {
    std::string pattern = fs::temp_directory_path() / "ledger-fault-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Scratch() { fs::remove_all(folder_); }
  std::string path() const { return folder_ + "/ledger.db"; }
  std::string folder() const { return folder_; }

 private:
  std::string folder_;
};

struct Ended {
  bool killed = false;
  size_t confirmed = 0;  // calls that returned
};

// Plays the story with `kill_point` armed ("": none).
Ended Play(const std::string& path, const std::string& kill_point) {
  int out[2];
  EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::string program = LEDGER_CHILD, argument = path, armed = "POSTERN_KILL_POINT=" + kill_point;
  char* arguments[] = {program.data(), argument.data(), nullptr};
  char* environment[] = {armed.data(), nullptr};
  pid_t pid = 0;
  EXPECT_EQ(::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments, environment), 0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  Ended ended;
  char byte = 0;
  while (::read(out[0], &byte, 1) == 1) ++ended.confirmed;
  ::close(out[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  ended.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  EXPECT_TRUE(ended.killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
  return ended;
}

// `ledger` holds exactly the first `chapter` chapters.
void ExpectChapter(Ledger& ledger, size_t chapter) {
  const Chapter& want = Story()[chapter];
  SCOPED_TRACE(want.what);
  const auto verified = ledger.Verify();
  ASSERT_TRUE(verified.has_value()) << verified.error().message;
  EXPECT_EQ(*verified, want.events);
  EXPECT_EQ(ledger.generation(), want.generation);
  std::vector<std::pair<uint64_t, uint64_t>> open;
  const auto intents = ledger.OpenIntents();
  ASSERT_TRUE(intents.has_value()) << intents.error().message;
  for (const OpenIntent& intent : *intents) {
    open.emplace_back(intent.apply, intent.intent.step);
    EXPECT_EQ(intent.intent.key, "k" + std::to_string(intent.intent.step));
  }
  EXPECT_EQ(open, want.open);
  std::vector<std::string> recorded;
  const auto rows = ledger.RecordedOf("host:edge");
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  for (const Recorded& row : *rows) recorded.push_back(row.key);
  EXPECT_EQ(recorded, want.recorded);
}

// What the next apply does: takes the lock, closes what is open, finishes what isn't, verifies.
void ExpectRecovers(Ledger& ledger) {
  const auto lock = ledger.Acquire("li@runner");
  ASSERT_TRUE(lock.has_value()) << lock.error().message;
  const auto intents = ledger.OpenIntents();
  ASSERT_TRUE(intents.has_value());
  for (const OpenIntent& open : *intents) {
    const std::vector<Outcome> outcome = {
        {.step = open.intent.step, .status = "already-so", .target = open.intent.target}};
    ASSERT_TRUE(ledger.Commit(open.apply, outcome, {}).has_value());
  }
  const auto applies = ledger.Applies(10);
  ASSERT_TRUE(applies.has_value());
  for (const ApplyRow& row : *applies) {
    if (row.finished == 0) {
      ASSERT_TRUE(ledger.FinishApply(row.apply, "interrupted").has_value());
    }
  }
  const auto apply = ledger.BeginApply({.plan_digest = "7f3c"});
  ASSERT_TRUE(apply.has_value());
  ASSERT_TRUE(ledger.FinishApply(*apply, "done").has_value());
  const auto verified = ledger.Verify();
  EXPECT_TRUE(verified.has_value()) << verified.error().message;
  EXPECT_TRUE(ledger.OpenIntents().value().empty());
}

struct Kill {
  std::string point;  // with ":N"
  size_t chapter;     // how far the story must have come; SIZE_MAX: there is no file
};

std::vector<Kill> Kills() {
  std::vector<Kill> kills = {
      {"ledger.create", SIZE_MAX},       {"ledger.before-rename", SIZE_MAX},
      {"ledger.after-create", 0},        {"ledger.after-lock", 0},
      {"ledger.after-begin-apply:1", 1}, {"ledger.before-finish:1", 6},
      {"ledger.after-finish:1", 7},      {"ledger.after-begin-apply:2", 8},
      {"ledger.before-finish:2", 10},    {"ledger.after-finish:2", 11},
  };
  size_t commits = 0;
  for (size_t i = 1; i < Story().size(); ++i) {
    const std::string number = ":" + std::to_string(i);
    kills.push_back({"ledger.before-commit" + number, i - 1});
    kills.push_back({"ledger.after-commit" + number, i});
    if (Story()[i].commits) {
      kills.push_back({"ledger.in-commit:" + std::to_string(++commits), i - 1});
    }
  }
  return kills;
}

class KillTest : public testing::TestWithParam<Kill> {};

TEST_P(KillTest, LeavesAPrefixThatWorks) {
  const Scratch scratch;
  const Ended ended = Play(scratch.path(), GetParam().point);
  ASSERT_TRUE(ended.killed) << "nothing passed " << GetParam().point;
  const bool created = GetParam().chapter != SIZE_MAX;
  EXPECT_EQ(fs::exists(scratch.path()), created);
  const size_t chapter = created ? GetParam().chapter : 0;
  EXPECT_LE(ended.confirmed, chapter + 1) << "creation counts as one";
  EXPECT_GE(ended.confirmed + 1, chapter) << "more was written than was asked for";
  if (created) {
    const auto reader = Ledger::Open(scratch.path(), Ledger::Mode::kReadOnly);
    ASSERT_TRUE(reader.has_value()) << reader.error().message;
    ExpectChapter(**reader, chapter);
  }
  const auto ledger = Ledger::Open(scratch.path(), Ledger::Mode::kReadWrite);
  ASSERT_TRUE(ledger.has_value()) << ledger.error().message;
  ExpectChapter(**ledger, chapter);
  ExpectRecovers(**ledger);
  EXPECT_FALSE(fs::exists(scratch.path() + ".new"));
}

INSTANTIATE_TEST_SUITE_P(All, KillTest, testing::ValuesIn(Kills()), [](const auto& info) {
  std::string name = info.param.point;
  for (char& c : name) {
    if (c == '.' || c == ':' || c == '-') c = '_';
  }
  return name;
});

TEST(LedgerFault, TheStoryIsPlayedToItsEnd) {
  const Scratch scratch;
  const Ended ended = Play(scratch.path(), "");
  EXPECT_FALSE(ended.killed);
  EXPECT_EQ(ended.confirmed, Story().size());
  const auto ledger = Ledger::Open(scratch.path(), Ledger::Mode::kReadWrite);
  ASSERT_TRUE(ledger.has_value());
  ExpectChapter(**ledger, Story().size() - 1);
}

// A power cut may leave the log torn anywhere: whatever its length, what remains is a prefix.
TEST(LedgerFault, ATornLogIsAPrefix) {
  const Scratch scratch;
  ASSERT_TRUE(Play(scratch.path(), "ledger.after-commit:11").killed);
  const std::string log = scratch.path() + "-wal";
  const auto size = fs::file_size(log);
  ASSERT_GT(size, 100'000U);
  size_t last = 0;
  for (uintmax_t length = 0; length <= size; length += 2777) {
    const Scratch torn;
    fs::copy_file(scratch.path(), torn.path());
    fs::copy_file(log, torn.path() + "-wal");
    fs::resize_file(torn.path() + "-wal", length);
    const auto ledger = Ledger::Open(torn.path(), Ledger::Mode::kReadWrite);
    ASSERT_TRUE(ledger.has_value()) << ledger.error().message;
    const auto events = (*ledger)->Verify();
    ASSERT_TRUE(events.has_value()) << events.error().message;
    size_t chapter = 0;
    while (chapter + 1 < Story().size() && Story()[chapter].events < *events) ++chapter;
    ExpectChapter(**ledger, chapter);
    EXPECT_GE(chapter, last);
    last = chapter;
  }
  EXPECT_GE(last, 9U);
}

}  // namespace
}  // namespace postern::ledger
