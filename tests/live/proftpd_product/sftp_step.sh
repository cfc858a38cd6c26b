#!/bin/sh
# One step of the SFTP probe, run by the client's own `!`: tells what the last try did to the folder
# and puts the folder back. Arguments: FOLDER RIGHT RESULTS LOCAL. RIGHT "start" only puts it back.
folder=$1 right=$2 results=$3 local=$4
yes() { printf '%s\t%s\n' "$folder" "$right" >>"$results"; }
case $right in
  read) [ "$(cat "$local" 2>/dev/null)" = old ] && yes ;;
  create) [ "$(cat "$folder/p.new" 2>/dev/null)" = new ] && yes ;;
  overwrite) [ "$(cat "$folder/p.file")" = new ] && yes ;;
  delete) [ -e "$folder/p.file" ] || yes ;;
  rename) [ -e "$folder/p.moved" ] && yes ;;
  mkdir) [ -d "$folder/p.dir" ] && yes ;;
  rmdir) [ -d "$folder/p.empty" ] || yes ;;
  chmod) [ "$(stat -c %a "$folder/p.file")" = 600 ] && yes ;;
esac
rm -rf "$local" "$folder/p.new" "$folder/p.moved" "$folder/p.dir"
mkdir -p "$folder/p.empty"
printf old >"$folder/p.file"
chown --reference="$folder" "$folder/p.file" "$folder/p.empty"
chmod 666 "$folder/p.file"
chmod 777 "$folder/p.empty"
