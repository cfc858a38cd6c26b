// providers/filetransfer/openssh/config.h: the text of sshd_config with all that it includes: which
// Match blocks reach an account, and where a line of ours is shadowed. Pure.
//
// What the settings come out as is asked of the daemon (`sshd -T -C`, effective.h); this reader
// says for whom the answer is the same, so that the daemon is asked once for each distinct outcome.
// Source: sshd_config(5), OpenSSH 9.2, observed: the first value of a keyword counts among global
// lines, and apart from that among the matching Match blocks, which beat global ones; a Match block
// ends with the file that it stands in; a relative Include is below /etc/ssh.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace postern::openssh {

class FileSource {
 public:
  virtual ~FileSource() = default;
  // Errors: kNotFound when there is no such file; others as they come.
  virtual Result<std::string> Read(const std::string& path) const = 0;
  // The files that match, sorted by name as glob(3) does.
  virtual std::vector<std::string> Glob(const std::string& pattern) const = 0;
};

// Who connects, as `sshd -T -C` wants it. `host` is the address where UseDNS is off.
struct Connection {
  std::string user;
  std::vector<std::string> groups;
  std::string host, address, local_address;
  uint16_t local_port = 22;
};

struct Criterion {
  std::string name;  // lowercase: user, group, host, address, localaddress, localport, all, ...
  std::string value;
};

struct MatchBlock {
  std::string file;
  uint32_t line = 0;
  std::vector<Criterion> criteria;
  std::string problem;  // a criterion that isn't known here: whether it matches can't be said
};

struct ConfigLine {
  std::string file;
  uint32_t line = 0;
  std::string keyword;  // lowercase
  std::string value;    // the rest, trimmed, quotes as they stand
  // Indices into `blocks` of all that must match; empty: global. More than one where a file is
  // included within a block.
  std::vector<size_t> within;
};

struct SshdConfig {
  std::vector<ConfigLine> lines;  // in the order of the daemon
  std::vector<MatchBlock> blocks;
  std::vector<std::string> files;  // read, the main file first
  std::vector<std::string> problems;
};

// Errors: those of reading the main file; kIncomplete for an included file that can't be read;
// kInvalid for includes nested too deep.
Result<SshdConfig> ReadConfig(const FileSource& files, const std::string& main_file);

bool Matches(const MatchBlock& block, const Connection& connection);
bool Applies(const SshdConfig& config, const ConfigLine& line, const Connection& connection);

// Accounts whose configuration is the same, by index into `connections`, in order of first.
std::vector<std::vector<size_t>> OutcomeGroups(const SshdConfig& config,
                                               const std::vector<Connection>& connections);
// "user=bea,host=...,addr=...,laddr=...,lport=..." for -C.
std::string SpecOf(const Connection& connection);

// A keyword that a file of ours sets for an account and another line sets before it.
struct Shadow {
  std::string keyword;
  ConfigLine by;
};
std::vector<Shadow> ShadowsOf(const SshdConfig& config, const std::string& our_file,
                              const Connection& connection);

// Addresses that tell the blocks and lists of this configuration apart: one in every block that is
// named, and `fallback`.
std::vector<std::string> AddressesToAsk(const SshdConfig& config, const std::string& fallback);

}  // namespace postern::openssh
