/** systemctl(1) without what is meant for people: no pager, no question, no colour. */
const QUIET = ['--no-pager', '--no-ask-password'];

export const PROPERTIES = [
  ...['Id', 'LoadState', 'ActiveState', 'SubState', 'Result', 'NRestarts', 'ControlGroup'],
  ...['TriggeredBy', 'RequiredBy', 'BoundBy', 'ConsistsOf', 'RequisiteOf'],
] as const;

/** One block of lines for each unit, in this order. */
export const show = (units: readonly string[]): string[] => [
  ...QUIET,
  'show',
  `--property=${PROPERTIES.join(',')}`,
  '--',
  ...units,
];
export const start = (units: readonly string[]): string[] => [...QUIET, 'start', '--', ...units];
export const stop = (units: readonly string[]): string[] => [...QUIET, 'stop', '--', ...units];
export const resetFailed = (units: readonly string[]): string[] => [...QUIET, 'reset-failed', '--', ...units];

/** Where Linux shows control groups: version 2, the hybrid layout, and systemd's own hierarchy of version 1. */
const ROOTS = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/systemd'];

/** Prints the processes of a control group and of those below it. Of the roots some exist. */
export const processes = (group: string): string[] => [
  ...ROOTS.map((root) => root + group),
  ...['-name', 'cgroup.procs', '-exec', 'cat', '--', '{}', '+'],
];
