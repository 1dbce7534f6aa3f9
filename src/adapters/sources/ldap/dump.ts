import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Command } from '../../../ports/host.ts';
import type { Captured } from '../../../ports/source.ts';
import { MAKE_ROOM, saysNoRoom } from '../server/full-disk.ts';
import type { Reached } from '../server/reach.ts';
import { unlessSilent } from '../server/silence.ts';
import { scanLdif } from './ldif-scanner.ts';

/** What slapcat prints, and the entries that are counted in it. `subject` is for people: a suffix, or cn=config.
 *  @param warn what is to be said of all that was printed; it is not kept where nobody asks
 *  @throws SourceMissing when there is nothing of it; SourceFailed when slapcat failed, however much it gave */
export async function* dumpDirectory(
  subject: string,
  command: Command,
  { host }: Pick<Reached, 'host'>,
  signal: AbortSignal,
  warn: ((ldif: string) => readonly string[]) | null = null,
): AsyncGenerator<Uint8Array, Captured> {
  const scan = scanLdif();
  const printed: Uint8Array[] = [];
  try {
    const read = (until: AbortSignal): Bytes => host.read([command], { signal: until });
    for await (const chunk of unlessSilent(read, subject, signal)) {
      scan.take(chunk);
      if (warn !== null) printed.push(Uint8Array.from(chunk));
      yield chunk;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw explain(error, subject);
  }
  const scanned = scan.end();
  if ('malformed' in scanned)
    throw new HoldfastError(
      'SourceFailed',
      `What slapcat gave of ${subject} is not whole: ${scanned.malformed}.`,
      subject,
    );
  if (scanned.entries === 0)
    throw new HoldfastError('SourceMissing', `The directory has no entry at ${subject}.`, subject, {
      hint: LAST_STAYS,
    });
  const warnings = warn?.(Buffer.concat(printed).toString()) ?? [];
  return { facts: scanned, warnings, unreadable: [] };
}

const LAST_STAYS = 'Look whether its disk is mounted; the last good point stays';

/** slapcat 2.5 ends with 1 whatever went wrong. */
export function explain(error: unknown, subject: string): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'ProcessFailed') return error;
  const said = error.cause instanceof Error ? error.cause.message : error.message;
  const named = (code: 'SourceMissing' | 'SourceFailed' | 'NoSpace', hint: string): HoldfastError =>
    new HoldfastError(code, `${subject}: ${wordsOf(said)}`, subject, { cause: error, hint });
  if (/does not run|No such container/i.test(error.message)) return named('SourceMissing', error.hint);
  if (/no backend for|database number .* (?:not|does not)|Only one -n|No such database/i.test(said))
    return named('SourceMissing', 'Look at `suffix` of the source; what there is: slapcat -n 0 -a olcSuffix=*');
  if (saysNoRoom(said)) return named('NoSpace', MAKE_ROOM);
  // LMDB writes through a map of its file: where that cannot grow the kernel ends the process (135 in a container).
  if (/was ended by SIGBUS|ended with 135\b/.test(error.message))
    return new HoldfastError(
      'NoSpace',
      `${subject}: ${error.subject} was ended by SIGBUS: its disk is full.`,
      subject,
      {
        cause: error,
        hint: MAKE_ROOM,
      },
    );
  if (/MDB_MAP_FULL/.test(said))
    return named('SourceFailed', 'The database may not grow so large: raise its `olcDbMaxSize`');
  if (/Permission denied|invalid config directory .*, error 13\b/i.test(said))
    // errno(3), EACCES
    return named('SourceFailed', 'Say under which account its files can be read: `runAs: openldap`');
  if (/invalid config directory|No such file or directory/i.test(said))
    return named(
      'SourceMissing',
      `Look at \`config\` of the source, and at the folders of the database. ${LAST_STAYS}`,
    );
  return named('SourceFailed', 'See the whole output of the program with: --verbose');
}

/** What tells why comes before slapcat's own last words. */
function wordsOf(said: string): string {
  const lines = said
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling = lines.filter((line) => !/bad configuration directory!|^config error processing/.test(line));
  return (telling[0] ?? lines.at(-1) ?? 'slapcat failed')
    .replace(/^[0-9a-f]{8}(?:\.[0-9a-f]+ 0x[0-9a-f]+)? /, '')
    .slice(0, 400);
}
