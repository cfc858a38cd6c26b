// One look at a host: what the look before asked for comes in one round trip, and only as a hint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "providers/filetransfer/transport/file_reader.h"
#include "tests/support/scratch.h"

namespace postern::filetransfer {
namespace {

using testing::Contains;
using testing::Key;
using testing::Not;

// The local transport, with its round trips counted.
class Counted final : public Transport {
 public:
  Result<ExecResult> Exec(const Batch& batch) override {
    ++trips;
    return inner_->Exec(batch);
  }
  std::string Describe() const override { return inner_->Describe(); }

  int trips = 0;

 private:
  std::unique_ptr<Transport> inner_ = MakeLocalTransport();
};

class FileReaderTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return scratch_.path() + "/" + name; }
  void Put(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name)) << text;
  }
  // A main file, what it names, a folder: three levels.
  std::map<std::string, FileState> Look() {
    FileReader reader(transport_, "main");
    std::map<std::string, FileState> out;
    for (const auto& files : {std::vector{Path("main")}, std::vector{Path("a"), Path("gone")}}) {
      auto read = reader.Read(files);
      EXPECT_TRUE(read) << read.error().message;
      if (read) out.merge(*read);
    }
    auto read = reader.Read({}, std::vector{Path("d")});
    EXPECT_TRUE(read) << read.error().message;
    if (read) out.merge(*read);
    return out;
  }

  support::Scratch scratch_;
  Counted transport_;
};

TEST_F(FileReaderTest, TheSecondLookIsOneRoundTripAndSeesWhatChanged) {
  Put("main", "one");
  Put("a", "a");
  Put("d/x", "x");
  const auto first = Look();
  EXPECT_EQ(transport_.trips, 3);
  EXPECT_EQ(first.at(Path("main")).content, "one");
  EXPECT_EQ(first.at(Path("d/x")).content, "x");
  EXPECT_EQ(first.at(Path("gone")).presence, Presence::kAbsent);
  EXPECT_TRUE(first.at(Path("d")).directory);

  Put("main", "two");
  Put("gone", "back");
  Put("d/y", "y");
  Put("d/deep/z", "z");
  std::filesystem::remove(Path("a"));
  const auto second = Look();
  EXPECT_EQ(transport_.trips, 4);
  EXPECT_EQ(second.at(Path("main")).content, "two");
  EXPECT_EQ(second.at(Path("gone")).content, "back");
  EXPECT_EQ(second.at(Path("a")).presence, Presence::kAbsent);
  EXPECT_EQ(second.at(Path("d/y")).content, "y");
  EXPECT_THAT(second, Not(Contains(Key(Path("d/deep/z")))));
}

TEST_F(FileReaderTest, WhatWasFetchedForNothingReachesNobodyAndIsNotFetchedAgain) {
  Put("main", "one");
  Put("d/x", "x");
  {
    FileReader reader(transport_, "main");
    ASSERT_TRUE(reader.Read(std::vector{Path("main"), Path("d/gone")}));
  }
  for (int look = 0; look < 2; ++look) {
    FileReader reader(transport_, "main");
    const auto read = reader.Read({}, std::vector{Path("d")});
    ASSERT_TRUE(read);
    EXPECT_EQ(read->size(), 2u);  // the folder and its one file
    EXPECT_THAT(transport_.asked_before["main"].files, testing::SizeIs(look == 0 ? 2 : 0));
  }
}

TEST_F(FileReaderTest, WithinOneLookAFileIsReadOnce) {
  Put("main", "one");
  FileReader reader(transport_, "main");
  ASSERT_TRUE(reader.Read(std::vector{Path("main")}));
  Put("main", "two");
  const auto again = reader.Read(std::vector{Path("main")});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->at(Path("main")).content, "one");
  EXPECT_EQ(transport_.trips, 1);
}

}  // namespace
}  // namespace postern::filetransfer
