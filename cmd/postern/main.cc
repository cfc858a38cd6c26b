// postern: file-transfer access as code.
#include "cmd/postern/command.h"

int main(int argc, char** argv) {
  return postern::cmd::RunCommandLine(argc, argv);
}
