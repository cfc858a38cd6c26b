// core/config/wording.h: words for what the loader says about values. Internal to reader.cc.
#pragma once
#include <fmt/format.h>
#include <toml++/toml.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/tables.h"

namespace postern::config {

inline std::string Join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

// "a host", "an account"
inline std::string WithArticle(std::string_view noun) {
  constexpr std::string_view kVowels = "aeiou";
  const bool an = kVowels.find(noun[0]) != std::string_view::npos && noun != "user";
  return fmt::format("{} {}", an ? "an" : "a", noun);
}

// "a person, a partner or a user"
inline std::string Choice(const std::vector<std::string>& nouns) {
  std::string out;
  for (size_t i = 0; i < nouns.size(); ++i) {
    if (i > 0) out += i + 1 == nouns.size() ? " or " : ", ";
    out += WithArticle(nouns[i]);
  }
  return out;
}

inline std::string_view Expected(ValueType type) {
  switch (type) {
    case ValueType::kText:
      return "text in double quotes";
    case ValueType::kBool:
      return "true or false";
    case ValueType::kNumber:
      return "a whole number";
    case ValueType::kInstant:
      return "a date or a time, without quotes";
    case ValueType::kTexts:
      return "a list of texts, such as [\"a\", \"b\"]";
    case ValueType::kTables:
      return "a list of texts and inline tables, such as [\"a\", { key = \"b\" }]";
    case ValueType::kTable:
      return "an inline table, such as { key = value }";
  }
  return "another value";
}

inline std::string_view NameOf(toml::node_type type) {
  switch (type) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
      return "a number";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time of day";
    case toml::node_type::date_time:
      return "a time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

inline int64_t SecondsOf(const toml::date& date) {
  using namespace std::chrono;
  const year_month_day day{year{date.year}, month{date.month}, std::chrono::day{date.day}};
  return duration_cast<seconds>(sys_days(day).time_since_epoch()).count();
}

}  // namespace postern::config
