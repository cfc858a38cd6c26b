// How the parts of a plan are called, in JSON, events and texts.
#include "core/plan/plan.h"

namespace postern::plan {

std::string_view NameOf(Action action) {
  switch (action) {
    case Action::kCreate:
      return "create";
    case Action::kUpdate:
      return "update";
    case Action::kDelete:
      return "delete";
    case Action::kDisable:
      return "disable";
    case Action::kRename:
      return "rename";
    case Action::kReplace:
      return "replace";
    case Action::kAdopt:
      return "adopt";
    case Action::kRelease:
      return "release";
    case Action::kForget:
      return "forget";
    case Action::kEnd:
      return "end";
  }
  return "";
}

std::string_view NameOf(Reason reason) {
  switch (reason) {
    case Reason::kDeclared:
      return "declared";
    case Reason::kChanged:
      return "declaration changed";
    case Reason::kDrift:
      return "changed behind our back";
    case Reason::kRemoved:
      return "declaration removed";
    case Reason::kExpired:
      return "expired";
    case Reason::kForeign:
      return "declared nowhere";
    case Reason::kReplaced:
      return "re-created by other hands";
    case Reason::kRetention:
      return "retention is over";
    case Reason::kConsequence:
      return "follows from another change";
    case Reason::kFact:
      return "a source shows it otherwise";
  }
  return "";
}

std::string_view NameOf(Phase phase) {
  switch (phase) {
    case Phase::kVerify:
      return "verify";
    case Phase::kStop:
      return "stop";
    case Phase::kRevoke:
      return "revoke";
    case Phase::kStructure:
      return "structure";
    case Phase::kOpen:
      return "open";
    case Phase::kEnable:
      return "enable";
    case Phase::kRetire:
      return "retire";
  }
  return "";
}

}  // namespace postern::plan
