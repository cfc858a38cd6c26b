// Why a daemon ended, out of what it and its checker say.
#include <gtest/gtest.h>

#include "providers/filetransfer/server/daemon_reason.h"

namespace postern::filetransfer {
namespace {

constexpr char kStamp[] = "2026-11-22 13:51:00,108 host proftpd[8563] 127.0.0.1: ";

TEST(Reason, OfACheckerIsWhatIsFatalOrTheFirstLine) {
  const std::string text =
      "Checking syntax of configuration file\n"
      "2026-11-22 13:50:49,899 host proftpd[8059]: warning: odd\n"
      "2026-11-22 13:50:49,899 host proftpd[8059]: fatal: unknown configuration directive 'X' on "
      "line 19 of '/etc/p.conf'\n"
      "2026-11-22 13:50:49,899 host proftpd[8059]: fatal: Did you mean:\n  Port\n";
  EXPECT_EQ(CheckerReason(text),
            "fatal: unknown configuration directive 'X' on line 19 of '/etc/p.conf'");
  EXPECT_EQ(FatalReason(text), CheckerReason(text));
  // sshd -t: its summary comes last and says less.
  const std::string sshd =
      "/etc/ssh/sshd_config line 3: Bad configuration option: X\r\n"
      "/etc/ssh/sshd_config: terminating, 1 bad configuration options\r\n";
  EXPECT_EQ(CheckerReason(sshd), "/etc/ssh/sshd_config line 3: Bad configuration option: X");
  EXPECT_EQ(FatalReason(sshd), "");
  EXPECT_EQ(CheckerReason("Checking syntax of configuration file\nSyntax check complete.\n"), "");
}

TEST(Reason, OfALogIsTheDaemonsOwnAndNoSessions) {
  const std::string log = std::string(kStamp) + "received SIGHUP -- master server reparsing\n" +
                          kStamp +
                          "Failed binding to 127.0.0.1, port 24122: Address already in "
                          "use\n" +
                          kStamp + "Unable to start proftpd; check logs for more details\n";
  EXPECT_EQ(LogReason(log), "Failed binding to 127.0.0.1, port 24122: Address already in use");
  const std::string of_session =
      "2026-11-22 13:50:49,892 host proftpd[8058] 127.0.0.1 (127.0.0.1[127.0.0.1]): ";
  const std::string others[] = {
      of_session + "error: bad packet",
      "error: kex_exchange_identification: Connection closed by remote host",
      "fatal: Timeout before authentication for 192.0.2.1 port 4711",
      "error: userauth_pubkey: parse key: invalid format [preauth]",
      "Server listening on :: port 22.",
  };
  for (const std::string& one : others) {
    EXPECT_EQ(LogReason(one), "") << one;
  }
  EXPECT_EQ(LogReason("proftpd.service: Main process exited, code=dumped, status=11/SEGV"),
            "proftpd.service: Main process exited, code=dumped, status=11/SEGV");
}

}  // namespace
}  // namespace postern::filetransfer
