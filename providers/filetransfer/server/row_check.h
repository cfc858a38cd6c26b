// providers/filetransfer/server/row_check.h: may an operation go on, given what is live? Pure.
#pragma once
#include <string>

#include "core/object/target.h"

namespace postern::filetransfer {

struct RowCheck {
  bool go_on = false;
  object::Status status = object::Status::kPreconditionFailed;  // when it doesn't go on
  std::string message;
};

// `live`: null when absent. `after`: operation.after without what was found equal by other means (a
// password that opens the stored hash). `differs`: something differs that bodies don't show.
// Already so counts before the expectation: a repeated operation finds its own work.
RowCheck CheckRow(const object::Operation& operation, const object::Object* live,
                  std::string_view after, bool differs = false);

}  // namespace postern::filetransfer
