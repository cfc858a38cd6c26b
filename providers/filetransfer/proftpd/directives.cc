#include "providers/filetransfer/proftpd/directives.h"

#include <algorithm>
#include <map>
#include <set>

#include "providers/filetransfer/proftpd/statement.h"

namespace postern::proftpd {
namespace {

constexpr std::string_view kName = "the answer depends on the name that a client gives";
constexpr std::string_view kHide =
    "it changes what is visible, and with IgnoreHidden what may be done";
constexpr std::string_view kLogin = "logins may be refused for reasons outside of the declarations";
constexpr std::string_view kAccounts = "accounts come from another source as well";
constexpr std::string_view kRewrite = "commands and paths are rewritten before they are checked";
constexpr std::string_view kOwner = "who owns new files changes what the host lets others do";

// Lowercase. Harmless: no decision about a command on a managed folder depends on it; Umask,
// AllowOverwrite and AllowStoreRestart are answered by our own blocks or checked as settings.
const std::set<std::string_view>& Harmless() {
  static const std::set<std::string_view> words = {"accessdenymsg",
                                                   "accessgrantmsg",
                                                   "admincontrolsacls",
                                                   "admincontrolsengine",
                                                   "allowforeignaddress",
                                                   "allowlogsymlinks",
                                                   "allowoverwrite",
                                                   "allowretrieverestart",
                                                   "allowstorerestart",
                                                   "allowoverride",
                                                   "authgroupfile",
                                                   "authorder",
                                                   "authpam",
                                                   "authpamconfig",
                                                   "authuserfile",
                                                   "commandbuffersize",
                                                   "controlsacls",
                                                   "controlsauthfreshness",
                                                   "controlsengine",
                                                   "controlsinterval",
                                                   "controlslog",
                                                   "controlsmaxclients",
                                                   "controlssocket",
                                                   "controlssocketacl",
                                                   "controlssocketowner",
                                                   "debuglevel",
                                                   "defaultaddress",
                                                   "defaultchdir",
                                                   "defaultroot",
                                                   "defaultserver",
                                                   "defaulttransfermode",
                                                   "deferwelcome",
                                                   "define",
                                                   "delayengine",
                                                   "delaytable",
                                                   "delaycontrolsacls",
                                                   "delayonevent",
                                                   "deleteabortedstores",
                                                   "displayconnect",
                                                   "displaychdir",
                                                   "displayfiletransfer",
                                                   "displaylogin",
                                                   "displayquit",
                                                   "extendedlog",
                                                   "factsadvertise",
                                                   "factsoptions",
                                                   "group",
                                                   "hiddenstores",
                                                   "identlookups",
                                                   "include",
                                                   "includeoptions",
                                                   "langdefault",
                                                   "langengine",
                                                   "langoptions",
                                                   "langpath",
                                                   "listoptions",
                                                   "loadmodule",
                                                   "logformat",
                                                   "logoptions",
                                                   "loginpasswordprompt",
                                                   "masqueradeaddress",
                                                   "maxclients",
                                                   "maxclientsperclass",
                                                   "maxclientsperhost",
                                                   "maxclientsperuser",
                                                   "maxcommandrate",
                                                   "maxconnectionrate",
                                                   "maxconnectionsperhost",
                                                   "maxhostsperuser",
                                                   "maxinstances",
                                                   "maxloginattempts",
                                                   "maxretrievefilesize",
                                                   "maxstorefilesize",
                                                   "maxtransfersperhost",
                                                   "maxtransfersperuser",
                                                   "maxtransferspersession",
                                                   "modulecontrolsacls",
                                                   "moduleorder",
                                                   "modulepath",
                                                   "multilinerfc2228",
                                                   "passiveports",
                                                   "persistentpasswd",
                                                   "pidfile",
                                                   "port",
                                                   "processtitles",
                                                   "quotadirectorytally",
                                                   "quotadisplayunits",
                                                   "quotaengine",
                                                   "quotalimittable",
                                                   "quotalock",
                                                   "quotalog",
                                                   "quotaoptions",
                                                   "quotashowquotas",
                                                   "quotatallytable",
                                                   "requirevalidshell",
                                                   "rlimitcpu",
                                                   "rlimitchroot",
                                                   "rlimitmemory",
                                                   "rlimitopenfiles",
                                                   "rootrevoke",
                                                   "scoreboardfile",
                                                   "scoreboardmutex",
                                                   "scoreboardscrub",
                                                   "serveradmin",
                                                   "serverident",
                                                   "servername",
                                                   "serveralias",
                                                   "servertype",
                                                   "setenv",
                                                   "unsetenv",
                                                   "sftpauthmethods",
                                                   "sftpauthorizeduserkeys",
                                                   "sftpciphers",
                                                   "sftpclientalive",
                                                   "sftpcompression",
                                                   "sftpcryptodevice",
                                                   "sftpdhparamfile",
                                                   "sftpdigests",
                                                   "sftpdisplaybanner",
                                                   "sftpengine",
                                                   "sftpextensions",
                                                   "sftphostkey",
                                                   "sftphostkeys",
                                                   "sftpkeyexchanges",
                                                   "sftpkeylimits",
                                                   "sftplog",
                                                   "sftpmaxchannels",
                                                   "sftpoptions",
                                                   "sftppassphraseprovider",
                                                   "sftprekey",
                                                   "sftptrafficpolicy",
                                                   "sftpauthpublickeyalgorithms",
                                                   "showsymlinks",
                                                   "socketbindtight",
                                                   "socketoptions",
                                                   "syslogfacility",
                                                   "sysloglevel",
                                                   "systemlog",
                                                   "tcpbacklog",
                                                   "tcpnodelay",
                                                   "timeoutidle",
                                                   "timeoutlinger",
                                                   "timeoutlogin",
                                                   "timeoutnotransfer",
                                                   "timeoutsession",
                                                   "timeoutstalled",
                                                   "timesgmt",
                                                   "tlscacertificatefile",
                                                   "tlscacertificatepath",
                                                   "tlscertificatechainfile",
                                                   "tlsciphersuite",
                                                   "tlsengine",
                                                   "tlslog",
                                                   "tlsoptions",
                                                   "tlsprotocol",
                                                   "tlsrenegotiate",
                                                   "tlsrequired",
                                                   "tlsrsacertificatefile",
                                                   "tlsrsacertificatekeyfile",
                                                   "tlseccertificatefile",
                                                   "tlseccertificatekeyfile",
                                                   "tlsservercipherpreference",
                                                   "tlssessioncache",
                                                   "tlsverifyclient",
                                                   "tlsverifydepth",
                                                   "trace",
                                                   "tracelog",
                                                   "traceoptions",
                                                   "transferlog",
                                                   "transferoptions",
                                                   "transferrate",
                                                   "umask",
                                                   "useencoding",
                                                   "useftpusers",
                                                   "useglobbing",
                                                   "useipv6",
                                                   "usereversedns",
                                                   "usesendfile",
                                                   "usetimeout",
                                                   "user",
                                                   "wtmplog",
                                                   "banctrlsacls",
                                                   "banlog",
                                                   "bantable",
                                                   "bancontrolsacls",
                                                   "banengine",
                                                   "storeuniqueprefix",
                                                   "maxpasswordsize",
                                                   "fscachepolicy"};
  return words;
}

const std::map<std::string_view, std::string_view>& Access() {
  static const std::map<std::string_view, std::string_view> words = {
      {"allowfilter", kName},
      {"denyfilter", kName},
      {"pathallowfilter", kName},
      {"pathdenyfilter", kName},
      {"hidefiles", kHide},
      {"hidegroup", kHide},
      {"hidenoaccess", kHide},
      {"hideuser", kHide},
      {"ignorehidden", kHide},
      {"useralias", "a login name stands for another account"},
      {"authaliasonly", "only aliases may log in"},
      {"authusinggroup", "a group's password lets its members in"},
      {"anonymousgroup", "members of a group are chrooted and act as anonymous accounts"},
      {"anonrequirepassword", kLogin},
      {"anonrejectpasswords", kLogin},
      {"userpassword", "an account has a password outside of the AuthUserFile"},
      {"grouppassword", "a group's password lets its members in"},
      {"createhome", "folders are made at login"},
      {"createhomeoptions", "folders are made at login"},
      {"userdirroot", "the login folder depends on the account's home"},
      {"userowner", kOwner},
      {"groupowner", kOwner},
      {"rootlogin", kLogin},
      {"mastersetuid", kOwner},
      {"allowchrootsymlinks", "a login folder may be a symlink"},
      {"allow", kLogin},
      {"deny", kLogin},
      {"order", kLogin},
      {"allowall", kLogin},
      {"denyall", "a DenyAll outside of a Limit refuses everything on existing objects"},
      {"allowuser", kLogin},
      {"denyuser", kLogin},
      {"allowgroup", kLogin},
      {"denygroup", kLogin},
      {"allowclass", kLogin},
      {"denyclass", kLogin},
      {"banonevent", kLogin},
      {"bancache", kLogin},
      {"banmessage", kLogin}};
  return words;
}

struct Family {
  std::string_view prefix;
  std::string_view why;
};
constexpr Family kFamilies[] = {{"rewrite", kRewrite},
                                {"vroot", kRewrite},
                                {"exec", "programs run on commands"},
                                {"sql", kAccounts},
                                {"ldap", kAccounts},
                                {"radius", kAccounts},
                                {"wrap", kLogin},
                                {"geoip", kLogin},
                                {"dnsbl", kLogin},
                                {"authotp", kLogin},
                                {"ratio", "uploads decide what may be fetched"},
                                {"groupratio", "uploads decide what may be fetched"},
                                {"userratio", "uploads decide what may be fetched"},
                                {"copyengine", "SITE COPY makes files from others"},
                                {"dynmasq", ""},
                                {"shaper", ""},
                                {"memcache", ""},
                                {"redis", ""},
                                {"deflate", ""},
                                {"digest", ""},
                                {"forensiclog", ""},
                                {"facl", ""},
                                {"snmp", ""},
                                {"statcache", ""},
                                {"autoblock", ""},
                                {"qos", ""},
                                {"tls", ""},
                                {"delay", ""},
                                {"sitemisc", "SITE adds commands"}};

const std::set<std::string_view>& Builtin() {
  static const std::set<std::string_view> modules = {
      "mod_core.c",  "mod_xfer.c", "mod_rlimit.c",   "mod_auth_unix.c", "mod_auth_file.c",
      "mod_auth.c",  "mod_ls.c",   "mod_log.c",      "mod_site.c",      "mod_delay.c",
      "mod_facts.c", "mod_dso.c",  "mod_auth_pam.c", "mod_cap.c",       "mod_ctrls.c",
      "mod_lang.c",  "mod_ident.c"};
  return modules;
}

const std::set<std::string_view>& Shipped() {
  static const std::set<std::string_view> modules = {"mod_auth_otp.c",      "mod_ban.c",
                                                     "mod_copy.c",          "mod_ctrls_admin.c",
                                                     "mod_deflate.c",       "mod_digest.c",
                                                     "mod_dnsbl.c",         "mod_dynmasq.c",
                                                     "mod_exec.c",          "mod_facl.c",
                                                     "mod_geoip.c",         "mod_ifsession.c",
                                                     "mod_ifversion.c",     "mod_ldap.c",
                                                     "mod_load.c",          "mod_log_forensic.c",
                                                     "mod_memcache.c",      "mod_qos.c",
                                                     "mod_quotatab.c",      "mod_quotatab_file.c",
                                                     "mod_quotatab_ldap.c", "mod_quotatab_radius.c",
                                                     "mod_quotatab_sql.c",  "mod_radius.c",
                                                     "mod_ratio.c",         "mod_readme.c",
                                                     "mod_redis.c",         "mod_rewrite.c",
                                                     "mod_sftp.c",          "mod_sftp_pam.c",
                                                     "mod_sftp_sql.c",      "mod_shaper.c",
                                                     "mod_site_misc.c",     "mod_snmp.c",
                                                     "mod_sql.c",           "mod_sql_mysql.c",
                                                     "mod_sql_odbc.c",      "mod_sql_passwd.c",
                                                     "mod_sql_postgres.c",  "mod_sql_sqlite.c",
                                                     "mod_statcache.c",     "mod_tls.c",
                                                     "mod_tls_fscache.c",   "mod_tls_memcache.c",
                                                     "mod_tls_redis.c",     "mod_tls_shmcache.c",
                                                     "mod_unique_id.c",     "mod_wrap.c",
                                                     "mod_wrap2.c",         "mod_wrap2_file.c",
                                                     "mod_wrap2_redis.c",   "mod_wrap2_sql.c"};
  return modules;
}

}  // namespace

DirectiveInfo DescribeDirective(std::string_view name) {
  const std::string word = Lowercase(name);
  if (Harmless().contains(word)) return {Effect::kHarmless, ""};
  if (const auto found = Access().find(word); found != Access().end()) {
    return {Effect::kAccess, found->second};
  }
  for (const Family& family : kFamilies) {
    if (!word.starts_with(family.prefix)) continue;
    return {family.why.empty() ? Effect::kHarmless : Effect::kAccess, family.why};
  }
  return {};
}

bool IsBuiltinModule(std::string_view module) {
  return Builtin().contains(module);
}
bool IsKnownModule(std::string_view module) {
  return Builtin().contains(module) || Shipped().contains(module);
}

}  // namespace postern::proftpd
