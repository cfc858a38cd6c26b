// Where our include stands in a configuration, and the copy that sshd's own checker reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "providers/filetransfer/openssh_io/config_files.h"

namespace postern::filetransfer {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class ConfigFilesTest : public testing::Test {
 protected:
  ConfigFilesTest() : transport_(MakeLocalTransport()) {
    std::string name = (fs::temp_directory_path() / "postern-sshd-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    fs::create_directories(folder_ / "d");
  }
  ~ConfigFilesTest() override { fs::remove_all(folder_); }

  std::string In(const std::string& name) const { return (folder_ / name).string(); }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::trunc) << text;
  }
  ConfigFiles Load() const {
    FileReader reader(*transport_, In("main"));
    auto files = ConfigFiles::Load(reader, In("main"), In("d/postern.conf"));
    EXPECT_TRUE(files) << files.error().message;
    return files ? std::move(*files) : ConfigFiles();
  }

  std::unique_ptr<Transport> transport_;
  fs::path folder_;
};

TEST_F(ConfigFilesTest, AnIncludeThatIsYetToComeIsReachedByItsPattern) {
  Write("main", "Port 22\nInclude " + In("d/*.conf") + "\nMatch User bea\nBanner none\n");
  EXPECT_EQ(Load().WhyNotReached(), "");
  Write("d/postern.conf", "Match User ana\n    ForceCommand internal-sftp\n");
  Write("d/a first.conf", "Banner none\n");
  const ConfigFiles files = Load();
  EXPECT_EQ(files.WhyNotReached(), "");
  EXPECT_TRUE(files.files().contains(In("d/a first.conf")));
}

TEST_F(ConfigFilesTest, SaysWhyLinesOfOursWouldNotHold) {
  Write("main", "Port 22\n");
  EXPECT_THAT(Load().WhyNotReached(), EndsWith("is not included"));
  Write("main", "Match User bea\nInclude " + In("d/*.conf") + "\n");
  EXPECT_THAT(Load().WhyNotReached(), HasSubstr("within the Match block of " + In("main") + ":1"));
  Write("main", "Match User bea\nBanner none\nMatch all\nInclude " + In("d/postern.conf") + "\n");
  // sshd passes over a named include that isn't there; it reads one that is.
  Write("d/postern.conf", "");
  EXPECT_EQ(Load().WhyNotReached(), "");
  Write("main", "Include " + In("d/*.conf") + "\nInclude " + In("d/postern.conf") + "\n");
  EXPECT_THAT(Load().WhyNotReached(), EndsWith("is included more than once"));
}

TEST_F(ConfigFilesTest, TheCopyIsTheWholeChainWithTheCandidate) {
  Write("main", "Port 22\nInclude " + In("d/*.conf") + "\nInclude \"" + In("more") +
                    "\" # comment\nInclude " + In("none*") + "\n");
  Write("more", "Include " + In("deep") + "\n");
  Write("deep", "Banner none\n");
  Write("d/postern.conf", "# old\n");
  const auto copy = Load().CopyWith("# candidate\n", "/scratch");
  ASSERT_TRUE(copy) << copy.error().message;
  ASSERT_EQ(copy->size(), 4u);
  EXPECT_EQ(copy->front().path, "/scratch/0.conf");
  EXPECT_EQ(copy->front().of, In("main"));
  std::string all;
  for (const CandidateFile& file : *copy) all += file.path + ":\n" + file.content;
  EXPECT_THAT(all, AllOf(HasSubstr("# candidate\n"), HasSubstr("Banner none\n"),
                         Not(HasSubstr("# old")), Not(HasSubstr(folder_.string()))));
  EXPECT_THAT(copy->front().content,
              "Port 22\nInclude /scratch/1.conf\nInclude /scratch/2.conf\n#\n");
}

TEST_F(ConfigFilesTest, AFileThatCanNotBeReadIsAProblemAndNoEmptyOne) {
  Write("main", "Include " + In("d/*.conf") + "\n");
  fs::create_directories(folder_ / "d/folder.conf");
  const ConfigFiles files = Load();
  EXPECT_FALSE(openssh::ReadConfig(files, In("main")));
  EXPECT_NE(files.WhyNotReached(), "");
}

}  // namespace
}  // namespace postern::filetransfer
