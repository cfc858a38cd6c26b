// bench_import FILE: reads a roster as an import does, with every check of its columns: an import's
// work up to matching. Prints what was taken. measure.py makes the file and runs the peer.
#include <cstdio>

#include "core/jobs/format/reader.h"

namespace {

using postern::jobs::Type;

class Counter : public postern::jobs::Taker {
 public:
  void Take(const postern::jobs::Row& row, uint64_t) override {
    for (const auto& cell : row.cells) bytes += cell.text.size();
  }
  void Reject(const postern::jobs::Rejection& rejection) override {
    std::fprintf(stderr, "line %lu: %s\n", rejection.line, rejection.reason.c_str());
  }
  uint64_t bytes = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  postern::jobs::Shape shape;
  shape.columns = {
      {.name = "ID", .key = true, .pattern = "[A-Z][0-9]{7}"},
      {.name = "GIVEN", .required = true, .max_length = 40},
      {.name = "FAMILY", .required = true, .max_length = 40},
      {.name = "MAIL", .required = true, .max_length = 100},
      {.name = "DEPT", .max_length = 40},
      {.name = "TITLE", .max_length = 40},
      {.name = "PHONE", .max_length = 20},
      {.name = "UNTIL", .type = Type::kTime},
  };
  const auto source = postern::jobs::OpenSource(argv[1]);
  if (!source) return 1;
  Counter counter;
  const auto report = postern::jobs::Read(shape, {}, *source, argv[1], &counter);
  if (!report || report->refused || report->rejected > 0) return 1;
  std::printf("%lu rows, %lu bytes of values\n", report->rows, counter.bytes);
  return 0;
}
