#include "tests/live/host/shims.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

#include "tests/live/host/world.h"
#include "tests/live/openssh_product/machine.h"

namespace postern::filetransfer {

Shims::Shims() {
  EXPECT_TRUE(live::Machine::Get().entered());
  EXPECT_EQ(::mount("tmpfs", "/usr/local/sbin", "tmpfs", 0, "mode=0755"), 0);
}

Shims::~Shims() {
  EXPECT_EQ(::umount2("/usr/local/sbin", MNT_DETACH), 0);
}

void Shims::Put(const std::string& name, const std::string& script) const {
  const std::string real = support::FindProgram(name);
  ASSERT_FALSE(real.empty());
  WriteTo("/usr/local/sbin/" + name, "#!/bin/sh\nreal=" + real + "\n" + script + "\n", 0755);
}

}  // namespace postern::filetransfer
