// Five fields of cron, to sets of numbers.
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "core/diag/codes.h"
#include "core/jobs/schedule/schedule.h"

namespace postern::jobs {
namespace {

struct Field {
  const char* name;
  int low, high;
  std::string_view names;  // three letters each, from `first_name` on
  int first_name;
};

constexpr std::array<Field, 5> kFields = {
    {{"minute", 0, 59, "", 0},
     {"hour", 0, 23, "", 0},
     {"day of the month", 1, 31, "", 0},
     {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec", 1},
     {"day of the week", 0, 7, "sunmontuewedthufrisat", 0}}};

// A number or, where the field has them, a name.
std::optional<int> Value(const Field& field, std::string_view text) {
  int number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && at == end) {
    if (number < field.low || number > field.high || text.front() == '-') return {};
    return number;
  }
  if (text.size() != 3) return {};
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (size_t i = 0; i < field.names.size(); i += 3) {
    if (field.names.substr(i, 3) == lower) return field.first_name + static_cast<int>(i / 3);
  }
  return {};
}

// "*", "7", "mon-fri", "*/15", "8-18/2"
bool AddRange(const Field& field, std::string_view text, uint64_t* bits) {
  int step = 1;
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    const char* const end = number.data() + number.size();
    if (std::from_chars(number.data(), end, step).ptr != end || step < 1) return false;
    text = text.substr(0, slash);
  }
  std::optional<int> low = field.low, high = field.high;
  if (text != "*") {
    const size_t dash = text.find('-');
    low = Value(field, text.substr(0, dash));
    high = dash == std::string_view::npos ? low : Value(field, text.substr(dash + 1));
    // cron itself reads "5/10" as 5 alone, others as "from 5 on": nobody can mean it safely.
    if (dash == std::string_view::npos && slash != std::string_view::npos) return false;
  }
  if (!low || !high || *low > *high) return false;
  for (int i = *low; i <= *high; i += step) *bits |= uint64_t{1} << i;
  return true;
}

// A list of ranges; one with a star is a list alone, so that the star of a day field is
// unmistakable.
bool ParseField(const Field& field, std::string_view text, uint64_t* bits) {
  const bool list = text.find(',') != std::string_view::npos;
  if (list && text.find('*') != std::string_view::npos) return false;
  while (true) {
    const size_t comma = text.find(',');
    if (!AddRange(field, text.substr(0, comma), bits)) return false;
    if (comma == std::string_view::npos) return true;
    text = text.substr(comma + 1);
  }
}

std::vector<std::string_view> WordsOf(std::string_view text) {
  std::vector<std::string_view> words;
  for (;;) {
    const size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    words.push_back(text.substr(0, text.find_first_of(" \t")));
    text.remove_prefix(words.back().size());
  }
}

// Empty: parsed.
std::string ParseCron(std::string_view text, Cron* cron) {
  const auto words = WordsOf(text);
  if (words.size() != kFields.size()) {
    return fmt::format("{} fields where cron has 5", words.size());
  }
  std::array<uint64_t, 5> bits = {};
  for (size_t i = 0; i < kFields.size(); ++i) {
    if (ParseField(kFields[i], words[i], &bits[i])) continue;
    return fmt::format("{}: {} isn't {} to {}", kFields[i].name, words[i], kFields[i].low,
                       kFields[i].high);
  }
  constexpr uint64_t kSevenIsSunday = uint64_t{1} << 7;
  if ((bits[4] & kSevenIsSunday) != 0) bits[4] = (bits[4] & ~kSevenIsSunday) | 1;
  const auto star = [&](size_t field) {
    return words[field].front() == '*' ? std::string(words[field]) : std::string();
  };
  *cron = {bits[0],
           static_cast<uint32_t>(bits[1]),
           static_cast<uint32_t>(bits[2]),
           static_cast<uint32_t>(bits[3]),
           static_cast<uint32_t>(bits[4]),
           star(2),
           star(4)};
  return {};
}

}  // namespace

std::optional<Schedule> ParseSchedule(const std::string& cron, const std::string& zone,
                                      const std::string& subject, diag::Diagnostics* diagnostics) {
  Schedule schedule{cron, zone, {}, {}};
  const std::string fault = ParseCron(cron, &schedule.cron);
  if (!fault.empty()) {
    diagnostics->Add({.code = diag::code::kBadCron,
                      .summary = fmt::format("\"{}\": {}", cron, fault),
                      .subject = subject,
                      .notes = {"minute hour day month weekday, as \"30 2 * * mon-fri\""}});
  }
  const auto found = FindZone(zone);
  if (!found) {
    diagnostics->Add(
        {.code = diag::code::kUnknownZone,
         .summary = fmt::format("there is no time zone \"{}\"", zone),
         .subject = subject,
         .notes = {"zones have the names of tzdata, as \"Europe/Berlin\" or \"UTC\""}});
  }
  if (!fault.empty() || !found) return {};
  schedule.zone = *found;
  return schedule;
}

}  // namespace postern::jobs
