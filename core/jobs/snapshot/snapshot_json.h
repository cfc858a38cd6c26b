// core/jobs/snapshot/snapshot_json.h: one object <-> its fields as JSON. Internal to snapshot.
#pragma once
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/object/object.h"

namespace postern::jobs {

inline constexpr int kSnapshotVersion = 1;

// Without secrets.
std::string FieldsJson(const object::ObjectView& object);
// kInvalid: no such field, or a value that it can't have.
Result<object::Object> ObjectOfJson(object::Kind kind, std::string_view fields);

}  // namespace postern::jobs
