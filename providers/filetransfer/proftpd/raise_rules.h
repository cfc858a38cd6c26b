// providers/filetransfer/proftpd/raise_rules.h: the semantic points of the raiser, one switch each.
//
// `true` is what ProFTPD 1.3.8 does; every switch is a rule of the daemon that reading its manual
// may get wrong. Production code takes the defaults. The campaign turns each off in turn and must
// see a difference from the daemon, which proves that the rule is needed and tested.
#pragma once
#include <span>
#include <string_view>

namespace postern::proftpd {

struct RaiseRules {
  // Reading.
  bool conditions_decide = true;    // IfModule, IfDefine leave out what doesn't hold
  bool conditions_negate = true;    // ... and `!` turns them round
  bool includes_by_name = true;     // a pattern's files come sorted
  bool empty_blocks_vanish = true;  // <Directory> and <Limit> without lines

  // Servers and blocks.
  bool global_reaches_servers = true;         // <Global> is copied to every server
  bool global_comes_last = true;              // ... behind its own entries
  bool own_block_hides_global = true;         // the same path in both: only the server's own counts
  bool last_block_first = true;               // siblings are tried last in file first
  bool blocks_nest = true;                    // a block below another's path is its child
  bool nested_first_first = true;             // children are tried first in file first
  bool namesake_nests_deepest = true;         // of two blocks N/* the inner is the parent of others
  bool star_crosses_slash = true;             // in block names
  bool content_pattern_spares_folder = true;  // N/* doesn't govern N
  bool position_beats_length = true;          // the first that matches, not the longest

  // Limits.
  bool last_limit_first = true;      // of several that name a command in one block
  bool command_before_block = true;  // passes: command, group, ALL; each over the whole chain
  bool group_pass = true;
  bool all_pass = true;
  bool blocks_inherit = true;       // no answer: the parent block, then the server, is asked
  bool order_allow_default = true;  // Order allow,deny unless told
  bool deny_order_closes = true;    // Order deny,allow denies who isn't named
  bool allow_order_opens = true;    // Order allow,deny gives no answer for who isn't named
  bool group_lists_and = true;
  bool user_lists_or = true;
  bool and_is_a_name = true;  // 1.3.8 leaves the word AND in the list
  bool negation = true;
  bool primary_group = true;  // counts like the others
  bool x_commands = true;     // MKD names XMKD as well, and so on
  bool all_spares_login = true;
  bool every_login_limit = true;  // each <Limit LOGIN> has to let in
  // A pattern of groups that fits a supplementary one is forgotten when a list of groups follows.
  bool group_regex_forgotten = true;
  bool classless_meet_nothing = true;  // AllowClass !c is no answer for a session without a class
  bool negated_address_ends = true;    // a negated address silences all Allow, or Deny, lines

  // Blocks' own switches.
  bool deny_all_blocks = true;      // DenyAll outside of a Limit refuses existing objects
  bool deny_all_spares_new = true;  // ... and not new ones
  bool deny_all_stays = true;       // ... and isn't inherited
  bool overwrite_inherits = true;   // AllowOverwrite: the nearest block that states it
  bool restart_appends = true;      // AllowStoreRestart lets APPE past AllowOverwrite

  // Commands.
  bool entries_hide = true;            // a listing shows what it may list itself
  bool sftp_rename_is_dirs = true;     // the source's group over SFTP
  bool sftp_listing_asks_list = true;  // READDIR also asks for LIST and NLST, last
  bool sftp_write_is_stor = true;      // also through a handle opened to append
  bool ftp_reads_unfiltered = true;    // PathDenyFilter and its kind aren't asked for RETR
  bool sftp_sets_unfiltered = true;    // ... nor for SETSTAT: it changes modes and truncates

  // Names.
  bool filters_follow_history =
      true;                       // a block's own filter isn't asked when coming from elsewhere
  bool filters_inherit = true;    // the nearest block that states one counts, down to the server
  bool hiding_is_listing = true;  // HideFiles hides names, what they name can be used
  bool hide_none_ends = true;     // HideFiles none: nothing from further up either

  // Sessions.
  bool session_rules_first = true;          // IfUser and its kind stand ahead of all others
  bool session_overwrite_wins = true;       // IfUser AllowOverwrite holds in every block
  bool alias_is_account = true;             // rules see the real name
  bool alias_only = true;                   // AuthAliasOnly refuses real names
  bool alias_only_breaks_on_blocks = true;  // ... and, where there is any <Directory>, aliases
  bool root_takes_no_keyword = true;        // in DefaultRoot AND and OR are names of groups
  bool personal_blocks_stand_alone = true;  // blocks named by ~ or %u don't nest
  bool session_limits_first_first = true;   // within IfUser and its kind the first in file counts
  bool sftp_has_no_aliases = true;  // keys are looked up by account: neither directive counts
  bool users_before_groups = true;  // IfUser's Limits and blocks stand before IfGroup's
  bool classes_last = true;         // IfClass's Limits and blocks stand behind both
  bool class_blocks_do_not_nest =
      true;                            // IfClass's blocks, unless a user's or group's come as well
  bool session_blocks_replace = true;  // IfUser's <Directory> removes that very name elsewhere
  bool session_blocks_first_first =
      true;                              // of blocks in one IfUser the first in file is tried first
  bool root_confines = true;             // DefaultRoot
  bool anonymous_own_blocks = true;      // the server's blocks don't count for anonymous accounts
  bool anonymous_server_limits = true;   // its Limits do, after the section's
  bool anonymous_star_first = true;      // <Directory *>: its lines stand before the section's own
  bool anonymous_relative_alone = true;  // relative block names don't nest below absolute ones
  bool anonymous_is_ftp_only = true;     // mod_sftp doesn't know the section
  bool anonymous_session_rules = true;   // IfUser counts for it, except its Limits on LOGIN
};

// Every switch by name, for tests.
struct RaiseRule {
  std::string_view name;
  bool RaiseRules::*on;
};
std::span<const RaiseRule> AllRaiseRules();

}  // namespace postern::proftpd
