import { type ChildProcess, spawn } from 'node:child_process';
import type { Command } from '../ports/host.ts';
import { signalGroup } from './group.ts';

/** How a program ended; both null never. */
export interface ChildEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  /** Null when it could not even be tried, as with a NUL in an argument. */
  readonly process: ChildProcess | null;
  /** Once it has ended and its streams were read to their end or destroyed. @throws the error of Node's spawn */
  readonly closed: Promise<ChildEnd>;
}

/** Groups that run. They end with this process, unless it is killed. */
const groups = new Set<number>();
let watching = false;

function endGroups(): void {
  for (const group of groups) signalGroup(group, 'SIGTERM');
}

/** What a terminal sends to this process does not reach groups of their own. */
function watch(): void {
  if (watching) return;
  watching = true;
  process.on('exit', endGroups);
  process.on('SIGQUIT', quit);
}

/** Ctrl-\ has no listener elsewhere: its default is to end at once, after which there is no `exit`. Not by `once`: a
 *  command in the foreground puts listeners aside and back, as lasting ones. */
function quit(): void {
  endGroups();
  process.off('SIGQUIT', quit);
  process.kill(process.pid, 'SIGQUIT');
}

/** Starts a program as the leader of a process group of its own, without a shell, in exactly this environment. */
export function startChild(
  { program, args, workingFolder }: Command,
  env: Readonly<Record<string, string>>,
  stdio: readonly ('pipe' | 'ignore' | number)[],
): Child {
  watch();
  let child: ChildProcess;
  try {
    const folder = workingFolder === undefined ? {} : { cwd: workingFolder };
    child = spawn(program, args, { env, stdio: [...stdio], detached: true, ...folder });
  } catch (error) {
    return { process: null, closed: Promise.reject(error) };
  }
  const { pid } = child;
  if (pid !== undefined) {
    groups.add(pid);
    child.once('exit', () => groups.delete(pid)); // what it left running on purpose stays
  }
  const closed = new Promise<ChildEnd>((resolve, reject) => {
    child.on('error', (error) => {
      if (pid === undefined) reject(error); // any other is one of its streams, and its end tells
    });
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  // A stream that breaks is no failure of its own: whoever reads or writes it sees it, and the exit code counts.
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.on('error', () => undefined);
  return { process: child, closed };
}
