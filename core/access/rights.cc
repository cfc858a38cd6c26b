#include "core/access/rights.h"

#include <array>

namespace postern::access {
namespace {
constexpr std::array<std::string_view, kRightCount> kNames = {
    "list", "read", "create", "overwrite", "delete", "rename", "mkdir", "rmdir", "chmod"};
}  // namespace

std::string_view NameOf(Right right) {
  return kNames[static_cast<size_t>(right)];
}

std::optional<Right> ParseRight(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Right>(i);
  }
  return std::nullopt;
}

std::string Format(Rights rights) {
  std::string text;
  for (int i = 0; i < kRightCount; ++i) {
    if (!rights.Has(static_cast<Right>(i))) continue;
    if (!text.empty()) text += ", ";
    text += kNames[static_cast<size_t>(i)];
  }
  return text;
}

std::string_view NameOf(Depth depth) {
  return depth == Depth::kThis ? "this" : "subtree";
}

std::optional<Depth> ParseDepth(std::string_view text) {
  if (text == "this") return Depth::kThis;
  if (text == "subtree") return Depth::kSubtree;
  return std::nullopt;
}

std::string Format(const Subject& subject) {
  switch (subject.type) {
    case Subject::Type::kAccount:
      return "account:" + subject.name;
    case Subject::Type::kGroup:
      return "group:" + subject.name;
    case Subject::Type::kEveryone:
      return "everyone";
  }
  return "";
}

std::optional<Subject> ParseSubject(std::string_view text) {
  if (text == "everyone") return Subject{Subject::Type::kEveryone, ""};
  for (auto [prefix, type] : {std::pair{std::string_view("account:"), Subject::Type::kAccount},
                              std::pair{std::string_view("group:"), Subject::Type::kGroup}}) {
    if (text.starts_with(prefix) && text.size() > prefix.size()) {
      return Subject{type, std::string(text.substr(prefix.size()))};
    }
  }
  return std::nullopt;
}

bool IsWithin(std::string_view path, std::string_view ancestor) {
  if (ancestor == "/") return true;
  if (!path.starts_with(ancestor)) return false;
  return path.size() == ancestor.size() || path[ancestor.size()] == '/';
}

std::string_view ParentOf(std::string_view path) {
  if (path.size() <= 1) return "";
  const size_t slash = path.rfind('/');
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

}  // namespace postern::access
