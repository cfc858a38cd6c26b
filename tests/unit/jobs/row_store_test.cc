// Rows in the order of their keys, and what a published state and its deltas are.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>

#include "core/jobs/delta.h"
#include "core/jobs/row_store.h"
#include "tests/support/scratch.h"

namespace postern::jobs::test {
namespace {

TEST(RowStore, SortsTheSameInMemoryAndInRuns) {
  const support::Scratch scratch;
  constexpr size_t kSmall = 2000;
  RowStore all(scratch.path()), cut(scratch.path(), kSmall);
  std::mt19937 random(17);
  constexpr int kRows = 5000;
  for (int i = 0; i < kRows; ++i) {
    const std::string key = fmt::format("k{}", random() % kRows);
    const std::string record(random() % 60, static_cast<char>('a' + random() % 26));
    ASSERT_TRUE(all.Add(key, record));
    ASSERT_TRUE(cut.Add(key, record));
  }
  EXPECT_EQ(all.runs(), 0u);
  EXPECT_GT(cut.runs(), 50u);
  const auto rows = [](RowStore& store) {
    std::vector<std::pair<std::string, std::string>> out;
    EXPECT_TRUE(store.Each([&](std::string_view key, std::string_view record) -> Result<void> {
      out.emplace_back(key, record);
      return {};
    }));
    return out;
  };
  const auto sorted = rows(all);
  EXPECT_EQ(sorted.size(), static_cast<size_t>(kRows));
  EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end()));
  EXPECT_EQ(rows(cut), sorted);
  EXPECT_EQ(rows(cut), sorted);                            // asked again
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));  // runs have no names
}

using World = std::map<std::string, std::string>;

void KeepState(const std::string& path, const World& world) {
  auto writer = StateWriter::Create(path);
  ASSERT_TRUE(writer) << writer.error().message;
  for (const auto& [key, record] : world) {
    ASSERT_TRUE((*writer)->Add(key, base::Sha256(record)));
  }
  ASSERT_TRUE((*writer)->Finish());
}

// What a receiver has after this delta.
World After(World world, const std::string& before, const World& now) {
  auto reader = StateReader::Open(before);
  EXPECT_TRUE(reader) << reader.error().message;
  Delta delta(
      std::move(*reader),
      [&](Operation operation, std::string_view key, std::string_view record) -> Result<void> {
        const std::string name(key);
        EXPECT_EQ(world.contains(name), operation != Operation::kAdd) << name;
        if (operation == Operation::kDelete) {
          world.erase(name);
        } else {
          EXPECT_NE(world[name], record) << "a row that didn't change";
          world[name] = record;
        }
        return {};
      });
  for (const auto& [key, record] : now) {
    EXPECT_TRUE(delta.Add(key, base::Sha256(record), record));
  }
  EXPECT_TRUE(delta.Finish());
  return world;
}

TEST(Delta, FullAndDeltasGiveTheLastFull) {
  const support::Scratch scratch;
  std::mt19937 random(20260301);
  World world, receiver;
  KeepState(scratch.File("0"), world);
  constexpr int kSteps = 60, kKeys = 200;
  for (int step = 1; step <= kSteps; ++step) {
    const auto changes = random() % (step % 7 == 0 ? 300 : 12);
    for (unsigned i = 0; i < changes; ++i) {
      const std::string key = fmt::format("k{}", random() % kKeys);
      if (random() % 3 == 0) {
        world.erase(key);
      } else {
        world[key] = fmt::format("v{}", random() % 5);
      }
    }
    receiver = After(receiver, scratch.File(std::to_string(step - 1)), world);
    ASSERT_EQ(receiver, world) << "step " << step;
    KeepState(scratch.File(std::to_string(step)), world);
  }
  EXPECT_GT(world.size(), 50u);
}

TEST(Delta, NoticesAStateThatIsNotWhole) {
  const support::Scratch scratch;
  KeepState(scratch.File("s"), {{"a", "1"}, {"b", "2"}});
  const std::string whole = support::ReadFile(scratch.File("s"));
  const auto read = [&](const std::string& bytes) {
    scratch.Write("t", bytes);
    auto reader = StateReader::Open(scratch.File("t"));
    if (!reader) return reader.error().code;
    for (;;) {
      const auto more = (*reader)->Next();
      if (!more) return more.error().code;
      if (!*more) return ErrorCode::kInternal;  // as if it were whole
    }
  };
  EXPECT_EQ(read(whole), ErrorCode::kInternal);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(read(whole.substr(0, size)), ErrorCode::kIncomplete) << size;
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    EXPECT_EQ(read(flipped), ErrorCode::kIncomplete) << at;
  }
}

}  // namespace
}  // namespace postern::jobs::test
