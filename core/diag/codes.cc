#include "core/diag/codes.h"

#include <algorithm>
#include <vector>

namespace postern::diag {
namespace {

std::vector<CodePage> Gather() {
  std::vector<CodePage> all;
  for (const auto pages : {internal::InputCodes(), internal::TargetCodes(), internal::PlanCodes(),
                           internal::JobCodes(), internal::DeliveryCodes(), internal::ExportCodes(),
                           internal::ImportCodes()}) {
    all.insert(all.end(), pages.begin(), pages.end());
  }
  std::sort(all.begin(), all.end(),
            [](const CodePage& a, const CodePage& b) { return a.code < b.code; });
  return all;
}

std::string Indented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    out += "    ";
    out += text.substr(0, end);
    out += '\n';
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

}  // namespace

std::span<const CodePage> AllCodes() {
  static const std::vector<CodePage> all = Gather();
  return all;
}

const CodePage* FindCode(std::string_view code) {
  std::string upper(code);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  const auto all = AllCodes();
  const auto at =
      std::lower_bound(all.begin(), all.end(), std::string_view(upper),
                       [](const CodePage& p, std::string_view c) { return p.code < c; });
  return at != all.end() && at->code == upper ? &*at : nullptr;
}

std::string RenderPage(const CodePage& page) {
  std::string out(page.code);
  out += ": ";
  out += page.title;
  out += "\n\n";
  out += page.meaning;
  out += "\n\nExample\n";
  out += Indented(page.example);
  out += "\nWay out\n";
  out += Indented(page.way_out);
  return out;
}

}  // namespace postern::diag
