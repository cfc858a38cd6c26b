// The raiser behind access::Product: our own file from rows, rules left out, cost.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/access/overlay.h"
#include "providers/filetransfer/proftpd/include_file.h"
#include "providers/filetransfer/proftpd/product.h"

namespace postern::proftpd {
namespace {

using access::Cell;
using access::ConfigFile;
using access::Depth;
using access::Part;
using access::RaiseInput;
using access::Right;
using access::Rights;
using access::Subject;
using Role = ConfigFile::Role;

constexpr char kHand[] = "/etc/p/conf.d/hand.conf";

RaiseInput Input(const std::string& hand = "") {
  RaiseInput input;
  input.files = {{Role::kMain, "/etc/p/main.conf",
                  "AuthOrder mod_auth_file.c\n<Global>\nAllowOverride off\n"
                  "Include /etc/p/postern.conf\n</Global>\nInclude /etc/p/conf.d/*.conf\n",
                  true},
                 {Role::kIncluded, kHand, hand, true},
                 {Role::kGenerated, "/etc/p/postern.conf", "", false}};
  input.roots = {"/srv"};
  input.rows = {{"/srv/in",
                 Depth::kSubtree,
                 {Subject::Type::kAccount, "ada"},
                 Rights(Right::kList) | Right::kCreate}};
  input.accounts = {{"ada", {"ops"}, "/srv"}, {"bea", {"staff"}, "/srv"}};
  return input;
}

Rights RightsOf(const access::Enforced& enforced, uint32_t account, const Cell& cell) {
  Rights rights;
  const access::CellAnswers answers = enforced.AnswersAt(cell);
  for (int i = 0; i < access::kRightCount; ++i) {
    EXPECT_TRUE(answers[static_cast<size_t>(i)].maybe.IsEmptyOf(2));
    if (answers[static_cast<size_t>(i)].yes.Has(account)) rights |= static_cast<Right>(i);
  }
  return rights;
}

std::unique_ptr<access::Enforced> Raised(const RaiseInput& input) {
  auto raised = Proftpd().Raise(input);
  EXPECT_TRUE(raised.has_value()) << raised.error().message;
  return *std::move(raised);
}

constexpr uint32_t kAda = 0, kBea = 1;
const Cell kEntries{"/srv/in", Part::kEntries};

TEST(Enforced, TheGeneratedFileIsWhatTheRowsSay) {
  const auto now = Raised(Input());
  EXPECT_EQ(RightsOf(*now, kAda, kEntries), Rights(Right::kList) | Right::kCreate);
  EXPECT_EQ(RightsOf(*now, kBea, kEntries), Rights());
  RaiseInput edited = Input();
  edited.files[2].text = *Lower({}, edited.roots);
  edited.files[2].has_text = true;
  EXPECT_EQ(RightsOf(*Raised(edited), kAda, kEntries), Rights()) << "as it was edited";
  edited.generated_anew = true;
  EXPECT_EQ(RightsOf(*Raised(edited), kAda, kEntries), Rights(Right::kList) | Right::kCreate);
  RaiseInput nothing = Input();
  nothing.files.erase(nothing.files.begin());
  EXPECT_FALSE(Proftpd().Raise(nothing).has_value()) << "no main file";
}

TEST(Enforced, ARuleIsLeftOutWithAllThatStandsInIt) {
  const std::string hand =
      "\n<Directory /srv/in/a>\n  <Limit DELE>\n    AllowUser ada\n  </Limit>\n</Directory>\n"
      "<Directory /srv/in/b>\n  <Limit DELE>\n    AllowUser ada\n  </Limit>\n</Directory>\n"
      "HideFiles ^x\n";
  const Cell a{"/srv/in/a", Part::kEntries}, b{"/srv/in/b", Part::kEntries};
  RaiseInput input = Input(hand);
  input.without = {{kHand, 12}};
  auto raised = Raised(input);
  EXPECT_TRUE(RightsOf(*raised, kAda, a).Has(Right::kDelete));
  input.without = {{kHand, 2}, {kHand, 12}};
  raised = Raised(input);
  EXPECT_FALSE(RightsOf(*raised, kAda, a).Has(Right::kDelete));
  EXPECT_TRUE(RightsOf(*raised, kAda, b).Has(Right::kDelete));
  // An access file is left out whole.
  input = Input();
  input.files[0].text =
      "AuthOrder mod_auth_file.c\n<Global>\nInclude /etc/p/postern.conf\n</Global>\n";
  input.files.push_back({Role::kAccess, "/srv/in/.ftpaccess", "", false});
  auto answers = Raised(input)->AnswersAt(kEntries);
  EXPECT_TRUE(answers[0].maybe.Has(kAda));
  input.without = {{"/srv/in/.ftpaccess", 0}};
  EXPECT_EQ(RightsOf(*Raised(input), kAda, kEntries), Rights(Right::kList) | Right::kCreate);
}

// Included at the wrong place our rules don't reach every server; without that line they are where
// they belong, not gone.
TEST(Enforced, OurOwnFileIsNeverLeftOut) {
  RaiseInput input = Input();
  input.files[0].text =
      "AuthOrder mod_auth_file.c\nAllowOverride off\nInclude /etc/p/postern.conf\n";
  input.without = {{"/etc/p/main.conf", 3}};
  EXPECT_EQ(RightsOf(*Raised(input), kAda, kEntries), Rights(Right::kList) | Right::kCreate);
  EXPECT_EQ(RightsOf(*Raised(input), kBea, kEntries), Rights());
}

TEST(Enforced, AnAnonymousSectionIsOpenToAnybody) {
  const auto open = Raised(Input("<Anonymous /srv/in>\nUser ada\n</Anonymous>\n"));
  EXPECT_TRUE(open->OpenToAnybody().Has(kAda));
  EXPECT_FALSE(open->OpenToAnybody().Has(kBea));
  EXPECT_TRUE(Raised(Input())->OpenToAnybody().IsNobody());
}

// One rule by another hand on a large server: what it does is found among 2,000 folders and 1,000
// accounts.
TEST(Enforced, AnEffectIsFoundOnALargeServer) {
  RaiseInput input = Input();
  input.rows.clear();
  input.accounts.clear();
  access::Overlay::Logins logins;
  for (uint32_t i = 0; i < 1000; ++i) {
    input.accounts.push_back({fmt::format("a{}", i), {"all"}, "/srv"});
    logins.emplace(input.accounts.back().name, i);
  }
  std::set<std::string> paths = {"/srv"};
  for (uint32_t i = 0; i < 2000; ++i) {
    const std::string path = fmt::format("/srv/f{}", i);
    paths.insert(path);
    input.rows.push_back({path,
                          Depth::kSubtree,
                          {Subject::Type::kAccount, fmt::format("a{}", i % 1000)},
                          Rights(Right::kList) | Right::kRead});
  }
  std::sort(input.rows.begin(), input.rows.end());
  const auto clean = Raised(input);
  input.files[1].text =
      "<Directory /srv/f7/x>\n<Limit DELE>\nAllowUser a7\n</Limit>\n</Directory>\n";
  std::shared_ptr<const access::Enforced> live = Raised(input);
  const auto shared = std::make_shared<const access::Overlay::Logins>(std::move(logins));
  const access::Overlay overlay =
      access::Overlay::Between(*clean, live, shared, std::move(paths), input.roots);
  EXPECT_EQ(overlay.Affected(), std::vector<std::string>{"a7"});
  EXPECT_EQ(overlay.At("a7", {"/srv/f7/x", Part::kEntries}).more, Rights(Right::kDelete));
  EXPECT_EQ(overlay.At("a7", {"/srv/f7/x/y/z", Part::kDeeper}).more, Rights(Right::kDelete))
      << "below a path that nothing names";
  EXPECT_TRUE(overlay.At("a8", {"/srv/f7/x", Part::kEntries}).empty());
}

}  // namespace
}  // namespace postern::proftpd
