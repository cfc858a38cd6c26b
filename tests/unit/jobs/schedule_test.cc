// When jobs run: fields of cron, changes of clocks, missed runs; held against systemd.
#include <gmock/gmock.h>

#include <functional>
#include <set>

#include "core/jobs/schedule/schedule.h"
#include "core/jobs/schedule/units.h"
#include "tests/support/command.h"
#include "tests/support/scratch.h"

namespace postern::jobs {
namespace {

using support::RunCommand;
using testing::ElementsAre;
using testing::HasSubstr;

Schedule Make(const std::string& cron, const std::string& zone = "UTC") {
  diag::Diagnostics diagnostics;
  const auto schedule = ParseSchedule(cron, zone, "export.erp", &diagnostics);
  EXPECT_TRUE(schedule) << cron << " " << zone;
  return schedule ? *schedule : Schedule{};
}

std::string Fault(const std::string& cron, const std::string& zone = "UTC") {
  diag::Diagnostics diagnostics;
  EXPECT_FALSE(ParseSchedule(cron, zone, "export.erp", &diagnostics)) << cron;
  const diag::Diagnostic& first = diagnostics.all().front();
  return first.code + " " + first.subject + ": " + first.summary;
}

base::Instant At(const std::string& text) {
  const auto at = base::ParseInstant(text);
  EXPECT_TRUE(at) << text;
  return at.value_or(0);
}

std::vector<std::string> Next(const Schedule& schedule, const std::string& after, size_t count) {
  std::vector<std::string> out;
  for (const auto slot : NextSlots(schedule, At(after), count)) {
    out.push_back(base::FormatInstant(slot));
  }
  return out;
}

TEST(Cron, Fields) {
  EXPECT_THAT(Next(Make("30 2 * * mon-fri"), "2026-01-01", 3),
              ElementsAre("2026-01-01T02:30:00Z", "2026-01-02T02:30:00Z", "2026-01-05T02:30:00Z"));
  EXPECT_THAT(Next(Make("*/20 8-9 1 jan,JUL *"), "2026-01-01T08:10:00Z", 6),
              ElementsAre("2026-01-01T08:20:00Z", "2026-01-01T08:40:00Z", "2026-01-01T09:00:00Z",
                          "2026-01-01T09:20:00Z", "2026-01-01T09:40:00Z", "2026-07-01T08:00:00Z"));
  EXPECT_THAT(Next(Make("0 0 * * 7"), "2026-01-01", 2),
              ElementsAre("2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"));
  // Two restricted day fields are joined by "or"; with a star in one, by "and".
  EXPECT_THAT(Next(Make("0 0 13 * fri"), "2026-02-05", 4),
              ElementsAre("2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z",
                          "2026-02-27T00:00:00Z"));
  EXPECT_THAT(Next(Make("0 0 */2 * mon"), "2026-02-01", 3),
              ElementsAre("2026-02-09T00:00:00Z", "2026-02-23T00:00:00Z", "2026-03-09T00:00:00Z"));
  EXPECT_THAT(Next(Make("0 0 29 2 *"), "2096-03-01", 1), ElementsAre("2104-02-29T00:00:00Z"));
  EXPECT_THAT(Next(Make("0 0 30 2 *"), "2026-01-01", 1), ElementsAre());
}

TEST(Cron, WhatIsRefused) {
  EXPECT_EQ(Fault("30 2 * *"), "E0831 export.erp: \"30 2 * *\": 4 fields where cron has 5");
  EXPECT_EQ(Fault("60 2 * * *"), "E0831 export.erp: \"60 2 * * *\": minute: 60 isn't 0 to 59");
  for (const char* bad : {"x * * * *", "1-70 * * * *", "5-2 * * * *", "*/0 * * * *", "5/10 * * * *",
                          "-1 * * * *", "1,,2 * * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
                          "* * * * mond", "*,5 * * * *", "@daily", "* * * * * *", ""}) {
    EXPECT_THAT(Fault(bad), HasSubstr("E0831")) << bad;
  }
  EXPECT_EQ(Fault("* * * * *", "Europe/Berlln"),
            "E0832 export.erp: there is no time zone \"Europe/Berlln\"");
  for (const char* bad :
       {"", "/etc/localtime", "../../etc/passwd", "localtime", "libc:localtime"}) {
    EXPECT_THAT(Fault("* * * * *", bad), HasSubstr("E0832")) << bad;
  }
}

TEST(Slots, ATimeThatDoesntExistRunsAfterTheGap) {
  EXPECT_THAT(Next(Make("30 2 * * *", "Europe/Berlin"), "2027-03-27", 3),
              ElementsAre("2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"));
  // All that the gap swallows is one run, together with the one that stands at its end.
  EXPECT_THAT(Next(Make("*/15 * * * *", "Europe/Berlin"), "2027-03-28T00:30:00Z", 3),
              ElementsAre("2027-03-28T00:45:00Z", "2027-03-28T01:00:00Z", "2027-03-28T01:15:00Z"));
  // Half an hour at Lord Howe, midnight at Beirut, a whole day at Apia.
  EXPECT_THAT(Next(Make("10 2 * * *", "Australia/Lord_Howe"), "2026-10-02T16:00:00Z", 2),
              ElementsAre("2026-10-03T15:30:00Z", "2026-10-04T15:10:00Z"));
  EXPECT_THAT(Next(Make("0 0 * * *", "Asia/Beirut"), "2026-03-28T00:00:00Z", 2),
              ElementsAre("2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"));
  EXPECT_THAT(Next(Make("0 12 * * *", "Pacific/Apia"), "2011-12-29T00:00:00Z", 3),
              ElementsAre("2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"));
}

TEST(Slots, ATimeThatComesTwiceRunsTheFirstTimeOnly) {
  EXPECT_THAT(Next(Make("30 2 * * *", "Europe/Berlin"), "2026-10-24", 3),
              ElementsAre("2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"));
  EXPECT_THAT(Next(Make("*/30 * * * *", "Europe/Berlin"), "2026-10-25T00:00:00Z", 3),
              ElementsAre("2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z"));
}

TEST(Slots, BeyondTheTableOfTransitions) {
  EXPECT_THAT(Next(Make("30 12 * * *", "Europe/Berlin"), "2060-07-01", 1),
              ElementsAre("2060-07-01T10:30:00Z"));
}

// systemd's own list for the same fields: instants of "Next elapse" and "Iter." lines.
std::vector<base::Instant> SystemdSlots(const std::string& calendar, base::Instant after) {
  support::RunOptions options;
  options.env = {{"TZ", "UTC"}};
  const auto told = RunCommand(
      {"systemd-analyze", "calendar", "--iterations=20",
       FormatLocal("--base-time=%Y-%m-%d %H:%M:%S UTC", after, absl::UTCTimeZone()), calendar},
      options);
  EXPECT_EQ(told.exit, 0) << calendar << told.err;
  std::vector<base::Instant> slots;
  for (size_t at = 0; at < told.out.size();) {
    const std::string line = told.out.substr(at, told.out.find('\n', at) - at);
    at += line.size() + 1;
    if (line.find("elapse:") == std::string::npos && line.find("Iter.") == std::string::npos)
      continue;
    // "... Sat 2027-03-27 01:30:00 UTC"
    const size_t end = line.rfind(" UTC");
    EXPECT_NE(end, std::string::npos) << line;
    slots.push_back(At(line.substr(end - 19, 10) + "T" + line.substr(end - 8, 8) + "Z"));
  }
  return slots;
}

// The second passing of a local time.
bool IsRepeat(const Zone& zone, base::Instant at) {
  const auto info = zone.At(zone.At(absl::FromUnixSeconds(at)).cs);
  return info.kind == Zone::TimeInfo::REPEATED && absl::ToUnixSeconds(info.pre) != at;
}

// The next 20 runs over both changes of a year, in four zones: where the rules are the same (no
// gap, first of two), systemd says the same; in gaps we run where systemd doesn't.
TEST(Slots, AgreeWithSystemd) {
  size_t gaps = 0, compared = 0;
  for (const char* zone :
       {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Auckland"}) {
    for (const char* cron : {"30 2 * * *", "15 2 * * *", "0 3 * * *", "30 1 * * mon-sat",
                             "*/20 1-3 * * *", "10 */2 1-15 * *", "45 1,2 * mar-nov sun"}) {
      const Schedule schedule = Make(cron, zone);
      ASSERT_EQ(OnCalendar(schedule).size(), 1u);
      for (const char* after :
           {"2027-03-12", "2027-03-26T20:00:00Z", "2027-04-02T12:00:00Z", "2027-09-24T12:00:00Z",
            "2027-10-01T12:00:00Z", "2027-10-29T20:00:00Z", "2027-11-05T20:00:00Z"}) {
        auto theirs = SystemdSlots(OnCalendar(schedule).front(), At(after));
        ASSERT_EQ(theirs.size(), 20u) << cron;
        const base::Instant last = theirs.back();
        std::erase_if(theirs, [&](base::Instant at) { return IsRepeat(schedule.zone, at); });
        auto ours = NextSlots(schedule, At(after), 40);
        std::erase_if(ours, [&](base::Instant at) { return at > last; });
        const auto extra = GapSlots(schedule, At(after), last);
        gaps += extra.size();
        for (const base::Instant slot : extra) {
          EXPECT_EQ(std::count(ours.begin(), ours.end(), slot), 1) << base::FormatInstant(slot);
          std::erase(ours, slot);
        }
        EXPECT_EQ(ours, theirs) << cron << " " << zone << " " << after;
        compared += ours.size();
      }
    }
  }
  EXPECT_GT(gaps, 10u);
  EXPECT_GT(compared, 3000u);
}

TEST(Slots, CatchUpAfterThreeMissed) {
  const Schedule schedule = Make("0 * * * *");
  const base::Instant last = At("2026-05-01T10:00:00Z"), now = At("2026-05-01T13:20:00Z");
  const base::Instant at11 = At("2026-05-01T11:00:00Z"), at12 = At("2026-05-01T12:00:00Z"),
                      at13 = At("2026-05-01T13:00:00Z");
  const auto due = [&](CatchUp mode, std::chrono::seconds grace = std::chrono::minutes(5)) {
    return DueSlots(schedule, last, now, mode, grace);
  };
  EXPECT_THAT(due(CatchUp::kAll).run, ElementsAre(at11, at12, at13));
  EXPECT_THAT(due(CatchUp::kAll).missed, ElementsAre());
  EXPECT_THAT(due(CatchUp::kLatest).run, ElementsAre(at13));
  EXPECT_THAT(due(CatchUp::kLatest).missed, ElementsAre(at11, at12));
  EXPECT_THAT(due(CatchUp::kNone).run, ElementsAre());
  EXPECT_THAT(due(CatchUp::kNone).missed, ElementsAre(at11, at12, at13));
  EXPECT_THAT(due(CatchUp::kNone, std::chrono::minutes(30)).run, ElementsAre(at13));
  // Woken on time, and woken once too often.
  EXPECT_THAT(DueSlots(schedule, at12, at13, CatchUp::kNone, std::chrono::seconds(0)).run,
              ElementsAre(at13));
  EXPECT_TRUE(DueSlots(schedule, at13, now, CatchUp::kAll, std::chrono::seconds(0)).run.empty());
}

TEST(Slots, ALongAbsenceComesInParts) {
  const Schedule schedule = Make("* * * * *");
  base::Instant last = At("2026-05-01");
  const base::Instant now = At("2026-05-02");
  size_t run = 0;
  for (;;) {
    const Due due = DueSlots(schedule, last, now, CatchUp::kAll, std::chrono::seconds(0), 500);
    run += due.run.size();
    if (!due.run.empty()) last = due.run.back();
    if (!due.more) break;
  }
  EXPECT_EQ(run, 1440u);
  const Due latest =
      DueSlots(schedule, At("2026-05-01"), now, CatchUp::kLatest, std::chrono::seconds(0), 500);
  EXPECT_TRUE(latest.run.empty());
  EXPECT_EQ(latest.missed.size(), 500u);
  EXPECT_TRUE(latest.more);
}

TEST(Slots, JitterIsFixedForAJobAndSlot) {
  const std::chrono::seconds most(120);
  std::set<int64_t> seen;
  for (base::Instant slot = 0; slot < 200 * 3600; slot += 3600) {
    const auto jitter = Jitter("erp", slot, most);
    EXPECT_EQ(jitter, Jitter("erp", slot, most));
    EXPECT_GE(jitter.count(), 0);
    EXPECT_LE(jitter, most);
    seen.insert(jitter.count());
  }
  EXPECT_GT(seen.size(), 50u);
  EXPECT_EQ(Jitter("erp", 0, std::chrono::seconds(0)).count(), 0);
}

JobUnit Unit() {
  return {"erp-users",
          "postern",
          {"/usr/bin/true", "job", "run", "erp-users", "50% \"$x\" it's"},
          At("2027-01-01"),
          std::chrono::seconds(120)};
}

TEST(Units, TimerNamesTheSlotsInGaps) {
  const auto timer = RenderTimer(Make("30 2 * * mon-fri,sun", "Europe/Berlin"), Unit());
  ASSERT_TRUE(timer);
  EXPECT_THAT(*timer,
              testing::StartsWith(
                  "# 30 2 * * mon-fri,sun in Europe/Berlin. Written by Postern; changes by "
                  "hand are drift.\n[Unit]\nDescription=Postern job erp-users\n\n[Timer]\n"
                  "Unit=postern-job-erp-users.service\n"
                  "OnCalendar=Sun,Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00 Europe/Berlin\n"
                  "# Times that clocks skip run at the first instant after the gap.\n"
                  "OnCalendar=2027-03-28 01:00:00 UTC\nOnCalendar=2028-03-26 01:00:00 UTC\n"));
  EXPECT_THAT(*timer, HasSubstr("OnCalendar=2036-03-30 01:00:00 UTC\nPersistent=true\n"));
  EXPECT_THAT(*timer, HasSubstr("RandomizedDelaySec=120s\nFixedRandomDelay=true\n"));
  EXPECT_EQ(*timer, *RenderTimer(Make("30 2 * * mon-fri,sun", "Europe/Berlin"), Unit()));
  EXPECT_THAT(OnCalendar(Make("0 1 13 * fri")),
              ElementsAre("*-*-13 01:00:00 UTC", "Fri *-*-* 01:00:00 UTC"));
}

TEST(Units, SystemdTakesThem) {
  for (const char* cron : {"30 2 * * mon-fri", "*/5 * * * *", "0 1 13 * fri", "0 0 */3 1-6 *"}) {
    const support::Scratch scratch;
    const auto timer = RenderTimer(Make(cron, "Europe/Berlin"), Unit());
    const auto service = RenderService(Unit());
    ASSERT_TRUE(timer && service);
    const std::string at = scratch.Write(TimerName(Unit()), *timer);
    const std::string beside = scratch.Write(ServiceName(Unit()), *service);
    const auto verified =
        RunCommand({"systemd-analyze", "verify", "--man=no", "--recursive-errors=no", at, beside});
    EXPECT_EQ(verified.exit, 0) << verified.err;
    EXPECT_EQ(verified.err, "");
  }
}

TEST(Units, QuoteWordsOfTheCommand) {
  const auto service = RenderService(Unit());
  ASSERT_TRUE(service);
  EXPECT_THAT(*service, HasSubstr("ExecStart=\"/usr/bin/true\" \"job\" \"run\" \"erp-users\" "
                                  "\"50%% \\\"$$x\\\" it's\"\n"));
  EXPECT_THAT(*service, HasSubstr("User=postern\n"));
  const auto line =
      RenderCronLine(Make("30 2 * * mon-fri", "Europe/Berlin"), Unit(), "Europe/Berlin");
  ASSERT_TRUE(line);
  EXPECT_THAT(*line, HasSubstr("\n30 02 * * 01,02,03,04,05 postern '/usr/bin/true' 'job' 'run' "
                               "'erp-users' '50\\% \"$x\" it'\\''s'\n"));
  // Elsewhere: whenever it can be that minute there.
  const auto other = RenderCronLine(Make("10 2 * * *", "Europe/Berlin"), Unit(), "Asia/Kathmandu");
  EXPECT_THAT(*other, HasSubstr("\n10,25,40,55 * * * * postern "));
}

TEST(Units, CronLineKeepsTheMeaning) {
  for (const char* cron :
       {"30 2 * * mon-fri", "*/7 1-3 */2 jan,mar sun", "0 0 13 * fri", "5 4 1-31 * mon"}) {
    const Schedule schedule = Make(cron, "Europe/Berlin");
    const auto line = RenderCronLine(schedule, Unit(), "Europe/Berlin");
    ASSERT_TRUE(line);
    const size_t begin = line->find('\n') + 1;
    const Schedule again =
        Make(line->substr(begin, line->find(" postern ") - begin), "Europe/Berlin");
    EXPECT_EQ(NextSlots(schedule, At("2027-01-01"), 300), NextSlots(again, At("2027-01-01"), 300));
  }
}

TEST(Units, RefuseWhatCantBeWritten) {
  const Schedule schedule = Make("* * * * *");
  for (const auto& spoil : std::vector<std::function<void(JobUnit*)>>{
           [](JobUnit* unit) { unit->job = "a/b"; }, [](JobUnit* unit) { unit->job = ""; },
           [](JobUnit* unit) { unit->user = "root\nExecStart=x"; },
           [](JobUnit* unit) { unit->command = {"true"}; },
           [](JobUnit* unit) { unit->command.clear(); },
           [](JobUnit* unit) { unit->command.push_back("a\nb"); }}) {
    JobUnit unit = Unit();
    spoil(&unit);
    EXPECT_FALSE(RenderTimer(schedule, unit));
    EXPECT_FALSE(RenderService(unit));
    EXPECT_FALSE(RenderCronLine(schedule, unit, "UTC"));
  }
}

}  // namespace
}  // namespace postern::jobs
