import type { Problem } from '../config/diagnostic.ts';
import type { Loaded } from '../config/load.ts';
import type { Configuration } from '../config/schema.ts';
import type { DrillContext } from '../operations/drill-context.ts';
import type { CommandEnd } from '../operations/guard-command.ts';
import type { Machine } from '../operations/init-try.ts';
import type { ServiceContext } from '../operations/service-context.ts';
import type { Progress } from '../ports/progress.ts';

/** The options that every verb has (interface, section 2). */
export interface GlobalOptions {
  readonly config?: string;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly progress: boolean;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

/** What `open` gives a command: the context of the operations, and what only the faces need. */
export interface Application extends ServiceContext, DrillContext, AsyncDisposable {
  /** Null for a command that was given a repository's location and needs no configuration. */
  readonly loaded: Loaded | null;
  /** Runs a command of the caller's with the caller's terminal; the environment is added to the caller's.
   *  @throws ToolMissing, ProcessFailed when it cannot be started */
  runInForeground(command: ForegroundCommand): Promise<CommandEnd>;
}

export interface ForegroundCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly stdoutToStderr: boolean;
  readonly signal: AbortSignal;
}

/** Files with the key of a repository: all there is without a configuration, and in place of what one names. */
export interface LocationKeys {
  readonly identity?: string | undefined;
  readonly passphraseFile?: string | undefined;
}

export interface OpenRequest {
  /** Repositories instead of a configuration: `--repository LOCATION` (interface, section 10, line 19). */
  readonly locations?: readonly string[];
  readonly keys?: LocationKeys;
  /** These instead of what the options and the environment say: a configuration file and a state folder. */
  readonly configuration?: string;
  readonly state?: string;
  /** True for a verb that writes: a journal that a crash left open is repaired first. */
  readonly writes?: boolean;
  /** A catalog that cannot be read is moved aside, never deleted, and a new one is begun: for `catalog rebuild`. */
  readonly setDamagedCatalogAside?: boolean;
}

/** What a command is given: arguments come from commander, everything else from here. */
export interface Face {
  readonly globals: () => GlobalOptions;
  /** Aborted by Ctrl-C or TERM, with the error that says so. */
  readonly signal: AbortSignal;
  /** A person can be asked: stdin and stderr are a terminal. */
  readonly interactive: boolean;
  readonly progress: Progress;
  open(request?: OpenRequest): Promise<Application>;
  /** This machine, without a configuration. */
  machine(): Promise<Machine>;
  /** Databases in the trees of this machine that no source dumps. */
  undumpedDatabases(configuration: Configuration): Promise<readonly Problem[]>;
  /** One line or more on stdout; a newline is added when there is none. Nothing with `--json`. */
  print(text: string): void;
  /** The one JSON document on stdout. Nothing without `--json`. */
  printJson(document: object): void;
  /** A line for people on stderr, not with `--quiet`. */
  note(text: string): void;
  /** Bytes on stdout, with back-pressure. */
  write(bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** True with `--yes`; asks on a terminal. @throws AnswerNeeded without one */
  confirm(question: string): Promise<boolean>;
  exit(code: number): void;
}
