const QUIET = ['--system', '--no-pager', '--quiet', '--output=json'];
const ERRORS = '--priority=3';

/** The newest entry of any level. */
export const newest = (): string[] => [...QUIET, '--lines=1', '--output-fields=__CURSOR'];

/** The newest error, for its cursor. It has to be an error's: with systemd 252 a cursor of an entry that the filter leaves
 *  out makes --after-cursor leave out the first entry after it, too. */
export const newestError = (): string[] => [...newest(), ERRORS];

/** Entries of level error and worse that came after the cursor, or all when there was none: the newest `most`, oldest
 *  first. */
export const errorsAfter = (cursor: string | null, most: number): string[] => [
  ...[...QUIET, ERRORS, `--lines=${most}`],
  ...(cursor === null ? [] : [`--after-cursor=${cursor}`]),
  '--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,UNIT',
];
