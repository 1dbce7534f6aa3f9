/** One row per error: the exit code (interface, section 3) and what to do next. A code that has no row does not compile. */
export const ERRORS = {
  RepositoryNotFound: { exit: 10, hint: 'Mount the disk, or create it with: holdfast repository init NAME' },
  RepositoryLocked: {
    exit: 11,
    hint: 'Wait for the other run, or use --lock-wait. When there is none: holdfast unlock',
  },
  RepositoryUnusable: { exit: 1, hint: 'Look at the folder, at who owns it and at its disk' },
  RepositoryForeignOrigin: {
    exit: 1,
    hint: 'When two machines shall share it, or this one lost its state, say `share: true` in the repository',
  },
  WrongPassword: { exit: 12, hint: 'See which secret is read with: holdfast config show' },
  PointNotFound: { exit: 1, hint: 'See what there is with: holdfast list' },
  ItemNotFound: { exit: 1, hint: 'See the items of a point with: holdfast show POINT' },
  PathNotFound: { exit: 1, hint: 'See the names in an item with: holdfast ls POINT ITEM' },
  ServiceNotFound: { exit: 1, hint: 'See the services with: holdfast config show' },
  Damaged: { exit: 1, hint: 'Restore from another point or repository, and look at the disk' },
  SubvolumeMissing: { exit: 1, hint: 'Look at its name and whether its pool is mounted; the subvolumes: ls POOL' },
  SnapshotMissing: { exit: 1, hint: 'See the snapshots with: holdfast snapshot list' },
  NestedSubvolumes: {
    exit: 1,
    hint: 'A snapshot does not hold them. Move them out, or say `nested: move` in the subvolume',
  },
  PoolUnusable: { exit: 1, hint: 'Look whether its disk is mounted, and how: findmnt --target PATH' },
  PlanNotFound: { exit: 1, hint: 'See the plans with: holdfast config show' },
  StateDamaged: { exit: 1, hint: 'Set it aside and read the repositories again with: holdfast catalog rebuild' },
  StateNewer: { exit: 1, hint: 'Use that version, or point STATE_DIRECTORY to another folder' },
  StateBusy: { exit: 11, hint: 'Wait for the other run, then start the command once more' },
  StateUnusable: { exit: 1, hint: 'Look at the folder, its owner and its disk; STATE_DIRECTORY names another one' },
  JournalOpen: { exit: 1, hint: 'Put right what is named, then: holdfast unlock' },
  SourceMissing: { exit: 1, hint: 'Look whether its disk is mounted and its path is right; the last good point stays' },
  SourceFailed: { exit: 1, hint: 'See the whole output of the program with: --verbose' },
  SourceChanged: { exit: 1, hint: 'Stop its units during the backup, or dump the database with a source of its own' },
  QueryFailed: { exit: 1, hint: 'Try the query with a client of the database' },
  TargetExists: {
    exit: 1,
    hint: 'Restore to an empty folder, or say what becomes of them: --overwrite always|if-newer|never',
  },
  TargetBusy: { exit: 1, hint: 'End the process that holds it, or restore to a folder with: --to DIR' },
  UnitMissing: { exit: 1, hint: 'Look whether its name in the configuration is right, and whether it is installed' },
  UnitFailed: { exit: 1, hint: 'Look at its log: journalctl -u UNIT, docker logs CONTAINER' },
  CheckFailed: { exit: 1, hint: 'Look at the logs of what is checked, and whether the check is right' },
  OverBudget: { exit: 5, hint: 'Allow more: --max-space, --max-duration' },
  ScratchUnusable: {
    exit: 5,
    hint: 'Install what is named; the recovery point itself was not judged. See what is missing with: holdfast doctor',
  },
  PathUnusable: { exit: 1, hint: 'Look at the path, at who owns it and at how its disk is mounted' },
  NoSpace: { exit: 1, hint: 'Free space on that disk, or choose another one' },
  ToolMissing: { exit: 1, hint: 'Install it; see what else is missing with: holdfast doctor' },
  ProcessFailed: { exit: 1, hint: 'See the whole output of the program with: --verbose' },
  Refused: { exit: 1, hint: 'Nothing was changed' },
  NothingDone: { exit: 1, hint: 'See the reasons above' },
  Unsupported: { exit: 78, hint: 'Leave it out of the configuration, or use a version that has it' },
  ConfigurationInvalid: { exit: 78, hint: 'holdfast config check' },
  ConfigurationMissing: { exit: 78, hint: 'Write one with: holdfast init' },
  SecretMissing: { exit: 78, hint: 'See where it is read from with: holdfast config show' },
  Usage: { exit: 64, hint: 'holdfast --help' },
  NotBuilt: { exit: 64, hint: 'See what this version can do with: holdfast --help' },
  AnswerNeeded: { exit: 64, hint: 'Run it on a terminal, or answer beforehand with: --yes' },
  Interrupted: { exit: 130, hint: 'What was stopped runs again. Start the command once more' },
  Terminated: { exit: 143, hint: 'What was stopped runs again. Start the command once more' },
  Internal: { exit: 1, hint: 'This is a defect of Holdfast: run it again with --verbose and report what it prints' },
} as const satisfies Readonly<Record<string, { readonly exit: number; readonly hint: string }>>;

export type ErrorCode = keyof typeof ERRORS;

export interface HoldfastErrorOptions extends ErrorOptions {
  /** Replaces the table's hint where the place knows better what to do next. */
  readonly hint?: string;
}

/** An error that a person reads: what happened and why (`message`), to what (`subject`), what to do next (`hint`). */
export class HoldfastError extends Error {
  readonly code: ErrorCode;
  readonly subject: string;
  readonly hint: string;
  constructor(code: ErrorCode, message: string, subject: string, options?: HoldfastErrorOptions) {
    super(message, options); // options.cause keeps the error underneath, for --verbose
    this.name = 'HoldfastError';
    this.code = code;
    this.subject = subject;
    this.hint = options?.hint ?? ERRORS[code].hint;
  }
}

/** errno(3) of a disk that takes no more. A working file of our own may meet it, where no adapter gives it words. */
export const saysFull = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');

/** The words of an error for a manifest, a report or a log line. Never a stack. */
export function messageOf(error: unknown): string {
  if (saysFull(error)) return 'There is no space left on the disk that is written to.';
  return error instanceof Error ? error.message : String(error);
}

/** What went wrong first, and not in the clean-up after it. */
export const firstOf = (error: unknown): unknown =>
  error instanceof SuppressedError ? firstOf(error.suppressed) : error;

/** What could not be taken back after a first failure and stays open, which that failure hides: JournalOpen. */
export function leftOpen(error: unknown): readonly HoldfastError[] {
  if (!(error instanceof SuppressedError)) return [];
  const { error: later, suppressed } = error;
  const own = later instanceof HoldfastError && later.code === 'JournalOpen' ? [later] : leftOpen(later);
  return [...leftOpen(suppressed), ...own];
}
