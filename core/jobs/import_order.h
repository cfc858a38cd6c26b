// core/jobs/import_order.h: whether a sender's file says something new.
//
// A full file says who is there, also with bytes that an earlier one had: whoever came in between
// has left. So what tells files apart is their name, their sequence and their bytes together, and
// what was said last stands in the ledger. Pure; any thread.
#pragma once
#include <cstdint>
#include <string>

#include "schemas/roster.pb.h"

namespace postern::jobs {

struct Statement {
  std::string name;
  uint64_t sequence = 0;  // 0: neither the file nor the manifest beside it has one
  std::string sha256;     // hex
};

// 64 hex digits; the quarantine's folder of the file.
std::string KeyOf(const Statement& file);

// Whether it is the file that was accepted last (`before`; null: none was), come again.
bool IsLast(const Statement& file, const decl::AcceptedRoster* before);

// Why nothing is done with the file; empty: it comes next. Where there is no sequence the order of
// names is one.
std::string WhyOld(const Statement& file, const decl::AcceptedRoster* before);

}  // namespace postern::jobs
