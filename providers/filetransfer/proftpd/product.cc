#include "providers/filetransfer/proftpd/product.h"

namespace postern::proftpd {

using access::Capability;
using access::Right;
using access::Support;

// Source: behaviour observed on 1.3.8. A kind or field that isn't here is native.
std::vector<Capability> ProftpdProduct::Capabilities() const {
  return {
      {"account",
       "expires",
       Support::kUnsupported,
       {},
       "a line of the AuthUserFile has no expiry",
       {"end the contract or the grants at that date: the next apply removes them",
        "mod_sql with a WHERE clause that knows the date"}},
      {"account",
       "enabled",
       Support::kNative,
       {},
       "a lock stops password and key: Limit LOGIN with DenyUser in the generated include",
       {}},
      {"ssh_key", "", Support::kNative, {}, "mod_sftp reads one RFC 4716 file an account", {}},
      {"ssh_key",
       "options",
       Support::kUnsupported,
       {},
       "an RFC 4716 file has no options such as from= or restrict",
       {"an openssh server on the same host"}},
      {"ssh_key",
       "principals",
       Support::kUnsupported,
       {},
       "mod_sftp takes no certificates",
       {"an openssh server on the same host"}},
      {"grant",
       "overwrite",
       Support::kWidens,
       Right::kCreate,
       "overwrite without create can't be said, and whoever creates where somebody overwrites "
       "overwrites too: AllowOverwrite is a switch of the folder",
       {"grant create with overwrite", "two folders, one with overwrite and one without"}},
      {"grant",
       "create",
       Support::kNative,
       {},
       "without overwrite only where nobody may overwrite in the same folder",
       {}},
      {"grant",
       "chmod",
       Support::kCoarser,
       {},
       "over FTP only: SETSTAT of SFTP also sets a size, which truncates files without create",
       {"an openssh server for chmod over SFTP"}},
      {"grant",
       "rename",
       Support::kNative,
       {},
       "renaming out and renaming in are one right; a folder that is renamed takes its content out "
       "of the reach of the rules for its old path",
       {}},
      {"grant",
       "list",
       Support::kNative,
       {},
       "a folder's name is visible in its parent to whoever may list the parent and enter it",
       {}},
      {"grant",
       "expires",
       Support::kUnsupported,
       {},
       "no rule has a date",
       {"the next apply removes an expired grant"}},
      {"session",
       "",
       Support::kNative,
       {},
       "an open session keeps the rules it started with: end it after a revocation",
       {}},
  };
}

const access::Product& Proftpd() {
  static const ProftpdProduct product;
  return product;
}

}  // namespace postern::proftpd
