import type { Secret } from '../domain/secret.ts';
import type { Bytes } from './bytes.ts';

/** One external program. No shell reads it: `args` are passed as they are. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Beside PATH, HOME, LANG=C.UTF-8 and LC_ALL=C nothing of the caller's environment is passed on. Secrets go here. */
  readonly environment?: Readonly<Record<string, string | Secret>>;
  readonly workingFolder?: string;
  /** The account it runs under, when it is not the caller's. */
  readonly runAs?: string;
}

/** How a program ended. What an exit code means is the adapter's to say. */
export interface Finished {
  readonly program: string;
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last 16 KiB of stderr, known secrets masked. */
  readonly stderrTail: string;
  readonly durationMs: number;
}

/** From here on, in bytes, a thread that reads takes less time than it takes to start. */
const BULK_BYTES = 32 * 1024 ** 2;

/** Whether so much will come that {@link RunOptions.bulk} pays. @param expectedBytes null where nobody knows */
export const isBulk = (expectedBytes: number | null): boolean => (expectedBytes ?? 0) >= BULK_BYTES;

export interface RunOptions {
  readonly signal: AbortSignal;
  /** Milliseconds until the process group is ended with TERM, then KILL; no limit when left out. */
  readonly limitMs?: number;
  /** What goes to the first member's stdin; an empty stdin when left out. */
  readonly input?: Bytes;
  /** Exit codes of any member that are no failure; [0] when left out. */
  readonly accept?: readonly number[];
  /** For {@link Host.read}: much will come ({@link isBulk}), so it is read in a thread of its own, in chunks of 4 MiB. */
  readonly bulk?: boolean;
  /** Each line of stderr as it comes, without its newline, known secrets masked. Bytes that are not UTF-8 as U+FFFD. */
  readonly onStderr?: (line: string) => void;
  /** Called once per member when it ended, before its exit code is judged. */
  readonly onFinished?: (finished: Finished) => void;
}

export type SessionOptions = Pick<RunOptions, 'signal' | 'limitMs' | 'onStderr'>;

/** One program that is spoken to: its stdin stays open, and its stdout comes line by line. Hold it with `await using`:
 *  leaving the block ends the program (TERM, then KILL) unless it has ended. One caller at a time reads. */
export interface Session extends AsyncDisposable {
  /** Passes text to its stdin; resolves when that has room again. Nothing is thrown when the program has ended: the
   *  next `line` or `end` tells why. */
  write(text: string): Promise<void>;
  /** The next line without its newline, UTF-8, at most 16 MiB; null when it ended well. @throws as {@link Host.run} */
  line(): Promise<string | null>;
  /** Closes stdin and waits until it ended; lines that were not read are dropped. @throws as {@link Host.run} */
  end(): Promise<Finished>;
}

/** `lstat` of one path. Times in nanoseconds since 1970. */
export interface PathStatus {
  readonly type: 'file' | 'directory' | 'link' | 'other';
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly device: bigint;
  readonly inode: bigint;
  readonly modifiedNs: bigint;
  readonly changedNs: bigint;
}

/** Paths of a host. Names are byte strings in `latin1` nowhere: a path is a string, and where a name is not UTF-8 the
 *  tools of the host (find, tar) pass it as bytes. */
export interface HostFiles {
  /** Null when nothing is there. */
  status(path: string, signal: AbortSignal): Promise<PathStatus | null>;
  /** Follows every link. @throws SourceMissing when it does not exist. */
  realPath(path: string, signal: AbortSignal): Promise<string>;
  /** Names in a folder, unordered. */
  list(path: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Creates a folder and its parents with this mode; one that exists stays as it is. */
  makeFolder(path: string, mode: number, signal: AbortSignal): Promise<void>;
  /** Renames within one file system and syncs both parent folders. Never replaces a folder that is not empty. */
  rename(from: string, to: string, signal: AbortSignal): Promise<void>;
  /** Removes a file or a whole tree; nothing there is no error. */
  remove(path: string, signal: AbortSignal): Promise<void>;
  /** Bytes that this account can still write on the file system of `path`. */
  freeBytes(path: string, signal: AbortSignal): Promise<number>;
  /** Mount points at or below `path`. */
  mountsBelow(path: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Processes that have `path`, or anything below it, open or as working folder or root: `PID NAME`. Own ones excluded. */
  holders(path: string, signal: AbortSignal): Promise<readonly string[]>;
}

/** Where a source lives and its tools run. What every implementation owes (test/contracts/host.ts proves it):
 *  - a pipeline succeeds only when every member ended with an accepted code, however many bytes were read;
 *  - an abort or a limit ends the whole process group, TERM then KILL, and rejects with the signal's reason;
 *  - memory does not grow with the bytes that pass;
 *  - no secret appears in an argument list, a log line, an error or `stderrTail`.
 *  @throws ToolMissing when a program is not there, ProcessFailed for a code that is not accepted */
export interface Host {
  readonly name: string;
  /** `localPaths`: this process can open the host's paths itself. */
  readonly capabilities: { readonly localPaths: boolean };
  readonly files: HostFiles;
  /** Runs one program to its end and returns what it printed, at most 16 MiB of it (more is ProcessFailed). */
  run(command: Command, options: RunOptions): Promise<Finished & { readonly stdout: string }>;
  /** The last member's stdout. Iteration throws unless every member ended well. */
  read(pipeline: readonly Command[], options: RunOptions): Bytes;
  /** Feeds `options.input` to the first member and waits for all; the last member's stdout is discarded. */
  feed(pipeline: readonly Command[], options: RunOptions): Promise<readonly Finished[]>;
  /** Starts one program that is spoken to. @throws as {@link run}, now or when it is read */
  session(command: Command, options: SessionOptions): Promise<Session>;
  /** The first version number that `program --version` prints; read once per host. @throws ToolMissing */
  version(program: string, signal: AbortSignal): Promise<string>;
}
