#include "core/view/apply_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/object/spelling.h"
#include "core/view/plan_json.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using apply::Report;
using apply::StepResult;
using apply::StepState;
using plan::Plan;

constexpr size_t kBarWidth = 20;
constexpr std::chrono::milliseconds kRedraw{100}, kTick{500};

std::string Capital(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 32);
  return out;
}

const std::string& TargetOf(const Plan& plan, const plan::Step& step) {
  return plan.targets[plan.changes[step.change].target].name;
}

// "failed: grant account:bea on /srv/a (subtree) at edge-ftp: permission denied", the same message
// once for each target.
Section TroubleSection(const Plan& plan, const Report& report, bool detail, const Style& style) {
  struct Trouble {
    std::string first;
    size_t count = 0;
    Paint paint = Paint::kLess;
  };
  std::map<std::tuple<std::string, std::string, StepState>, Trouble> troubles;
  for (size_t i = 0; i < report.steps.size(); ++i) {
    const StepResult& result = report.steps[i];
    if (result.state != StepState::kFailed && result.state != StepState::kUnknown) continue;
    const plan::Step& step = plan.steps[i];
    Trouble& trouble =
        troubles[{std::string(ShortTarget(TargetOf(plan, step))), result.message, result.state}];
    if (trouble.count++ == 0) {
      trouble.first = object::DescribeSpelled(
          step.operation.kind, step.operation.key,
          step.operation.after.empty() ? step.operation.before : step.operation.after);
    }
    if (result.state == StepState::kUnknown) trouble.paint = Paint::kWarn;
  }
  Section section;
  section.more = "causes: postern ledger show";
  for (const auto& [key, trouble] : troubles) {
    const auto& [target, message, state] = key;
    std::string text = fmt::format("{} on {}: {}", StateName(state), target, trouble.first);
    if (trouble.count > 1) text += fmt::format(" and {} more", Thousands(trouble.count - 1));
    if (!message.empty()) text += ": " + message;
    std::vector<std::string> lines;
    for (const std::string& piece : Wrap(Safe(text, style), style.width - 4)) {
      lines.push_back((lines.empty() ? "  " + Painted(trouble.paint, "!", style) + " " : "    ") +
                      piece);
    }
    section.blocks.push_back(std::move(lines));
    if (!detail && section.blocks.size() == kScreenLines) break;
  }
  return section;
}

// "5 accounts on edge, 3 users on corp"
std::string NotBegun(const Plan& plan, const Report& report) {
  std::map<std::pair<std::string_view, object::Kind>, size_t> counts;
  for (size_t i = 0; i < report.steps.size(); ++i) {
    if (report.steps[i].state != StepState::kWaiting) continue;
    const plan::Step& step = plan.steps[i];
    ++counts[{ShortTarget(TargetOf(plan, step)), step.operation.kind}];
  }
  std::string text;
  for (const auto& [where, count] : counts) {
    text += fmt::format("{}{} on {}", text.empty() ? "" : ", ", CountKind(count, where.second),
                        where.first);
  }
  return text;
}

std::string Verdict(const Plan& plan, const Report& report) {
  const size_t total = report.steps.size();
  if (report.complete()) {
    if (total == 0 && plan.held() == plan.changes.size()) return "Nothing was applied.";
    return total == 0 ? "Applied: only the ledger had something to note."
                      : fmt::format("Applied {}, each read back and as planned.",
                                    total == 1 ? "the one step" : "all " + Count(total, "step"));
  }
  std::string text = fmt::format("Applied {} of {}.", Thousands(report.done), Count(total, "step"));
  if (report.failed > 0) text += " Not done: " + Thousands(report.failed) + ".";
  if (report.unknown > 0) {
    text += fmt::format(" No confirmed outcome: {} (the next apply reads what became of {}).",
                        Thousands(report.unknown), report.unknown == 1 ? "it" : "them");
  }
  if (report.held > 0) text += " Held: " + Thousands(report.held) + ".";
  if (report.cancelled) text += " Stopped as asked";
  if (report.cancelled) text += report.not_begun == 0 ? "." : "; not begun: ";
  if (report.not_begun > 0) text += NotBegun(plan, report) + ".";
  return text;
}

// What can be said of people's access now. Only a removal that isn't confirmed leaves more than the
// plan wants, and never more than there was before (invariant A of the design).
std::string StateOfAccess(const Plan& plan, const Report& report) {
  size_t open = 0;
  for (size_t i = 0; i < report.steps.size(); ++i) {
    const StepState state = report.steps[i].state;
    const bool so = state == StepState::kDone || state == StepState::kAlreadySo;
    if (plan.steps[i].removes && !so) ++open;
  }
  if (open == 0) return "People have less than planned, never more.";
  return fmt::format(
      "{} still open: until {} confirmed people may keep what they had; nobody has more than "
      "before "
      "or than planned.",
      open == 1 ? "1 revocation is" : Thousands(open) + " revocations are",
      open == 1 ? "it is" : "they are");
}

}  // namespace

std::string_view StateName(StepState state) {
  switch (state) {
    case StepState::kWaiting:
      return "not begun";
    case StepState::kDone:
      return "done";
    case StepState::kAlreadySo:
      return "already so";
    case StepState::kFailed:
      return "not done";
    case StepState::kUnknown:
      return "unknown";
    case StepState::kHeld:
      return "held";
  }
  return "";
}

ApplyProgress::ApplyProgress(const Plan& plan, bool terminal, Style style)
    : plan_(plan), terminal_(terminal), style_(style) {}

std::string ApplyProgress::Move(const apply::PhaseProgress& progress,
                                std::chrono::milliseconds now) {
  const auto& [phase, done, total, ended] = progress;
  if (total == 0) return "";
  const bool first = !bars_.contains(phase);
  Bar& bar = bars_[phase];
  if (first) bar.began = now;
  bar.done = done;
  bar.total = total;
  bar.now = now;
  bar.ended = ended;
  if (terminal_) {
    if (now - last_ < kRedraw && !first && !ended) return "";
    last_ = now;
    return Draw();
  }
  if (ended) {
    return fmt::format("{}: {} of {}, {}\n", Capital(plan::NameOf(phase)), Thousands(done),
                       Thousands(total), base::FormatDuration(now - bar.began));
  }
  if (!first || done == total) return "";  // all done before, by an earlier apply of this plan
  return fmt::format("{}: {} to do\n", Capital(plan::NameOf(phase)), Count(total, "step"));
}

std::string ApplyProgress::Tick(std::chrono::milliseconds now) {
  bool moved = false;
  for (auto& [phase, bar] : bars_) {
    if (bar.ended || bar.total == 0 || now - last_ < kTick) continue;
    bar.now = now;
    moved = true;
  }
  if (!terminal_ || !moved) return "";
  last_ = now;
  return Draw();
}

std::string ApplyProgress::Interject(std::string text) {
  drawn_ = 0;
  return text;
}

std::string ApplyProgress::Step(const plan::Step& step, const StepResult& result) {
  if (result.state != StepState::kFailed && result.state != StepState::kUnknown) return "";
  const std::string trouble =
      Safe(fmt::format(
               "{}: {}", ShortTarget(TargetOf(plan_, step)),
               result.message.empty() ? StateName(result.state) : std::string_view(result.message)),
           style_);
  bars_[step.phase].trouble = trouble;
  if (troubles_[trouble]++ > 0 || terminal_) return "";
  return Capital(plan::NameOf(step.phase)) + ": " + trouble + "\n";
}

std::string ApplyProgress::Draw() {
  std::string out;
  if (drawn_ > 0) out += fmt::format("\x1b[{}F", drawn_);
  drawn_ = 0;
  for (const auto& [phase, bar] : bars_) {
    if (bar.total == 0) continue;
    out += "\x1b[2K" + BarLine(phase, bar) + "\n";
    ++drawn_;
  }
  return out;
}

std::string ApplyProgress::BarLine(plan::Phase phase, const Bar& bar) const {
  const size_t full = bar.total == 0 ? 0 : bar.done * kBarWidth / bar.total;
  std::string drawn;
  for (size_t i = 0; i < kBarWidth; ++i) drawn += i < full ? style_.full() : style_.blank();
  const std::string line =
      fmt::format("{:<10} {} {:<9} {:>7}   {}", Capital(plan::NameOf(phase)), drawn,
                  fmt::format("{}/{}", Thousands(bar.done), Thousands(bar.total)),
                  base::FormatDuration(bar.now - bar.began), bar.trouble);
  std::string cut = Cut(line, style_.width - 1, style_);
  cut.erase(cut.find_last_not_of(' ') + 1);
  return cut;
}

std::string ApplyProgress::Finish() {
  return terminal_ && !bars_.empty() ? Draw() : "";
}

std::string RenderReport(const Plan& plan, const Report& report, const std::string& again,
                         int exit_code, bool detail, const Style& style) {
  std::string out;
  for (const std::string& line : Wrap(Verdict(plan, report), style.width)) out += line + "\n";
  Section held;
  held.more = "held: postern ledger show";
  for (const std::string& because : report.held_because) {
    std::vector<std::string> lines;
    for (const std::string& piece : Wrap(Safe(because, style), style.width - 4)) {
      lines.push_back((lines.empty() ? "  " + Painted(Paint::kWarn, "~", style) + " " : "    ") +
                      piece);
    }
    held.blocks.push_back(std::move(lines));
    if (!detail && held.blocks.size() == kScreenLines) break;
  }
  held.unseen = report.held_because.size() - held.blocks.size();
  const size_t room = detail ? 0 : kScreenLines - 8;
  PrintSections({TroubleSection(plan, report, detail, style), held}, room, &out);
  if (!report.complete()) {
    const std::string rest = fmt::format("{} Nothing needs cleaning up: `{}` goes on.",
                                         StateOfAccess(plan, report), again);
    for (const std::string& line : Wrap(rest, style.width)) out += line + "\n";
  }
  if (plan.held() > 0) {
    const std::string rest =
        fmt::format("{} still held: postern plan says why.",
                    Count(plan.held(), "change") + (plan.held() == 1 ? " is" : " are"));
    for (const std::string& line : Wrap(rest, style.width)) out += line + "\n";
  }
  if (report.generation != 0)
    out += fmt::format("Generation {} stands.\n", Thousands(report.generation));
  if (exit_code != 0) out += fmt::format("Exit {}.\n", exit_code);
  return out;
}

void WriteReportJson(const Plan& plan, const Report& report, int exit_code, std::ostream& out) {
  JsonWriter json(out);
  json.Object().Field("format_version", "1.0").Field("plan", plan::ShortName(plan));
  json.Field("intent", base::Hex(plan.intent)).Field("apply", report.apply);
  json.Field("generation", report.generation).Field("complete", report.complete());
  json.Field("steps", report.steps.size()).Field("done", report.done);
  json.Field("failed", report.failed).Field("unknown", report.unknown);
  json.Field("held", report.held).Field("not_begun", report.not_begun);
  json.Field("cancelled", report.cancelled);
  json.Strings("held_because", report.held_because);
  json.Key("not_done").Array();
  for (size_t i = 0; i < report.steps.size(); ++i) {
    const StepResult& result = report.steps[i];
    if (result.state == StepState::kDone || result.state == StepState::kAlreadySo) continue;
    const plan::Step& step = plan.steps[i];
    json.Object().Field("step", step.id);
    WriteAddress(json, TargetOf(plan, step), step.operation.kind, step.operation.key);
    json.Field("phase", plan::NameOf(step.phase)).Field("state", StateName(result.state));
    json.Optional("message", result.message).End();
  }
  json.End().Field("exit_code", exit_code).End();
}

}  // namespace postern::view
