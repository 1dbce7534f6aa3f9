/** The file that restores without Holdfast (interface, section 10, line 19). */
export const RESTORE_SCRIPT = 'restore.sh';

/** POSIX sh (POSIX.1-2017, XCU), and tar, zstd or gzip, age or gpg where the files need them; `sha256sum` when it is
 *  there. Nothing else, no `cat` either: what is needed is the least that a rescue system has. `@{` stands for the
 *  shell's dollar and brace, which a template string would take for its own. */
export const restoreScript: string = String.raw`#!/bin/sh
# Restores from this folder without Holdfast. It needs sh, tar, and what the files' names say: zstd for .zst, gzip for
# .gz, age for .age, gpg for .gpg. What is there already is not replaced.
#
#   sh restore.sh                          lists the recovery points
#   sh restore.sh POINT                    lists the files of one
#   sh restore.sh POINT FILE DIR           restores one file of it into the folder DIR
#   sh restore.sh POINT all DIR            restores all of it
#
# age: AGE_IDENTITY=FILE names the identity. gpg asks for a passphrase by itself; GPG_PASSPHRASE_FILE=FILE answers.
set -u
umask 077

die() {
  printf 'restore.sh: %s\n' "$1" >&2
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }
need() { has "$1" || die "$1 is needed and is not installed"; }

case $0 in
  */*) repository=$(cd "@{0%/*}" && pwd) || exit 1 ;;
  *) repository=$(pwd) ;;
esac
[ -f "$repository/.holdfast-repository.json" ] || die "$repository is no repository: it has no marker file"

# A point is a folder with a manifest in it, or an archive with a manifest beside it.
points() {
  for manifest in "$repository"/*/*/backup-manifest.json; do
    [ -f "$manifest" ] || continue
    point=@{manifest%/backup-manifest.json}
    printf '%s\n' "@{point#"$repository"/}"
  done
  for manifest in "$repository"/*.json; do
    point=@{manifest%.json}
    if [ -f "$manifest" ] && [ -f "$point" ]; then printf '%s\n' "@{point##*/}"; fi
  done
}

items() {
  if [ -f "$repository/$1" ]; then
    printf '%s\n' "$1"
    return
  fi
  for file in "$repository/$1"/*; do
    case @{file##*/} in
      backup-manifest.json | SHA256SUMS | hold.json | verification-report.* | dr-drill-report.*) ;;
      *.index | *.index.age | *.index.gpg) ;;
      *) printf '%s\n' "@{file##*/}" ;;
    esac
  done
}

# The recorded SHA-256: of a file in a point's folder, or of an archive from the manifest beside it.
recorded() {
  if [ -f "$1/SHA256SUMS" ]; then
    while read -r hash name; do
      [ "$name" != "$2" ] || printf '%s' "$hash"
    done <"$1/SHA256SUMS"
    return
  fi
  inside=
  while read -r line; do
    case $line in
      '"archive": {') inside=yes ;;
      '"sha256": "'*)
        hash=@{line#*: ?}
        [ -z "$inside" ] || printf '%s' "@{hash%%\"*}" ;;
    esac
  done <"$1/$2.json"
}

check() {
  if ! has sha256sum; then
    printf 'restore.sh: sha256sum is not installed, so %s is not checked\n' "$2" >&2
    return
  fi
  hash=$(recorded "$1" "$2")
  [ -n "$hash" ] || die "no SHA-256 of $2 is recorded"
  (cd "$1" && printf '%s  %s\n' "$hash" "$2" | sha256sum -c - >/dev/null 2>&1) ||
    die "$2 is damaged: its SHA-256 is not the recorded one"
}

unseal() {
  case $1 in
    *.age) age -d -i "$AGE_IDENTITY" <"$1" ;;
    *)
      if [ -n "@{GPG_PASSPHRASE_FILE:-}" ]; then
        gpg --batch --quiet --pinentry-mode loopback --passphrase-file "$GPG_PASSPHRASE_FILE" -d <"$1"
      else
        gpg --quiet -d <"$1"
      fi ;;
  esac
}

expand() {
  case $1 in
    *.zst | *.tzst) zstd -dc ;;
    *) gzip -dc ;;
  esac
}

# GNU tar is told to bring back what it can hold beyond POSIX. It stops at the end of its archive: the padding behind
# that is read too, or whatever writes it would be ended by a broken pipe and taken for a failure.
extract() {
  case $(tar --version 2>/dev/null) in
    *GNU*) tar -xpkf - -C "$1" --numeric-owner --acls --xattrs '--xattrs-include=*' ;;
    *) tar -xpkf - -C "$1" ;;
  esac || return
  while read -r padding; do :; done
}

# Each stage says on descriptor 3 when it failed: a pipeline of sh ends as its last member does.
bytes() {
  case $sealed:$packed in
    yes:yes) { unseal "$1" 3>&- || echo unsealing >&3; } | { expand "$inner" 3>&- || echo expanding >&3; } ;;
    yes:no) unseal "$1" 3>&- || echo unsealing >&3 ;;
    *) expand "$inner" <"$1" 3>&- || echo expanding >&3 ;;
  esac
}

write() {
  case $sealed:$packed:$tree in
    no:no:yes) extract "$2" <"$1" 3>&- || echo writing >&3 ;;
    no:no:no) tar -cf - -C "@{1%/*}" "@{1##*/}" 3>&- | tar -xkf - -C "$2" 3>&- || echo writing >&3 ;;
    *:yes) bytes "$1" | { extract "$2" 3>&- || echo writing >&3; } ;;
    *) bytes "$1" >"$2/$plain" || echo writing >&3 ;;
  esac
}

restore() {
  file=$2
  inner=@{file%.age}
  inner=@{inner%.gpg}
  plain=@{inner%.zst}
  plain=@{plain%.gz}
  sealed=no packed=no tree=no
  [ "$inner" = "$file" ] || sealed=yes
  case $inner in *.zst | *.tzst | *.gz | *.tgz) packed=yes ;; esac
  case $plain in *.tar | *.tgz | *.tzst) tree=yes ;; esac
  case $file in
    *.age)
      need age
      [ -n "@{AGE_IDENTITY:-}" ] || die "$file is sealed: set AGE_IDENTITY to the file with the identity" ;;
    *.gpg) need gpg ;;
  esac
  case $inner in *.zst | *.tzst) need zstd ;; *.gz | *.tgz) need gzip ;; esac
  if [ $tree = yes ]; then need tar; elif [ -e "$3/$plain" ]; then die "$3/$plain is there already"; fi
  check "$1" "$file"
  { failed=$(write "$1/$file" "$3" 3>&1 >&4); } 4>&1
  [ -z "$failed" ] || die "$file could not be restored whole: $failed failed"
  printf 'restored %s into %s\n' "$file" "$3"
}

case $# in
  0) points ;;
  1)
    [ -e "$repository/$1" ] || die "there is no $1; see: sh restore.sh"
    items "$1" ;;
  3)
    [ -e "$repository/$1" ] || die "there is no $1; see: sh restore.sh"
    [ -d "$3" ] || die "$3 is no folder: make it first"
    if [ -f "$repository/$1" ]; then folder=$repository; else folder=$repository/$1; fi
    if [ "$2" = all ]; then
      items "$1" | while read -r item; do restore "$folder" "$item" "$3"; done
    else
      [ -f "$folder/$2" ] || die "there is no $2 in $1; see: sh restore.sh $1"
      restore "$folder" "$2" "$3"
    fi ;;
  *) die 'use: sh restore.sh [POINT [FILE|all DIR]]' ;;
esac
`.replaceAll('@{', '$'.concat('{'));
