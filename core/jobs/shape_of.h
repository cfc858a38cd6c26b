// core/jobs/shape_of.h: a declared file format as what writer and reader take. Pure; any thread.
#pragma once
#include <string>

#include "core/jobs/format/writer.h"
#include "schemas/job_declarations.pb.h"

namespace postern::jobs {

// Fills all but the columns and the mode. Empty, or what can't be: values that are not of a fixed
// list, such as a delimiter of two characters.
std::string TakeFormat(const decl::FileFormat& declared, Shape* shape, WriterOptions* options);

}  // namespace postern::jobs
