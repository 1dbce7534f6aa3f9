const QUIET = ['--system', '--no-pager', '--quiet', '--output=json'];

/** The newest entry, for its cursor. */
export const newest = (): string[] => [...QUIET, '--lines=1', '--output-fields=__CURSOR'];

/** Entries of level error and worse that came after the cursor: the newest `most`, oldest first. */
export const errorsAfter = (cursor: string, most: number): string[] => [
  ...QUIET,
  ...['--priority=3', `--lines=${most}`, `--after-cursor=${cursor}`],
  '--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,UNIT',
];
