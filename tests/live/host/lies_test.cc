// A host that lies about sizes and counts: each reader says so, takes nothing for another, keeps
// its memory bounded, and nothing is written.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>

#include "providers/filetransfer/host/host_batch.h"
#include "providers/filetransfer/host/tree_io.h"
#include "providers/filetransfer/host/tree_listing.h"
#include "tests/live/host/shims.h"
#include "tests/live/host/world.h"

namespace postern::filetransfer {
namespace {

using ::testing::HasSubstr;

// Runs each batch truly and says something else about it.
class Liar final : public Transport {
 public:
  Result<ExecResult> Exec(const Batch& batch) override {
    Batch plain = batch;
    plain.sink = nullptr;
    auto result = true_->Exec(plain);
    if (!result) return result;
    said = std::move(result->out);
    std::string answer = lie ? lie(said) : said;
    if (batch.sink == nullptr) {
      result->out = std::move(answer);
      return result;
    }
    for (std::string_view rest = answer; !rest.empty();
         rest.remove_prefix(std::min<size_t>(rest.size(), 1000))) {
      if (auto taken = batch.sink->Take(rest.substr(0, 1000)); !taken) {
        return tl::unexpected(taken.error());
      }
    }
    result->out.clear();
    return result;
  }
  std::string Describe() const override { return "liar:"; }

  std::function<std::string(const std::string&)> lie;
  std::string said;  // the truth of the last batch

 private:
  std::unique_ptr<Transport> true_ = MakeLocalTransport();
};

// The first `from` becomes `to`.
std::function<std::string(const std::string&)> Swap(std::string from, std::string to) {
  return [from = std::move(from), to = std::move(to)](const std::string& said) {
    std::string out = said;
    const size_t at = out.find(from);
    EXPECT_NE(at, std::string::npos) << "the lie has no place: " << from;
    return at == std::string::npos ? out : out.replace(at, from.size(), to);
  };
}

const std::vector<std::string> kSizes = {
    "0", "1", "-5", "99999999999999999999", "1099511627776", "4294967297", "0x20", ""};

class Lies : public ::testing::Test {
 protected:
  Lies() {
    for (int i = 0; i < 9; ++i) {
      std::filesystem::create_directories(fmt::format("{}/{}/in", kRoot, i));
      WriteTo(Key(i), fmt::format("{} {}\n", NewKey(fmt::format("k{}", i)), std::string(i, 'c')));
      keys_.push_back(Key(i));
    }
  }
  static std::string Key(int i) { return fmt::format("{}/{}/keys", kRoot, i); }
  Result<TreeRead> Tree() { return ReadTree(liar_, w_.settings.roots); }
  void Cut(size_t size) {
    liar_.lie = [size](const std::string& said) { return said.substr(0, size); };
  }

  World w_;
  Liar liar_;
  std::vector<std::string> keys_;
};

TEST_F(Lies, ATreeCutAnywhereIsAnError) {
  const auto whole = Tree();
  ASSERT_TRUE(whole && whole->complete);
  const size_t size = liar_.said.size();
  for (size_t at = 0; at < size; at += 1 + size / 60) {
    Cut(at);
    const auto read = Tree();
    ASSERT_FALSE(read) << at << " of " << size;
    EXPECT_TRUE(read.error().code == ErrorCode::kIncomplete ||
                read.error().code == ErrorCode::kInvalid)
        << read.error().message;
  }
  liar_.lie = [](const std::string& said) { return said + said; };
  EXPECT_THAT(Tree().error().message, HasSubstr("goes on after its end"));
}

TEST_F(Lies, CountsOfATreeThatDoNotFit) {
  ASSERT_TRUE(Tree());
  const std::string parts = liar_.said.substr(0, liar_.said.find('\0'));
  for (const std::string& count : kSizes) {
    if (count == parts) continue;
    liar_.lie = [&](const std::string& said) { return count + said.substr(parts.size()); };
    EXPECT_FALSE(Tree()) << count;
  }
  for (const std::string& to :
       {std::string("\0dd", 3), std::string("\0", 1) + "d" + std::string("\0\0", 2)}) {
    liar_.lie = Swap(std::string("\0d", 2), to);
    EXPECT_FALSE(Tree());
  }
  for (const char* block : {"=9 /", "=-1 /", "=99999999999999999999 /", "= /", "=x /"}) {
    liar_.lie = [&](const std::string& said) {
      return Swap(std::string("\n=0 /"), std::string("\n") + block)(said);
    };
    const auto read = Tree();
    ASSERT_FALSE(read) << block;
    EXPECT_THAT(read.error().message, HasSubstr("a block that wasn't told"));
  }
}

TEST_F(Lies, ATreeWithoutAnEndIsNotKept) {
  const std::string head = std::string("1\0/srv/x\0\0", 10);
  liar_.lie = [&](const std::string&) { return head + std::string(size_t{3} << 20, 'x'); };
  EXPECT_THAT(Tree().error().message, HasSubstr("a name without an end"));
  liar_.lie = [&](const std::string&) {
    std::string out =
        head + "# file: /srv/x\n# owner: 0\n# group: 0\nuser::rwx\ngroup::r-x\nother::r-x\n\n";
    for (int i = 0; i < 2000; ++i) out += fmt::format("=0 /srv/x/{}\n", i);
    return out;
  };
  const auto listed = ListTrees(liar_, w_.settings.roots, 1000);
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(listed.error().message, HasSubstr("more than 1000 files and folders"));
}

TEST_F(Lies, SizesOfKeyFiles) {
  const std::string content = support::ReadFile(Key(3));
  for (std::string size : kSizes) {
    liar_.lie = [&](const std::string& said) {
      // The state of one file: "-f SIZE ... PATH".
      const size_t end = said.find(" " + Key(3) + std::string(1, '\0'));
      const size_t begin = said.rfind("-f ", end) + 3;
      return said.substr(0, begin) + size + said.substr(said.find(' ', begin));
    };
    const auto read = ReadKeyFiles(liar_, keys_);
    if (!read) {
      EXPECT_EQ(read.error().code, ErrorCode::kInvalid) << size;
      continue;
    }
    const KeyFileState& lied = read->at(Key(3));
    EXPECT_EQ(lied.presence, Presence::kUnreadable) << size;
    EXPECT_EQ(lied.content, "");
    EXPECT_NE(lied.reason, "");
    EXPECT_EQ(read->at(Key(4)).content, support::ReadFile(Key(4)));
  }
}

TEST_F(Lies, KeyFilesCutAnywhereOrOfNobody) {
  ASSERT_TRUE(ReadKeyFiles(liar_, keys_));
  const size_t size = liar_.said.size();
  for (size_t at = 0; at < size; at += 1 + size / 60) {
    Cut(at);
    EXPECT_FALSE(ReadKeyFiles(liar_, keys_)) << at << " of " << size;
  }
  liar_.lie = [](const std::string& said) {
    return std::string("/etc/shadow\0root:x\n", 19) + said;
  };
  EXPECT_THAT(ReadKeyFiles(liar_, keys_).error().message, HasSubstr("nobody asked for"));
  liar_.lie = [&](const std::string& said) {
    return Key(0) + std::string(1, '\0') + std::string(3 * kKeyFileLimit, 'x') + said;
  };
  EXPECT_THAT(ReadKeyFiles(liar_, keys_).error().message, HasSubstr("a line without an end"));
  // Lines enough for gigabytes cost what one file may have, and are of no use.
  liar_.lie = [&](const std::string& said) {
    std::string more;
    const std::string line = Key(0) + std::string(1, '\0') + std::string(1 << 20, 'x') + "\n";
    for (int i = 0; i < 20; ++i) more += line;
    return more + said;
  };
  const auto read = ReadKeyFiles(liar_, keys_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->at(Key(0)).presence, Presence::kUnreadable);
  EXPECT_EQ(read->at(Key(1)).presence, Presence::kPresent);
}

TEST_F(Lies, FilesOfConfigurationAreTheirOwnOrNone) {
  for (const std::string& size : kSizes) {
    liar_.lie = [&](const std::string& said) {
      const size_t begin = said.find("81a4 0 0 root root ") + 19;
      return said.substr(0, begin) + size + said.substr(said.find(' ', begin));
    };
    const auto read = ReadFiles(liar_, keys_);
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code, ErrorCode::kConflict);
  }
  liar_.lie = nullptr;
  ASSERT_TRUE(ReadFiles(liar_, keys_));
  const size_t size = liar_.said.size();
  for (size_t at = 0; at < size; at += 1 + size / 60) {
    Cut(at);
    const auto read = ReadFiles(liar_, keys_);
    if (!read) continue;
    for (const std::string& path : keys_) {
      const FileState& state = read->at(path);
      EXPECT_NE(state.presence, Presence::kAbsent) << at;
      if (state.presence != Presence::kPresent) continue;
      EXPECT_EQ(state.content, support::ReadFile(path));
    }
  }
}

TEST_F(Lies, AnswersToStepsThatDoNotFit) {
  const std::vector<Step> steps = {{.verb = Step::Verb::kAside,
                                    .args = {"0", "0", "/srv/x/none", "/srv/x/none/keys", "absent"},
                                    .content = ""}};
  ASSERT_TRUE(RunSteps(liar_, steps, {}));
  liar_.lie = [](const std::string& said) { return said + "ok\n"; };
  EXPECT_EQ(RunSteps(liar_, steps, {}).error().code, ErrorCode::kInvalid);
  Cut(0);
  EXPECT_EQ(RunSteps(liar_, steps, {}).error().code, ErrorCode::kIncomplete);
}

TEST_F(Lies, AWriteThatIsSaidToBeDoneIsReadBack) {
  const auto read = Tree();
  ASSERT_TRUE(read);
  const std::string path = kRoot + "/3/in";
  posix::Node after = *read->tree.Find(path);
  after.access.other = 0;
  const Shims shims;
  shims.Put("setfacl", "exit 0");
  const auto written = WriteTree(
      liar_, std::vector<posix::Change>{{path, *read->tree.Find(path), after}}, w_.settings.roots);
  ASSERT_TRUE(written);
  EXPECT_EQ(written->written, 0U);
  EXPECT_EQ(written->refused.size(), 1U);
}

}  // namespace
}  // namespace postern::filetransfer
