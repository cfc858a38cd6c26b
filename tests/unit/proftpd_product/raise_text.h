// tests/unit/proftpd_product/raise_text.h: a raiser of one configuration text, for tests. Accounts:
// ada (group ops) and bea (groups staff, ops).
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "providers/filetransfer/proftpd/raise.h"
#include "tests/unit/proftpd_product/memory_files.h"

namespace postern::proftpd::testing {

inline constexpr char kMain[] = "/etc/p/main.conf";

inline RaiseQuestion QuestionOf() {
  return {.main_file = kMain,
          .defines = {},
          .ftpaccess_files = {},
          .accounts = {{"ada", {"ops"}, "/home/ada"}, {"bea", {"staff", "ops"}, "/home/bea"}},
          .rules = {}};
}

inline Raiser RaiseText(const std::string& text, RaiseQuestion question = QuestionOf(),
                        Files files = Files()) {
  files.texts[kMain] = text;
  Result<Raiser> raiser = Raiser::Make(files, std::move(question));
  EXPECT_TRUE(raiser.has_value());
  return std::move(*raiser);
}

inline Verdict Ask(const Raiser& raiser, const std::string& who, const std::string& path,
                   access::Right right, Cell::Rest rest = Cell::Rest::kEntry, Way way = Way::kFtp) {
  return raiser.Decide(who, {path, rest}, right, way).verdict;
}

}  // namespace postern::proftpd::testing
