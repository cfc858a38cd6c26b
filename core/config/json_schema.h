// core/config/json_schema.h: what may be written, for editors and for readers.
//
// Made from the same tables as the loader, so neither can say anything that the other doesn't.
// Pure; any thread.
#pragma once
#include <string>
#include <string_view>

namespace postern::config {

// JSON Schema 2020-12 of one file: the operator's, or one of the reviewed tree. Indented by two.
std::string JsonSchema(bool operator_file);

// The keys of a table as text for people; of all tables of both files when `table` is empty. Empty
// when there is no such table.
std::string Reference(std::string_view table = {});

}  // namespace postern::config
