// providers/filetransfer/proftpd/directives.h: what each directive of ProFTPD 1.3.8 does to access.
#pragma once
#include <string>
#include <string_view>

namespace postern::proftpd {

enum class Effect : unsigned char {
  kHarmless,  // changes no decision about a managed folder
  kAccess,    // `why` says how it changes one
  kUnknown,
};

struct DirectiveInfo {
  Effect effect = Effect::kUnknown;
  std::string_view why;
};

// By name, without regard to case.
DirectiveInfo DescribeDirective(std::string_view name);
// Modules that Debian 12 ships, and whose directives the table knows.
bool IsKnownModule(std::string_view module);
// Compiled into Debian's daemon.
bool IsBuiltinModule(std::string_view module);

}  // namespace postern::proftpd
