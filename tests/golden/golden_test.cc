// Every folder of tests/golden/cases against its expected.txt; and every code has a case or a page.
// UPDATE_GOLDEN=1 rewrites the texts and skips.
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/config/declarations.h"
#include "core/diag/codes.h"
#include "core/diag/render.h"
#include "tests/golden/stage.h"

namespace postern::golden {
namespace {

namespace fs = std::filesystem;

std::string Validate(const fs::path& source) {
  const Stage stage(source);
  const config::Loaded loaded = config::Load({});
  std::string out = diag::Render(loaded.diagnostics, loaded.sources);
  if (!out.empty()) out += '\n';
  return out + diag::Summary(loaded.diagnostics) + "\n";
}

class Golden : public testing::TestWithParam<fs::path> {};

TEST_P(Golden, SaysWhatIsWrong) {
  const fs::path expected = GetParam() / "expected.txt";
  const std::string got = Validate(GetParam());
  if (std::getenv("UPDATE_GOLDEN")) {  // NOLINT(concurrency-mt-unsafe)
    WriteText(expected, got);
    GTEST_SKIP() << "rewrote " << expected << "; read the diff before you commit it";
  }
  EXPECT_EQ(got, ReadText(expected)) << "run again with UPDATE_GOLDEN=1 if this is intended";
  for (const char c : got) {
    EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << "a control character";
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(Cases()), [](const auto& info) {
  std::string name = info.param.filename().string();
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
});

bool IsOfTheLoader(std::string_view code) {
  const std::string_view area = code.substr(0, 3);
  return area == "E01" || area == "E02" || area == "E03" || area == "W01" || area == "W02" ||
         area == "W03";
}

TEST(GoldenCoverage, EveryCodeOfTheLoaderHasACase) {
  std::string all;
  size_t broken = 0;
  for (const fs::path& path : Cases()) {
    const std::string text = ReadText(path / "expected.txt");
    broken += text.find("error[") != std::string::npos;
    all += text;
  }
  for (const diag::CodePage& page : diag::AllCodes()) {
    if (!IsOfTheLoader(page.code)) continue;
    EXPECT_NE(all.find("[" + std::string(page.code) + "]"), std::string::npos) << page.code;
  }
  EXPECT_GE(broken, 60u) << "broken configurations";
}

TEST(GoldenCoverage, EveryCodeThatIsPrintedHasAPage) {
  for (const fs::path& path : Cases()) {
    const std::string text = ReadText(path / "expected.txt");
    for (size_t at = text.find('['); at != std::string::npos; at = text.find('[', at + 1)) {
      const std::string code = text.substr(at + 1, 5);
      if (text.substr(at + 6, 2) != "]:" || (code[0] != 'E' && code[0] != 'W')) continue;
      EXPECT_NE(diag::FindCode(code), nullptr) << path << ": " << code;
    }
  }
}

// The toml++ inputs that abort a header-only build (tomlplusplus #294, #295) and others like them.
TEST(GoldenRobustness, MalformedTomlIsAnErrorAndNeverMore) {
  const std::string inputs[] = {"[&",
                                "\xCC\xAA",
                                "[",
                                "[[",
                                "=",
                                "a",
                                "a=",
                                "a=[",
                                "a={",
                                "a=\"",
                                "a='''",
                                "a=\"\\u{1}\"",
                                "a=\"\\ud800\"",
                                "a=\xff",
                                std::string(1, '\0'),
                                "a=1__0",
                                "a=0x",
                                "a=1e",
                                "a=2026-02-30",
                                "a=25:00:00",
                                "\xEF\xBB",
                                "a\r=1",
                                "a=" + std::string(5000, '['),
                                "a={b=" + std::string(300, '{'),
                                "[a]\n[a]",
                                "a.b=1\na=2",
                                "[[a]]\n[a]",
                                "a=99999999999999999999",
                                std::string(100000, '['),
                                "\"a",
                                "[\"",
                                "[a.",
                                "[a.]",
                                "a=\"\n\""};
  for (const std::string& input : inputs) {
    const Stage stage(Root() / "shared");
    WriteText(stage.folder() / "access/x.toml", input);
    const config::Loaded loaded = config::Load({});
    EXPECT_TRUE(loaded.diagnostics.has_errors()) << testing::PrintToString(input.substr(0, 40));
  }
}

}  // namespace
}  // namespace postern::golden
