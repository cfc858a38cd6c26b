#include "cmd/postern/progress.h"

#include <fmt/format.h>

#include "core/view/words.h"

namespace postern::cmd {

constexpr std::chrono::milliseconds kPatience{1'000};
constexpr std::chrono::milliseconds kRedraw{200};

void ObserveProgress::Report(const std::string& target, uint64_t objects, bool done) {
  const std::lock_guard lock(mutex_);
  targets_[target] = {objects, done};
  const auto now = Clock::now();
  if (now - began_ < kPatience) return;
  if (shell_.err_terminal()) {
    if (!done && now - drawn_ < kRedraw) return;
    drawn_ = now;
    Draw();
  } else if (done) {
    shell_.Note(fmt::format("observed {}: {}\n",
                            view::Safe(view::ShortTarget(target), shell_.err_style()),
                            view::Count(objects, "object")));
  }
}

void ObserveProgress::Draw() {
  uint64_t objects = 0;
  std::vector<std::string> waiting;
  for (const auto& [target, state] : targets_) {
    objects += state.objects;
    if (!state.done) waiting.emplace_back(view::ShortTarget(target));
  }
  std::string text = "Observing: " + view::Count(objects, "object");
  if (!waiting.empty()) text += ", waiting for " + view::Some(waiting, 3);
  const view::Style& style = shell_.err_style();
  shell_.Note("\r\x1b[2K" + view::Cut(view::Safe(text, style), style.width - 1, style));
  on_screen_ = true;
}

void ObserveProgress::Finish() {
  const std::lock_guard lock(mutex_);
  if (on_screen_) shell_.Note("\r\x1b[2K");
  on_screen_ = false;
}

}  // namespace postern::cmd
