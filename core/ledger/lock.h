// core/ledger/lock.h: one apply at a time.
//
// flock on a side file: it dies with its process, whatever ends it, and can't be left behind. The
// file's text says who holds it, for people only; the lock itself decides. Works among processes of
// one machine on a local disk; the file is never removed (removing it would let two hold "the"
// lock).
#pragma once
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/ledger/ledger.h"

namespace postern::ledger {

// kConflict names user, machine, process and start of the holder.
Result<std::unique_ptr<Lock>> LockFile(const std::string& path, const std::string& who);

}  // namespace postern::ledger
