#include "cmd/postern/progress.h"

#include <fmt/format.h>

#include "core/view/words.h"

namespace postern::cmd {

constexpr std::chrono::milliseconds kPatience{1'000};
constexpr std::chrono::milliseconds kRedraw{200};
constexpr const char* kWipe = "\r\x1b[2K";

StatusLine::StatusLine(Shell& shell, std::function<std::string()> text)
    : shell_(shell), text_(std::move(text)) {
  if (shell_.err_terminal() && !shell_.globals.quiet) ticker_.emplace(kRedraw, [this] { Draw(); });
}

StatusLine::~StatusLine() {
  ticker_.reset();
  if (on_screen_) shell_.Note(kWipe);
}

void StatusLine::Draw() {
  const auto took = Clock::now() - began_;
  if (took < kPatience) return;
  const view::Style& style = shell_.err_style();
  const std::string text = fmt::format(
      "{}  {} s", text_(), std::chrono::duration_cast<std::chrono::seconds>(took).count());
  shell_.Note(kWipe + view::Cut(view::Safe(text, style), style.width - 1, style));
  on_screen_ = true;
}

ObserveProgress::ObserveProgress(Shell& shell, const std::vector<std::string>& targets)
    : shell_(shell), line_(shell, [this] { return Text(); }) {
  const std::lock_guard lock(mutex_);
  for (const std::string& target : targets) targets_[target];
}

void ObserveProgress::Report(const std::string& target, const observe::Seen& seen) {
  const std::lock_guard lock(mutex_);
  targets_[target] = seen;
  if (!seen.done || shell_.err_terminal() || Clock::now() - began_ < kPatience) return;
  shell_.Note(fmt::format("observed {}: {}\n",
                          view::Safe(view::ShortTarget(target), shell_.err_style()),
                          view::Count(seen.objects, "object")));
}

std::string ObserveProgress::Text() {
  const std::lock_guard lock(mutex_);
  uint64_t objects = 0, doubtful = 0, asked = 0;
  std::vector<std::string> waiting;
  for (const auto& [target, seen] : targets_) {
    objects += seen.objects;
    if (seen.done) continue;
    doubtful += seen.doubtful;
    asked += seen.asked;
    waiting.emplace_back(view::ShortTarget(target));
  }
  std::string text = "Observing: " + view::Count(objects, "object");
  if (doubtful > 0) {
    text += fmt::format(", asked for {} of {}", asked, view::Count(doubtful, "missing object"));
  }
  if (!waiting.empty()) text += ", waiting for " + view::Some(waiting, 3);
  return text;
}

}  // namespace postern::cmd
