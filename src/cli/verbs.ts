import type { Command } from 'commander';
import type { Face } from './face.ts';

/** One word of the command line: what `--help` says of it, and where its command is. */
export interface Verb {
  readonly name: string;
  readonly summary: string;
  readonly group: 'Make and prove' | 'Look and take back' | 'Risky changes' | 'By itself' | 'This machine';
  /** Imported when the verb is called; null for one that this version does not have. */
  readonly load: ((face: Face) => Promise<Command>) | null;
  /** Shown nowhere: called by scripts. */
  readonly hidden?: true;
}

/** Every verb of the interface, section 2, and of the requirements. */
export const VERBS: readonly Verb[] = [
  {
    name: 'demo',
    summary: 'See it work on a small service of its own, with nothing configured',
    group: 'Make and prove',
    load: async (face) => (await import('./commands/demo.ts')).demoCommand(face),
  },
  {
    name: 'backup',
    summary: 'Make recovery points of services',
    group: 'Make and prove',
    load: async (face) => (await import('./commands/backup.ts')).backupCommand(face),
  },
  {
    name: 'verify',
    summary: 'Prove recovery points: hashes, then structure, without a server',
    group: 'Make and prove',
    load: async (face) => (await import('./commands/verify.ts')).verifyCommand(face),
  },
  {
    name: 'run',
    summary: 'What a timer calls: backup, proof, then retention',
    group: 'Make and prove',
    load: async (face) => (await import('./commands/run.ts')).runCommand(face),
  },
  {
    name: 'prune',
    summary: 'Apply retention; --dry-run explains each line',
    group: 'Make and prove',
    load: async (face) => (await import('./commands/prune.ts')).pruneCommand(face),
  },
  {
    name: 'copy',
    summary: 'Copy a recovery point into another repository',
    group: 'Make and prove',
    load: async (face) => (await import('./commands/copy.ts')).copyCommand(face),
  },
  {
    name: 'hold',
    summary: 'Keep a recovery point whatever retention says',
    group: 'Make and prove',
    load: async (face) => (await import('./commands/hold.ts')).holdCommand(face),
  },
  {
    name: 'release',
    summary: 'Give a held recovery point back to retention',
    group: 'Make and prove',
    load: async (face) => (await import('./commands/hold.ts')).releaseCommand(face),
  },
  {
    name: 'drill',
    summary: 'Restore into scratch instances and compare',
    group: 'Make and prove',
    load: async (face) => (await import('./commands/drill.ts')).drillCommand(face),
  },
  {
    name: 'list',
    summary: 'Recovery points, newest first',
    group: 'Look and take back',
    load: async (face) => (await import('./commands/list.ts')).listCommand(face),
  },
  {
    name: 'show',
    summary: 'The manifest of a recovery point',
    group: 'Look and take back',
    load: async (face) => (await import('./commands/show.ts')).showCommand(face),
  },
  {
    name: 'ls',
    summary: 'The files in a recovery point',
    group: 'Look and take back',
    load: async (face) => (await import('./commands/ls.ts')).lsCommand(face),
  },
  {
    name: 'cat',
    summary: 'One file or dump on stdout',
    group: 'Look and take back',
    load: async (face) => (await import('./commands/cat.ts')).catCommand(face),
  },
  {
    name: 'restore',
    summary: 'Take a service, an item or a path back: to a folder or in place',
    group: 'Look and take back',
    load: async (face) => (await import('./commands/restore.ts')).restoreCommand(face),
  },
  {
    name: 'diff',
    summary: 'What changed between two snapshots, or since one',
    group: 'Look and take back',
    load: async (face) => (await import('./commands/diff.ts')).diffCommand(face),
  },
  { name: 'find', summary: 'Which points have a file', group: 'Look and take back', load: null },
  { name: 'versions', summary: 'When a file changed, over all points', group: 'Look and take back', load: null },
  { name: 'recover', summary: 'Bring all services back on an empty machine', group: 'Look and take back', load: null },
  { name: 'prove', summary: 'Drill backups that another tool made', group: 'Look and take back', load: null },
  {
    name: 'guard',
    summary: 'Run a risky command between a recovery point and checks',
    group: 'Risky changes',
    load: async (face) => (await import('./commands/guard.ts')).guardCommand(face),
  },
  {
    name: 'rollback',
    summary: 'Put a snapshot in the place of the present state',
    group: 'Risky changes',
    load: async (face) => (await import('./commands/rollback.ts')).rollbackCommand(face),
  },
  {
    name: 'snapshot',
    summary: 'Make, list, mark and remove snapshots',
    group: 'Risky changes',
    load: async (face) => (await import('./commands/snapshot.ts')).snapshotCommand(face),
  },
  { name: 'update', summary: 'Pull a new image, guarded', group: 'Risky changes', load: null },
  {
    name: 'history',
    summary: 'Snapshots and recoveries so far',
    group: 'Risky changes',
    load: async (face) => (await import('./commands/history.ts')).historyCommand(face),
  },
  { name: 'schedule', summary: 'Install timers or crontab lines', group: 'By itself', load: null },
  { name: 'serve', summary: 'The daemon: schedules, API, metrics, dashboard', group: 'By itself', load: null },
  { name: 'health', summary: 'A graded report with a Nagios exit code', group: 'By itself', load: null },
  { name: 'forecast', summary: 'When a threshold will be crossed', group: 'By itself', load: null },
  { name: 'window', summary: 'The quietest time of the day', group: 'By itself', load: null },
  { name: 'estimate', summary: 'What the retention will hold and cost', group: 'By itself', load: null },
  { name: 'host', summary: 'Hosts over SSH: add, test, key', group: 'By itself', load: null },
  { name: 'key', summary: 'Prove that a copy of a key opens the repositories', group: 'By itself', load: null },
  {
    name: 'init',
    summary: 'Look at this machine and propose a configuration',
    group: 'This machine',
    load: async (face) => (await import('./commands/init.ts')).initCommand(face),
  },
  {
    name: 'config',
    summary: 'Check the configuration, show it, print its schema or a sample',
    group: 'This machine',
    load: async (face) => (await import('./commands/config.ts')).configCommand(face),
  },
  {
    name: 'repository',
    summary: 'Create, check and list repositories',
    group: 'This machine',
    load: async (face) => (await import('./commands/repository.ts')).repositoryCommand(face),
  },
  {
    name: 'catalog',
    summary: 'Rebuild the catalog from the repositories alone',
    group: 'This machine',
    load: async (face) => (await import('./commands/catalog.ts')).catalogCommand(face),
  },
  {
    name: 'doctor',
    summary: 'What this machine has and lacks for this configuration',
    group: 'This machine',
    load: async (face) => (await import('./commands/doctor.ts')).doctorCommand(face),
  },
  {
    name: 'unlock',
    summary: 'Remove stale locks, repair open journals',
    group: 'This machine',
    load: async (face) => (await import('./commands/unlock.ts')).unlockCommand(face),
  },
  {
    name: 'completion',
    summary: 'Print the completion script for bash, zsh or fish',
    group: 'This machine',
    load: async (face) => (await import('./commands/completion.ts')).completionCommand(face),
  },
  {
    name: '__complete',
    summary: 'What the completion scripts call',
    group: 'This machine',
    hidden: true,
    load: async (face) =>
      (await import('./commands/completion.ts')).completeCommand(
        face,
        async (name) => (await VERBS.find((verb) => verb.name === name)?.load?.(face)) ?? null,
      ),
  },
];
