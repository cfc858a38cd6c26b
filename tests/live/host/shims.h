// tests/live/host/shims.h: programs put before the host's own, in the private namespace alone.
#pragma once
#include <string>

namespace postern::filetransfer {

// While it lives, /usr/local/sbin, where a batch looks first, is an empty folder of this process's.
class Shims {
 public:
  Shims();
  ~Shims();
  Shims(const Shims&) = delete;
  Shims& operator=(const Shims&) = delete;

  // A shell script in the place of `name`. In it $real is the program that it hides.
  void Put(const std::string& name, const std::string& script) const;
};

}  // namespace postern::filetransfer
