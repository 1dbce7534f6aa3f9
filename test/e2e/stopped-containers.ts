import { execFileSync } from 'node:child_process';

/** The label of a container that stands still while its volumes are read. */
export const STOPS = ['--label', 'docker-volume-backup.stop-during-backup=true'];
/** Ends at once when it is told to. */
export const LOOP = 'trap "exit 0" TERM; while :; do sleep 0.05; done';

export const sh = (script: string, ...args: readonly string[]): string =>
  execFileSync('sh', ['-c', script, 'sh', ...args], { encoding: 'utf8', maxBuffer: 2 ** 26 }).trimEnd();

/** Names, types, modes, owners and targets of a tree, and what is in its files.
 *  @param more of find's -printf: ` %T@` for times too */
export const lookAt = (folder: string, more = ''): string =>
  sh(
    'cd "$1" && find . -printf "%P %y %m %U %G %l$2\\n" | LC_ALL=C sort && find . -type f | LC_ALL=C sort | xargs -r sha256sum',
    folder,
    more,
  );
