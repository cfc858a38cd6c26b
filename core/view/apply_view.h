// core/view/apply_view.h: how an apply goes and what is true after it.
#pragma once
#include <chrono>
#include <map>
#include <ostream>
#include <string>

#include "core/apply/apply.h"
#include "core/view/style.h"

namespace postern::view {

// Progress of the phases. On a terminal the bars are drawn over themselves; elsewhere each phase
// says one line when it begins and one when it ends. Not thread-safe: the caller holds a lock.
class ApplyProgress {
 public:
  ApplyProgress(const plan::Plan& plan, bool terminal, Style style);

  // What to print now; may be empty. `now` is counted from any fixed moment.
  std::string Move(const apply::PhaseProgress& progress, std::chrono::milliseconds now);
  // Time goes by: the phase that runs is drawn again.
  std::string Tick(std::chrono::milliseconds now);
  // Another line among the drawing, which goes on below it.
  std::string Interject(std::string text);
  // A step that failed or is unknown: said at once, once for each target and message.
  std::string Step(const plan::Step& step, const apply::StepResult& result);
  // Ends the drawing.
  std::string Finish();

 private:
  struct Bar {
    size_t done = 0, total = 0;
    bool ended = false;
    std::chrono::milliseconds began{0}, now{0};
    std::string trouble;
  };
  std::string Draw();
  std::string BarLine(plan::Phase phase, const Bar& bar) const;

  const plan::Plan& plan_;
  const bool terminal_;
  const Style style_;
  std::map<plan::Phase, Bar> bars_;
  std::map<std::string, size_t> troubles_;
  size_t drawn_ = 0;
  std::chrono::milliseconds last_{-1'000};
};

// "Applied 20 of 23. Held: ..." `again`: the command that goes on with it.
std::string RenderReport(const plan::Plan& plan, const apply::Report& report,
                         const std::string& again, int exit_code, bool detail, const Style& style);
void WriteReportJson(const plan::Plan& plan, const apply::Report& report, int exit_code,
                     std::ostream& out);

std::string_view StateName(apply::StepState state);

}  // namespace postern::view
