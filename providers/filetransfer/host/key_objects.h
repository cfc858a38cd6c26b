// providers/filetransfer/host/key_objects.h: the files of keys of accounts in scope as objects.
//
// Several lines of one key are one object with what they let it do together: sshd goes on to the
// next line where one refuses. Pure. Internal to accounts_io.cc.
#pragma once
#include <vector>

#include "providers/filetransfer/host/accounts_io.h"

namespace postern::filetransfer {

void AppendKeys(const HostState& state, const AccountSettings& settings, const HostScope& scope,
                std::vector<object::Object>* out);

// When the file was written is all that is known of a change.
void SetChanged(int64_t modified, object::Object* object);

}  // namespace postern::filetransfer
