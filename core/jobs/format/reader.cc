#include "core/jobs/format/reader.h"

#include "core/jobs/format/intake.h"
#include "core/jobs/format/writer.h"

namespace postern::jobs {

Result<Report> Read(const Shape& shape, const ReadOptions& options, const Source& source,
                    const std::string& name, Taker* taker) {
  const std::string fault = internal::ShapeFault(shape);
  if (!fault.empty()) return Fail(ErrorCode::kInvalid, name + ": " + fault);
  if (options.limits.rows > kMostRows) {
    return Fail(ErrorCode::kInvalid,
                name + ": a limit of more than " + std::to_string(kMostRows) + " rows");
  }
  Report report;
  internal::Verdict verdict(name, &report);
  internal::Decoder decoder(source, shape.encoding, options.limits.bytes, &verdict);
  internal::Gate gate(shape, options, &verdict, taker);
  switch (shape.format) {
    case Format::kCsv:
      internal::ReadCsv(&decoder, &gate);
      break;
    case Format::kXml:
      internal::ReadXml(&decoder, &gate);
      break;
    case Format::kJson:
      internal::ReadJson(&decoder, &gate);
      break;
    case Format::kJsonLines:
      internal::ReadJsonLines(&decoder, &gate);
      break;
    case Format::kLdif:
      internal::ReadLdif(&decoder, &gate);
      break;
  }
  gate.Finish();
  return report;
}

}  // namespace postern::jobs
