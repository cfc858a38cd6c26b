#include "core/jobs/shape_of.h"

#include <iterator>
#include <utility>

namespace postern::jobs {
namespace {

template <class T, size_t N>
T Chosen(const std::pair<const char*, T> (&table)[N], const std::string& text, T otherwise) {
  for (const auto& [name, value] : table) {
    if (text == name) return value;
  }
  return otherwise;
}

constexpr std::pair<const char*, Format> kFormats[] = {{"csv", Format::kCsv},
                                                       {"xml", Format::kXml},
                                                       {"json", Format::kJson},
                                                       {"jsonl", Format::kJsonLines},
                                                       {"ldif", Format::kLdif}};
constexpr std::pair<const char*, Encoding> kEncodings[] = {
    {"utf-8", Encoding::kUtf8},        {"utf-8-bom", Encoding::kUtf8Bom},
    {"iso-8859-1", Encoding::kLatin1}, {"windows-1252", Encoding::kWindows1252},
    {"utf-16le", Encoding::kUtf16Le},  {"utf-16be", Encoding::kUtf16Be}};
constexpr std::pair<const char*, FormulaGuard> kGuards[] = {{"off", FormulaGuard::kOff},
                                                            {"quote", FormulaGuard::kQuote},
                                                            {"reject", FormulaGuard::kReject}};

}  // namespace

std::string TakeFormat(const decl::FileFormat& declared, Shape* shape, WriterOptions* options) {
  shape->format = Chosen(kFormats, declared.type(), Format::kCsv);
  shape->encoding = Chosen(kEncodings, declared.encoding(), Encoding::kUtf8);
  options->formula_guard = Chosen(kGuards, declared.formula_guard(), FormulaGuard::kReject);
  options->quote_all = declared.quote() == "all";
  options->crlf = declared.eol() != "lf";
  options->replace_unmappable = declared.on_unmappable() == "replace";
  if (declared.has_header()) shape->header = declared.header();
  if (declared.has_root()) shape->root = declared.root();
  if (declared.has_element()) shape->element = declared.element();
  if (declared.has_operation()) shape->operation = declared.operation();
  if (!declared.has_delimiter()) return {};
  if (declared.delimiter().size() != 1) return "`delimiter` is one ASCII character";
  shape->delimiter = declared.delimiter().front();
  return {};
}

}  // namespace postern::jobs
