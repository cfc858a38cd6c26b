#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "core/diag/codes.h"
#include "core/diag/diagnostic.h"
#include "core/diag/render.h"
#include "core/diag/suggest.h"
#include "core/diag/text.h"

namespace postern::diag {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Sources, FindsLinesLazilyWithEveryLineEnd) {
  Sources sources;
  const uint32_t file = sources.Add("a.toml", "one\r\ntwo\n\nfour");
  EXPECT_EQ(sources.Line(file, 1), "one");
  EXPECT_EQ(sources.Line(file, 2), "two");
  EXPECT_EQ(sources.Line(file, 3), "");
  EXPECT_EQ(sources.Line(file, 4), "four");
  EXPECT_EQ(sources.Line(file, 5), "");
  EXPECT_EQ(sources.Line(file, 0), "");
  EXPECT_EQ(sources.Line(9, 1), "");
  EXPECT_EQ(sources.Place({file, 2, 1, 2, 2}), "a.toml:2");
  EXPECT_EQ(sources.Place({}), "");
}

TEST(Sources, HidesWhatASpanCovers) {
  Sources sources;
  const uint32_t file = sources.Add("a.toml", "a = \"\u00e9x\"\nb = 1\nc = 2\n");
  sources.Hide({file, 1, 5, 1, 9});
  EXPECT_EQ(sources.Line(file, 1), "a = *****");
  EXPECT_EQ(sources.Line(file, 2), "b = 1");
  sources.Hide({file, 2, 3, 3, 2});
  EXPECT_EQ(sources.Line(file, 2), "b ***");
  EXPECT_EQ(sources.Line(file, 3), "* = 2");
}

Diagnostic At(uint32_t file, uint32_t line, std::string code) {
  Diagnostic d;
  d.code = std::move(code);
  d.span = {file, line, 1, line, 2};
  if (file == 0) d.span = {};
  return d;
}

TEST(Diagnostics, SortsByPlaceAndKeepsEqualOnesOnce) {
  Diagnostics all;
  all.Add(At(0, 0, "E0501"));
  all.Add(At(2, 1, "E0204"));
  all.Add(At(1, 9, "E0204"));
  all.Add(At(1, 2, "E0203"));
  all.Add(At(1, 2, "E0202"));
  all.Add(At(1, 9, "E0204"));
  all.Sort();
  std::string order;
  for (const Diagnostic& d : all.all()) order += d.code + "@" + std::to_string(d.span.line) + " ";
  EXPECT_EQ(order, "E0202@2 E0203@2 E0204@9 E0204@1 E0501@0 ");
}

TEST(Render, ShowsBothPlacesAsThePageOfStyleSays) {
  Sources sources;
  const uint32_t a = sources.Add("access/partners/acme.toml",
                                 std::string(13, '\n') + "folder  = \"acme-inbuond\"\n");
  const uint32_t b = sources.Add("access/folders.toml", "\n\n[folder.acme-inbound]\n");
  Diagnostics all;
  Diagnostic& d = all.Add({.code = "E0204",
                           .summary = "no folder named \"acme-inbuond\"",
                           .span = {a, 14, 11, 14, 25},
                           .label = "not declared"});
  d.also.push_back({{b, 3, 9, 3, 21}, "did you mean this one?"});
  EXPECT_EQ(Render(all, sources),
            "error[E0204]: no folder named \"acme-inbuond\"\n"
            "  --> access/partners/acme.toml:14:11\n"
            "   |\n"
            "14 | folder  = \"acme-inbuond\"\n"
            "   |           ^^^^^^^^^^^^^^ not declared\n"
            "   |\n"
            "  ::: access/folders.toml:3:9\n"
            "   |\n"
            " 3 | [folder.acme-inbound]\n"
            "   |         ------------ did you mean this one?\n"
            "   |\n"
            "   = postern explain E0204\n");
  const auto json = nlohmann::json::parse(RenderJson(all, sources));
  EXPECT_EQ(json["diagnostics"][0]["file"], "access/partners/acme.toml");
  EXPECT_EQ(json["diagnostics"][0]["column"], 11);
  EXPECT_EQ(json["diagnostics"][0]["also"][0]["line"], 3);
}

std::string RenderLine(std::string line, uint32_t from, uint32_t to, unsigned width = 100) {
  Sources sources;
  const uint32_t file = sources.Add("x.toml", std::move(line));
  Diagnostic d{.code = "E0103", .summary = "s", .span = {file, 1, from, 1, to}};
  const std::string all = RenderOne(d, sources, {.width = width});
  const size_t at = all.find(" 1 |");
  return all.substr(at, all.find("\n   |\n", at) - at);
}

TEST(Render, PutsTheCaretUnderWideCombiningAndHiddenCharacters) {
  EXPECT_EQ(RenderLine("ab = 1", 1, 3), " 1 | ab = 1\n   | ^^");
  EXPECT_EQ(RenderLine("\tab", 2, 4), " 1 |     ab\n   |     ^^");
  EXPECT_EQ(RenderLine("\u4f60\u597d x", 4, 5), " 1 | \u4f60\u597d x\n   |      ^");
  EXPECT_EQ(RenderLine("\u4f60\u597d", 2, 3), " 1 | \u4f60\u597d\n   |   ^^");
  EXPECT_EQ(RenderLine("e\u0301x", 3, 4), " 1 | e\u0301x\n   |  ^");
  EXPECT_EQ(RenderLine("a\u202eb", 2, 3), " 1 | a\\u{202E}b\n   |  ^^^^^^^^");
  EXPECT_EQ(RenderLine("a\xff"
                       "b",
                       3, 4),
            " 1 | a\\x{FF}b\n   |        ^");
  EXPECT_EQ(RenderLine("ab", 3, 4), " 1 | ab\n   |   ^");
}

TEST(Render, CutsLongLinesAroundTheSpan) {
  const std::string cut =
      RenderLine(std::string(300, 'a') + "HERE" + std::string(300, 'b'), 301, 305, 60);
  EXPECT_THAT(cut, HasSubstr("...a"));
  EXPECT_THAT(cut, HasSubstr("HERE"));
  EXPECT_THAT(cut, HasSubstr("^^^^"));
  const size_t line_end = cut.find('\n');
  EXPECT_LE(line_end, 60u);
  EXPECT_EQ(cut.find("HERE"), cut.find("^^^^") - line_end - 1);
}

TEST(Render, NeverPassesControlCharactersOn) {
  Sources sources;
  const uint32_t file = sources.Add("x\x1b[2J.toml", "a = \"\x1b[31m\"");
  Diagnostics all;
  Diagnostic& d = all.Add({.code = "E0209", .summary = "s\x1b[0m", .span = {file, 1, 1, 1, 2}});
  d.label = "l\r";
  d.notes = {"n\x07"};
  all.Add({.code = "E0501", .summary = "s", .subject = "host:\x1b]0;x"});
  const std::string text = Render(all, sources);
  for (const char c : text) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
  EXPECT_THAT(RenderJson(all, sources), Not(HasSubstr("\x1b")));
  EXPECT_THAT(Render(all, sources, {.colour = true}), HasSubstr("\x1b[1;31merror[E0209]\x1b[0m"));
}

TEST(Suggest, CountsSlipsAndPicksTheNearest) {
  EXPECT_EQ(EditDistance("home", "hmoe", 3), 1);
  EXPECT_EQ(EditDistance("home", "Home", 3), 0);
  EXPECT_EQ(EditDistance("inbound", "inbuond", 3), 1);
  EXPECT_EQ(EditDistance("kitten", "sitting", 3), 3);
  EXPECT_EQ(EditDistance("abc", "xyz", 1), 2);
  EXPECT_EQ(EditDistance("", "ab", 3), 2);
  const std::string_view names[] = {"login", "home", "hosts", "host"};
  EXPECT_EQ(Nearest("hmoe", names), "home");
  EXPECT_EQ(Nearest("hots", names), "hosts");
  EXPECT_EQ(Nearest("hist", names), "host");
  EXPECT_EQ(Nearest("password", names), std::nullopt);
}

TEST(Text, KnowsWhatIsHidden) {
  EXPECT_FALSE(HasHidden("plain \u00e9 \u4f60"));
  EXPECT_TRUE(HasHidden("a\tb"));
  EXPECT_TRUE(HasHidden("a\u202eb"));
  EXPECT_TRUE(HasHidden("a\u200bb"));
  EXPECT_TRUE(HasHidden("\u2066x"));
  EXPECT_EQ(Printable("a\nb\u2067\xc3"), "a\\u{A}b\\u{2067}\\x{C3}");
}

TEST(Summary, CountsInWords) {
  Diagnostics all;
  EXPECT_EQ(Summary(all), "no problems");
  all.Add(At(1, 1, "E0204"));
  EXPECT_EQ(Summary(all), "1 error");
  all.Add(At(1, 2, "E0204"));
  all.Add({.severity = Severity::kWarning, .code = "W0201"});
  EXPECT_EQ(Summary(all), "2 errors, 1 warning");
}

std::string ReadHeader() {
  const auto path = std::filesystem::path(POSTERN_SOURCE_DIR) / "core/diag/codes.h";
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Codes, EveryConstantHasOnePageAndEveryPageAConstant) {
  const std::string header = ReadHeader();
  const std::regex constant("constexpr char k[A-Za-z0-9]+\\[\\] =\\s*\"([EW][0-9]{4})\"");
  std::set<std::string> declared;
  for (auto it = std::sregex_iterator(header.begin(), header.end(), constant);
       it != std::sregex_iterator(); ++it) {
    EXPECT_TRUE(declared.insert((*it)[1]).second) << "declared twice: " << (*it)[1];
    EXPECT_NE(FindCode((*it)[1].str()), nullptr) << "no page: " << (*it)[1];
  }
  EXPECT_GT(declared.size(), 90u);
  EXPECT_EQ(AllCodes().size(), declared.size());
  for (const CodePage& page : AllCodes()) {
    EXPECT_TRUE(declared.count(std::string(page.code))) << page.code;
    EXPECT_GT(page.title.size(), 5u) << page.code;
    EXPECT_GT(page.meaning.size(), 15u) << page.code;
    EXPECT_FALSE(page.example.empty()) << page.code;
    EXPECT_FALSE(page.way_out.empty()) << page.code;
    EXPECT_NE(page.title.back(), '.') << page.code;
  }
}

TEST(Codes, FindsByAnyCaseAndPrintsAPage) {
  ASSERT_NE(FindCode("e0204"), nullptr);
  EXPECT_EQ(FindCode("E9999"), nullptr);
  const std::string page = RenderPage(*FindCode("E0204"));
  EXPECT_THAT(page, HasSubstr("E0204: a reference to something that isn't declared\n\n"));
  EXPECT_THAT(page, HasSubstr("\nExample\n    folder = \"acme-inbuond\"\n"));
  EXPECT_THAT(page, HasSubstr("\nWay out\n    Mend the name"));
}

}  // namespace
}  // namespace postern::diag
