// providers/filetransfer/text/key_blob.h: what the blob of an SSH public key says of itself. Pure.
#pragma once
#include <string>
#include <string_view>

namespace postern::filetransfer {

// The type that a key blob starts with, such as "ssh-ed25519": a 32-bit length and the name (RFC
// 4253 section 6.6). Empty when it isn't the start of a key.
std::string TypeOfKey(std::string_view blob);

}  // namespace postern::filetransfer
