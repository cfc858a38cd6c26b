// core/config/check.h: what can be said about the declarations as a whole, without a live system.
// Internal to core/config. Each pass adds what it finds; none stops another. Linear in the
// declarations.
#pragma once
#include <algorithm>

#include "core/config/declarations.h"
#include "core/config/index.h"
#include "core/config/reader.h"

namespace postern::config {

struct CheckInput {
  const Declarations& declarations;
  const Index& index;
  const LostNames& lost;       // declared, but not readable: references to them aren't wrong
  diag::Sources* sources;      // to mask what mustn't be shown
  bool files_missing = false;  // whole files weren't read: an unknown name says nothing
};

// The key stands in the file, whatever became of its value: nothing is missing then.
template <class M>
bool Wrote(const Declared<M>& declared, int field) {
  const uint32_t whole = static_cast<uint32_t>(field) << 16;
  return std::any_of(declared.fields.begin(), declared.fields.end(),
                     [&](const auto& place) { return place.first == whole; });
}

// References resolve; lists name an element once.
void CheckReferences(const CheckInput& input, diag::Diagnostics* diagnostics);
// One name, one live object, one uid: declared once.
void CheckDuplicates(const CheckInput& input, diag::Diagnostics* diagnostics);
// Groups that contain themselves.
void CheckGroups(const CheckInput& input, diag::Diagnostics* diagnostics);
// Times, numeric ids, places in a directory.
void CheckRanges(const CheckInput& input, diag::Diagnostics* diagnostics);
// Accounts that a host has from a directory.
void CheckSources(const CheckInput& input, diag::Diagnostics* diagnostics);
// Addresses, TLS, secrets and other forms of the operator's file.
void CheckOperator(const CheckInput& input, diag::Diagnostics* diagnostics);
// IAM systems, and the objects declared in them.
void CheckIam(const CheckInput& input, diag::Diagnostics* diagnostics);
void CheckIamObjects(const CheckInput& input, diag::Diagnostics* diagnostics);
// Roles: their members, rows and templates, as far as that needs no fact.
void CheckRoleForms(const CheckInput& input, diag::Diagnostics* diagnostics);
// Service accounts: who answers for them, what opens them, where they have rights.
void CheckServiceAccounts(const CheckInput& input, diag::Diagnostics* diagnostics);
// Notes about identities without an account and folders without a grant; says nothing useful while
// there are errors.
void NoteUnused(const CheckInput& input, diag::Diagnostics* diagnostics);

// "host", "host:port", "[::1]:port"
bool IsHostPort(std::string_view text);
bool IsLoopback(std::string_view host_port);

}  // namespace postern::config
