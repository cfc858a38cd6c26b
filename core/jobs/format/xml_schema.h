// core/jobs/format/xml_schema.h: what an XML file of rows looks like, for whoever receives it.
//
// W3C XML Schema 1.0 of exactly what the writer of that shape writes: elements in their order,
// which may be missing or empty, the operations of a delta. Pure; any thread.
#pragma once
#include <string>

#include "core/jobs/format/table.h"

namespace postern::jobs {

std::string XmlSchemaOf(const Shape& shape);

}  // namespace postern::jobs
